"""Volumes that are not DICOM: NIfTI, NRRD and MetaImage, by their suffix.

References
----------
NRRD 5: "space" and "space directions". MetaImage: AnatomicalOrientation, TransformMatrix.
Both are read by SimpleITK, whose physical space is LPS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.errors import GeometryError, PixelDataError, UnreadableInputError
from medrecon.files import nifti

NIFTI_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img")
ITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")


def is_image_file(path: Path) -> bool:
    """Whether the name says NIfTI, NRRD or MetaImage."""
    return path.is_file() and path.name.lower().endswith(NIFTI_SUFFIXES + ITK_SUFFIXES)


def read_image(path: Path, *, modality: Modality | None = None, frame: int | None = None) -> Volume:
    """Read a volume of any of these formats.

    Parameters
    ----------
    path : Path
    modality : Modality, optional
        What the image is; none of the formats says. Values of a CT are taken to be
        declared as HU, and are verified by their histogram later.
    frame : int, optional
        Which volume of a 4-D image, from 1.

    Raises
    ------
    UnreadableInputError
        If the file is not what its name says.
    GeometryError, PixelDataError
        As the readers do.
    """
    acquisition = _declared(modality)
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        return nifti.read_volume(path, acquisition=acquisition, frame=frame)
    return _read_itk(path, acquisition, frame)


def _declared(modality: Modality | None) -> Acquisition:
    if modality is Modality.CT:
        return Acquisition(Modality.CT, HuStatus.VERIFIED, "declared by the user")
    if modality is None:
        return Acquisition(
            Modality.OTHER, HuStatus.NOT_CT, "the file does not say what it is; pass --modality"
        )
    return Acquisition(modality)


def _read_itk(path: Path, acquisition: Acquisition, frame: int | None) -> Volume:
    import SimpleITK as sitk  # noqa: N813 - the library's own short name

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        kind = path.suffix.lstrip(".").upper()
        raise UnreadableInputError(f"the file is not a readable {kind} image") from None
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise GeometryError("a colour or vector image; one value per voxel expected")
    if image.GetDimension() == 4:
        if frame is None or not 1 <= frame <= image.GetSize()[3]:
            raise GeometryError(f"a series of {image.GetSize()[3]} volumes; choose with --frame")
        image = image[..., frame - 1]
    if image.GetDimension() != 3:
        raise GeometryError(f"an image of {image.GetDimension()} dimensions; a volume has three")
    array = sitk.GetArrayViewFromImage(image).T
    geometry = Geometry.from_affine(affine_lps_of(image), array.shape)
    if array.dtype.kind in "iu" and array.min() >= -32768 and array.max() <= 32767:
        return Volume(array.astype(np.int16), geometry, acquisition)
    values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise PixelDataError("the image holds values that are not finite numbers")
    return Volume(values, geometry, acquisition)


def affine_lps_of(image: Any) -> npt.NDArray[np.float64]:
    """4×4 affine into LPS mm of a SimpleITK image."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = direction * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return affine
