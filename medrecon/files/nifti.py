"""NIfTI-1 out and in: the only place where RAS exists.

References
----------
Cox et al., NIfTI-1 header definition (nifti1.h): sform, qform, xyzt_units, scl_slope.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import nibabel
import numpy as np
import numpy.typing as npt

from medrecon.core import Acquisition, Geometry, LabelMap, Volume, lps_from_ras
from medrecon.errors import GeometryError, PixelDataError, ResourceError, UsageError
from medrecon.files.atomic import open_atomic
from medrecon.files.compression import GzipWriter
from medrecon.files.nifti_header import open_nifti
from medrecon.files.voxels import image_array, image_grid, label_grid

# As `medrecon.dicom.Limits` allows.
VOLUME_BYTES = 8 << 30
# NIFTI_XFORM_SCANNER_ANAT: coordinates are the scanner's.
SCANNER_ANATOMY = 1
MM_PER_UNIT = {"mm": 1.0, "meter": 1000.0, "micron": 0.001, "unknown": 1.0}
# Distance of a corner voxel that sform and qform may disagree by: a tenth of the finest
# voxel a clinical scanner makes.
FORM_TOLERANCE_MM = 0.05


def write_volume(volume: Volume, path: Path) -> None:
    """Write an image as .nii or .nii.gz, stored type kept, no scaling."""
    _write(volume.array, volume.geometry, path)


def write_slabs(
    slabs: Iterable[npt.NDArray[Any]], dtype: np.dtype[Any], geometry: Geometry, path: Path
) -> None:
    """Write an image of which only some planes, (i, j, n), are there at a time."""
    with _opened(path, dtype, geometry) as stream:
        for slab in slabs:
            stream.write(slab.ravel(order="F").data)


def write_labels(labels: LabelMap, path: Path) -> None:
    """Write a label map as .nii or .nii.gz."""
    _write(labels.array, labels.geometry, path)


def read_volume(
    path: Path,
    *,
    acquisition: Acquisition | None = None,
    frame: int | None = None,
    volume_bytes: int = VOLUME_BYTES,
) -> Volume:
    """Read a NIfTI image.

    Parameters
    ----------
    path : Path
        .nii, .nii.gz or a .hdr/.img pair.
    acquisition : Acquisition, optional
        NIfTI says nothing of modality or HU; who knows may say it here.
    frame : int, optional
        Which volume of a 4-D image, from 1.
    volume_bytes : int
        Most bytes that the file's voxels may take; the header is asked first.

    Returns
    -------
    Volume
        int16 where the file holds integers that fit and no scaling, else float32.

    Raises
    ------
    UnreadableInputError
        If it is not a NIfTI image.
    GeometryError
        If there is no valid affine, sform and qform disagree, or the image has more than
        four dimensions.
    UsageError
        If the frame does not exist, or none was chosen of several.
    MissingSpacingError, ResourceError
        As `open_nifti` raises them.
    PixelDataError
        If the data are truncated, or no finite numbers that float32 holds.
    """
    image = open_nifti(path, volume_bytes)
    array = _load(image, frame)
    geometry = image_grid(lps_from_ras(_affine_ras(image)), array.shape)
    return Volume(image_array(array), geometry, acquisition or Acquisition())


def read_labels(path: Path) -> tuple[npt.NDArray[np.uint16], Geometry]:
    """Integers of a label map and their grid.

    Raises
    ------
    PixelDataError
        If a value is not a whole number of 0 to 65535.
    MissingSpacingError
        If its voxels have a size that no image has.
    """
    image = open_nifti(path, VOLUME_BYTES)
    array = whole_numbers(_load(image, None))
    return array, label_grid(lps_from_ras(_affine_ras(image)), array.shape)


def whole_numbers(array: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Labels of any type as uint16, Fortran order.

    Raises
    ------
    PixelDataError
        If a value is not a whole number of 0 to 65535.
    """
    whole = array if array.dtype.kind in "iub" else np.rint(array)
    exact = whole is array or np.abs(array - whole).max() <= 1e-3
    if not exact or int(whole.min()) < 0 or int(whole.max()) > 65535:
        raise PixelDataError("the label map holds values that are not whole numbers of 0 to 65535")
    return np.asfortranarray(whole.astype(np.uint16))


def _write(array: npt.NDArray[Any], geometry: Geometry, path: Path) -> None:
    each = max(1, 2**22 // max(1, array.shape[0] * array.shape[1]))
    slabs = (array[:, :, k : k + each] for k in range(0, array.shape[2], each))
    write_slabs(slabs, array.dtype, geometry, path)


@contextmanager
def _opened(path: Path, dtype: np.dtype[Any], geometry: Geometry) -> Iterator[IO[bytes]]:
    """A file that its voxels can be written to, the header already in it."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(geometry.shape)
    header.set_xyzt_units("mm")
    header.set_sform(geometry.affine_ras, code=SCANNER_ANATOMY)
    header.set_qform(geometry.affine_ras, code=SCANNER_ANATOMY)
    # A qform is a rotation: it cannot hold a shear, so a sheared grid has an sform only.
    if not _agree(header.get_sform(), header.get_qform(), geometry.shape):
        header["qform_code"] = 0
    header["vox_offset"] = 352
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    with open_atomic(path) as stream:
        if path.suffix != ".gz":
            header.write_to(stream)  # with its four zero bytes: no extensions follow
            yield stream
            return
        with GzipWriter(stream) as packed:
            header.write_to(packed)
            yield packed


def _load(image: Any, frame: int | None) -> npt.NDArray[Any]:
    shape = tuple(int(n) for n in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) < 3:
        raise GeometryError(f"an image of {len(shape)} dimensions; a volume has three")
    if len(shape) > 4:
        raise GeometryError(f"an image of shape {shape}; one volume, or several in time, expected")
    if len(shape) == 4 and frame is None:
        raise UsageError(f"an image of shape {shape}; choose one volume with --frame")
    if frame is not None and not 1 <= frame <= (shape[3] if len(shape) == 4 else 1):
        raise UsageError(f"frame {frame} asked for; the image has shape {shape}")
    index = (slice(None),) * 3 + (((frame or 1) - 1,) if image.ndim > 3 else ())
    index += (0,) * (image.ndim - len(index))
    try:
        slope, intercept = image.dataobj.slope, image.dataobj.inter
        proxy = image.dataobj
        array = (
            proxy[index]
            if (slope, intercept) != (1, 0)
            else np.asarray(proxy.get_unscaled())[index]
        )
    except MemoryError:
        raise ResourceError("no memory for the image") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise PixelDataError(
            f"the image data are truncated or corrupt ({type(error).__name__}); copy the file again"
        ) from None
    return np.asarray(array)


def _affine_ras(image: Any) -> npt.NDArray[np.float64]:
    header = image.header
    sform, sform_code = header.get_sform(coded=True)
    qform, qform_code = header.get_qform(coded=True)
    if not sform_code and not qform_code:
        raise GeometryError(
            "the NIfTI file states no orientation (sform and qform code 0): left and right "
            "are unknown; convert the DICOM series again with a tool that writes them"
        )
    affine = np.array(sform if sform_code else qform, dtype=np.float64)
    if sform_code and qform_code and not _agree(sform, qform, image.shape[:3]):
        raise GeometryError(
            "the NIfTI file's sform and qform place the image differently; remove one of them"
        )
    affine[:3] *= MM_PER_UNIT[header.get_xyzt_units()[0]]
    return affine


def _agree(sform: Any, qform: Any, shape: tuple[int, ...]) -> bool:
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(shape) - 1)
    difference = corners @ (sform - qform)[:3, :3].T + (sform - qform)[:3, 3]
    return bool(np.abs(difference).max() <= FORM_TOLERANCE_MM)
