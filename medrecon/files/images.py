"""Volumes that are not DICOM: NIfTI, NRRD and MetaImage, by their suffix.

References
----------
NRRD 5: "space" and "space directions"; its voxels are read by SimpleITK, whose physical
space is LPS. MetaImage: AnatomicalOrientation, TransformMatrix.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Acquisition, HuStatus, Modality, Volume
from medrecon.errors import GeometryError, ResourceError, UnreadableInputError, UsageError
from medrecon.files import nifti
from medrecon.files.metaimage import read_metaimage
from medrecon.files.nrrd_header import check_nrrd
from medrecon.files.voxels import image_array, image_grid

NIFTI_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img")
META_SUFFIXES = (".mha", ".mhd")
ITK_SUFFIXES = (".nrrd", ".nhdr", *META_SUFFIXES)


def is_image_file(path: Path) -> bool:
    """Whether the name says NIfTI, NRRD or MetaImage, and the file does not say DICOM."""
    if not path.name.lower().endswith(NIFTI_SUFFIXES + ITK_SUFFIXES) or not path.is_file():
        return False
    with path.open("rb") as file:  # scanners call DICOM files .img too
        return file.read(132)[128:] != b"DICM"


def read_image(
    path: Path,
    *,
    modality: Modality | None = None,
    frame: int | None = None,
    volume_bytes: int = nifti.VOLUME_BYTES,
) -> Volume:
    """Read a volume of any of these formats.

    Parameters
    ----------
    path : Path
    modality : Modality, optional
        What the image is; none of the formats says. Values of a CT are taken to be
        declared as HU, and are verified by their histogram later.
    frame : int, optional
        Which volume of a 4-D image, from 1.
    volume_bytes : int
        Most bytes that the file's voxels may take; the header is asked first.

    Raises
    ------
    UnreadableInputError
        If the file is not what its name says.
    MedreconError
        As the readers do.
    """
    acquisition = _declared(modality)
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        return nifti.read_volume(
            path, acquisition=acquisition, frame=frame, volume_bytes=volume_bytes
        )
    array, affine = stored_voxels(path, frame, volume_bytes)
    return Volume(image_array(array), image_grid(affine, array.shape), acquisition)


def _declared(modality: Modality | None) -> Acquisition:
    if modality is Modality.CT:
        return Acquisition(Modality.CT, HuStatus.VERIFIED, "declared by the user")
    if modality is None:
        return Acquisition(
            Modality.OTHER, HuStatus.NOT_CT, "the file does not say what it is; pass --modality"
        )
    return Acquisition(modality)


def stored_voxels(
    path: Path, frame: int | None = None, volume_bytes: int = nifti.VOLUME_BYTES
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Voxels (i, j, k) of an NRRD or MetaImage file as stored, and their affine into LPS mm.

    Raises
    ------
    MedreconError
        As `read_metaimage` and `check_nrrd` do.
    ResourceError
        If the voxels are over the budget.
    """
    if path.name.lower().endswith(META_SUFFIXES):
        return read_metaimage(path, frame, volume_bytes)
    check_nrrd(path)
    return _read_nrrd(path, frame, volume_bytes)


def _read_nrrd(
    path: Path, frame: int | None, volume_bytes: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    import SimpleITK as sitk  # noqa: N813 - the library's own short name

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        values = math.prod(reader.GetSize()) * reader.GetNumberOfComponents()
        if values > volume_bytes:  # of a byte or more each
            raise ResourceError(
                f"the image has {values:,} values; at most {volume_bytes / 2**30:.1f} GiB are "
                "allowed (--max-memory)"
            )
        image = reader.Execute()
    except RuntimeError:
        raise UnreadableInputError("the file is not a readable NRRD image") from None
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise GeometryError("a colour or vector image; one value per voxel expected")
    volumes = image.GetSize()[3] if image.GetDimension() == 4 else 1
    if frame is not None and not 1 <= frame <= volumes:
        raise UsageError(f"no frame {frame} of {volumes}; choose another with --frame")
    if image.GetDimension() == 4:
        if frame is None:
            raise UsageError(f"a series of {volumes} volumes; choose with --frame")
        image = image[..., frame - 1]
    if image.GetDimension() != 3:
        raise GeometryError(f"an image of {image.GetDimension()} dimensions; a volume has three")
    return sitk.GetArrayFromImage(image).T, affine_lps_of(image)


def affine_lps_of(image: Any) -> npt.NDArray[np.float64]:
    """4×4 affine into LPS mm of a SimpleITK image."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = direction * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return affine
