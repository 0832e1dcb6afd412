"""What a NIfTI header says, checked before a voxel is read.

nibabel puts broken headers right in silence: a pixel dimension of zero becomes 1 mm, a
negative one positive, and a data offset of zero reads the header as voxels.

References
----------
nifti1.h and nifti2.h: dim, pixdim, xyzt_units, vox_offset, scl_slope, qform and sform.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from medrecon.errors import (
    GeometryError,
    MissingSpacingError,
    PixelDataError,
    ResourceError,
    UnreadableInputError,
)

# Image classes by magic string: one file or a pair, version 1 or 2.
_CLASSES: dict[bytes, Any] = {
    b"n+1": nibabel.Nifti1Image,
    b"ni1": nibabel.Nifti1Pair,
    b"n+2": nibabel.Nifti2Image,
    b"ni2": nibabel.Nifti2Pair,
}
# Length of the header and place of the magic string in it, by version.
_LAYOUTS = {348: 344, 540: 4}
# nifti1.h: single-file data begin behind the header and four bytes.
_FIRST_VOXEL = {b"n+1": 352, b"n+2": 544}
# Codes of colours (RGB, RGBA) and complex numbers.
_SEVERAL_VALUES = frozenset({32, 128, 1792, 2048, 2304})
# Deflate packs no more than this many bytes into one.
MOST_DEFLATED = 1032
# Part by which pixdim and the sform's columns may differ: float32 and writers' rounding.
PIXDIM_TOLERANCE = 0.01
BROKEN = (ImageFileError, HeaderDataError, WrapStructError, OSError, EOFError, ValueError)


def open_nifti(path: Path, volume_bytes: int) -> Any:
    """The nibabel image of a file whose header makes sense, its voxels not yet read.

    Parameters
    ----------
    path : Path
        .nii, .nii.gz or either file of a .hdr/.img pair; NIfTI-1 or NIfTI-2.
    volume_bytes : int
        Most bytes that the voxels may take, compared with the header.

    Raises
    ------
    UnreadableInputError
        If it is not a NIfTI image.
    GeometryError
        If it is an Analyze image, has an impossible shape, a unit that is not of length,
        several values per voxel, or pixel dimensions that contradict the affine.
    MissingSpacingError
        If only a qform places it and a pixel dimension is not positive.
    PixelDataError
        If the file cannot hold the voxels, or their scaling is undefined.
    ResourceError
        If the voxels are over the budget.
    """
    magic, header = _header(path)
    _check_values(header)
    _check_geometry(header)
    _check_size(path, magic, header, volume_bytes)
    try:
        return _CLASSES[magic].from_filename(path, mmap=False)
    except (*BROKEN, zlib.error) as error:
        kind = type(error).__name__
        raise UnreadableInputError(f"the NIfTI header cannot be read: {kind}") from None


def _header(path: Path) -> tuple[bytes, Any]:
    raw = _first_bytes(path)
    for length, at in _LAYOUTS.items():
        for order in ("<", ">"):
            if len(raw) >= length and int(np.frombuffer(raw[:4], f"{order}i4")[0]) == length:
                magic = raw[at : at + 3]
                if length == 348 and magic not in _CLASSES:
                    raise GeometryError(
                        "an Analyze image, which states no orientation: left and right are "
                        "unknown; convert the DICOM series again, to NIfTI"
                    )
                if magic in _CLASSES:
                    kind = _CLASSES[magic].header_class
                    return magic, kind(raw[:length], endianness=order, check=False)
    raise UnreadableInputError("the file is not a NIfTI image")


def _first_bytes(path: Path) -> bytes:
    if path.exists() and path.suffix.lower() == ".img":
        path = path.with_suffix(".hdr" if path.suffix == ".img" else ".HDR")
        if not path.exists():
            raise UnreadableInputError("the header file of the image, .hdr, is missing")
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            return file.read(540)
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        kind = type(error).__name__
        raise UnreadableInputError(f"the NIfTI header cannot be read: {kind}") from None


def _check_values(header: Any) -> None:
    if int(header["datatype"]) in _SEVERAL_VALUES:
        raise GeometryError("a colour or complex image; one value per voxel expected")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    # A slope of 0, or none, says that values are stored as they are.
    if math.isinf(slope) or (slope and math.isfinite(slope) and not math.isfinite(intercept)):
        raise PixelDataError("the scaling of the values is not finite: they are lost")


def _check_geometry(header: Any) -> None:
    dimensions = [int(n) for n in header["dim"]]
    used = dimensions[1 : dimensions[0] + 1] if 1 <= dimensions[0] <= 7 else []
    if not used or min(used) < 1:
        raise GeometryError(f"an image of dimensions {dimensions}: impossible")
    if int(header["xyzt_units"]) & 7 > 3:
        raise GeometryError("the unit of the NIfTI file's coordinates is none of length")
    stated = np.asarray(header["pixdim"], float)[1:4]
    if int(header["sform_code"]) <= 0:
        if int(header["qform_code"]) > 0 and not (np.isfinite(stated) & (stated > 0)).all():
            raise MissingSpacingError(
                "a pixel dimension of the NIfTI file is zero, negative or undefined, and nothing "
                "else states the spacing; convert the DICOM series again"
            )
        return
    columns = np.stack([header[f"srow_{axis}"] for axis in "xyz"])[:, :3].astype(float)
    own = np.linalg.norm(columns, axis=0)
    # In a sheared grid some programs state the step along an axis, some how far planes are apart.
    differ = _differ(stated, own) & _differ(stated, _plane_distances(columns))
    if (differ & np.isfinite(own) & (stated > 0)).any():
        raise GeometryError(
            f"the NIfTI file's pixdim says {_mm(stated)} and its sform {_mm(own)} per voxel; "
            "convert the DICOM series again"
        )


def _differ(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(one - other) > PIXDIM_TOLERANCE * other)


def _plane_distances(columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance of neighbouring voxel planes along each axis; infinite for no volume."""
    sides = np.roll(columns, -1, axis=1), np.roll(columns, -2, axis=1)
    areas = np.linalg.norm(np.cross(*sides, axis=0), axis=0)
    volume = abs(np.linalg.det(columns)) if np.isfinite(columns).all() else np.inf
    return np.asarray(np.divide(volume, areas, out=np.full(3, np.inf), where=areas > 0))


def _check_size(path: Path, magic: bytes, header: Any, volume_bytes: int) -> None:
    """Refuse before memory is asked for: a header of 348 bytes can promise terabytes."""
    dimensions = [int(n) for n in header["dim"]]
    try:
        each = header.get_data_dtype().itemsize
    except (HeaderDataError, KeyError):
        raise UnreadableInputError("the NIfTI file's voxels are of an unknown type") from None
    needed = math.prod(dimensions[1 : dimensions[0] + 1]) * each
    first = float(header["vox_offset"])
    if not first >= _FIRST_VOXEL.get(magic, 0):
        raise PixelDataError(f"voxels that begin at byte {first:g}, inside the header")
    data = path
    if magic not in _FIRST_VOXEL:
        data = path.with_suffix(".img" if path.suffix.islower() else ".IMG")
    if not data.exists():
        raise UnreadableInputError("the voxels' file of the header, .img, is missing")
    there = data.stat().st_size
    most = there * MOST_DEFLATED if data.suffix.lower() == ".gz" else there
    if first + needed > most:
        raise PixelDataError(
            f"the header promises {needed:,} bytes of voxels, which a file of {there:,} bytes "
            "does not hold; copy the file again"
        )
    if needed > volume_bytes:
        raise ResourceError(
            f"the image needs {needed / 2**30:.1f} GiB; at most {volume_bytes / 2**30:.1f} GiB "
            "are allowed (--max-memory)"
        )


def _mm(values: Any) -> str:
    return "×".join(f"{v:.4g}" for v in values)
