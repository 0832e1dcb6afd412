"""MetaImage in: header, voxels and grid, each stated or refused.

Read here and not by ITK, which takes identity, 1 mm and 0 for what a header leaves out,
does not look at its unit or scaling, and returns memory where compressed data are broken.

References
----------
MetaIO documentation, "MetaImage": TransformMatrix (a row is the direction of one axis),
Offset, ElementSpacing, AnatomicalOrientation, CompressedData. World space is LPS.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medrecon.errors import (
    GeometryError,
    MissingSpacingError,
    PixelDataError,
    ResourceError,
    UnreadableInputError,
    UnsupportedEncodingError,
    UsageError,
)

Header = dict[str, str]

# A header of text; the longest that ITK writes is under 2 KiB.
LONGEST_HEADER = 1 << 16
# MET_LONG has four bytes on every system (metaTypes.h).
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
# Several names for one thing; a file that uses two must say the same in both.
_DIRECTIONS = ("transformmatrix", "rotation", "orientation")
_ORIGINS = ("offset", "position", "origin")
_BYTE_ORDERS = ("binarydatabyteordermsb", "elementbyteordermsb")
# Letters that AnatomicalOrientation gives to axes along +x, +y, +z and against them: each
# names where an axis comes from.
_FROM = ("RAI", "LPS")


def read_metaimage(
    path: Path, frame: int | None, volume_bytes: int
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.float64]]:
    """Voxels (i, j, k) and 4×4 affine into LPS mm of a .mha or .mhd file.

    Parameters
    ----------
    path : Path
    frame : int or None
        Which volume of a 4-D image, from 1.
    volume_bytes : int
        Most bytes that the voxels may take.

    Raises
    ------
    UnreadableInputError, UnsupportedEncodingError
        If it is no MetaImage, or one whose voxels are text or lie in several files.
    GeometryError, MissingSpacingError
        If direction, position or spacing are not stated, or stated twice.
    PixelDataError
        If the voxels are cut short, damaged, or scaled in the header.
    ResourceError
        If they are over the budget.
    UsageError
        If the frame does not exist.
    """
    header, start = _header(path)
    sizes = [int(n) for n in _numbers(header, "dimsize")]
    if len(sizes) not in (3, 4) or min(sizes) < 1:
        raise GeometryError(f"an image of {len(sizes)} dimensions; a volume has three")
    affine = _affine(header, len(sizes))
    k = _chosen(sizes, frame)
    dtype = _dtype(header)
    needed = math.prod(sizes) * dtype.itemsize
    if needed > volume_bytes:
        raise ResourceError(
            f"the image needs {needed / 2**30:.1f} GiB; at most {volume_bytes / 2**30:.1f} GiB "
            "are allowed (--max-memory)"
        )
    raw = _voxels(path, header, start, needed, needed // sizes[-1])
    whole = np.frombuffer(raw, dtype, math.prod(sizes)).reshape(sizes, order="F")
    return (whole[..., k] if len(sizes) == 4 else whole), affine


def _header(path: Path) -> tuple[Header, int]:
    """Values by lower-case name, and where the bytes after the header begin."""
    with path.open("rb") as file:
        head = file.read(LONGEST_HEADER)
    found: Header = {}
    position = 0
    while "elementdatafile" not in found:
        end = head.find(b"\n", position)
        if end < 0:
            raise UnreadableInputError("the file is not a readable MetaImage: no ElementDataFile")
        name, equals, value = head[position:end].decode("latin-1").partition("=")
        if equals:
            key = name.strip().lower()
            if found.setdefault(key, value.strip()) != value.strip():
                raise UnreadableInputError("the MetaImage header states something twice")
        elif name.strip():
            raise UnreadableInputError("the file is not a readable MetaImage")
        position = end + 1
    if found.get("objecttype", "Image").lower() != "image":
        raise UnreadableInputError("the MetaImage file holds no image")
    return found, position


def _affine(header: Header, dimensions: int) -> npt.NDArray[np.float64]:
    spacing = np.array(_numbers(header, "elementspacing", "elementsize"))[:3]
    if len(spacing) < 3 or not (spacing > 0).all():
        raise MissingSpacingError(
            "no usable ElementSpacing is stated; medrecon never invents one: convert the image "
            "again"
        )
    unit = header.get("distanceunits", "").lower()
    if unit not in ("", "?", "mm", "millimeter", "millimeters"):
        raise GeometryError("the MetaImage file's DistanceUnits are not millimetres")
    matrix = np.array(_one_of(header, _DIRECTIONS, "direction (TransformMatrix)"))
    origin = np.array(_one_of(header, _ORIGINS, "position (Offset)"))
    if len(matrix) != dimensions**2 or len(origin) != dimensions:
        raise GeometryError("the MetaImage file's matrix and position do not fit its dimensions")
    rows = matrix.reshape(dimensions, dimensions)[:3, :3]
    if not np.allclose(np.linalg.norm(rows, axis=1), 1, atol=0.01):
        raise GeometryError("the rows of the MetaImage file's TransformMatrix are no directions")
    _check_letters(header.get("anatomicalorientation", ""), rows)
    affine = np.eye(4)
    affine[:3, :3] = rows.T * spacing
    affine[:3, 3] = origin[:3]
    return affine


def _check_letters(letters: str, rows: npt.NDArray[np.float64]) -> None:
    """AnatomicalOrientation says the same as the matrix, or nothing."""
    if not letters or "?" in letters or letters.lower() == "unknown":
        return
    along = np.abs(rows).argmax(axis=1)
    own = "".join(_FROM[int(rows[n, a] < 0)][a] for n, a in enumerate(along))
    if letters.upper()[:3] != own:
        raise GeometryError(
            "the MetaImage file's AnatomicalOrientation and TransformMatrix contradict each other; "
            "left and right are unknown"
        )


def _chosen(sizes: list[int], frame: int | None) -> int:
    volumes = sizes[3] if len(sizes) == 4 else 1
    if frame is None and volumes > 1:
        raise UsageError(f"a series of {volumes} volumes; choose with --frame")
    if frame is not None and not 1 <= frame <= volumes:
        raise UsageError(f"no frame {frame} of {volumes}; choose another with --frame")
    return (frame or 1) - 1


def _dtype(header: Header) -> np.dtype[np.generic]:
    if header.get("elementnumberofchannels", "1") != "1":
        raise GeometryError("a colour or vector image; one value per voxel expected")
    kind = _TYPES.get(header.get("elementtype", ""))
    if kind is None:
        raise UnsupportedEncodingError("the MetaImage file's ElementType is not one that is read")
    if not _flag(header, "binarydata", default=False):
        raise UnsupportedEncodingError("the MetaImage file's voxels are text; write them as binary")
    scale = (
        _numbers(header, "elementtointensityfunctionslope") or (1.0,),
        _numbers(header, "elementtointensityfunctionoffset") or (0.0,),
    )
    if scale != ((1.0,), (0.0,)):
        raise PixelDataError("the MetaImage header scales the values; write them as they are")
    orders = {_flag(header, name, default=False) for name in _BYTE_ORDERS if name in header}
    if len(orders) > 1:
        raise PixelDataError("the MetaImage header states two byte orders")
    return np.dtype(kind).newbyteorder(">" if orders == {True} else "<")


def _voxels(path: Path, header: Header, start: int, needed: int, slice_bytes: int) -> bytes:
    """The bytes of all voxels, exactly."""
    name = header["elementdatafile"]
    if name.upper() != "LOCAL":
        if name.upper() == "LIST" or "%" in name or len(name.split()) > 1:
            raise UnsupportedEncodingError("the MetaImage file's voxels lie in several files")
        if "/" in name or "\\" in name:
            raise UnreadableInputError("the MetaImage file's voxels lie outside its folder")
        path, start = path.with_name(name), 0
        if not path.is_file():
            raise UnreadableInputError("the file of the MetaImage header's voxels is missing")
    raw = path.read_bytes()
    skip = int((_numbers(header, "headersize") or (0.0,))[0])
    if skip > 0:
        start = skip
    if _flag(header, "compresseddata", default=False):
        return _inflated(raw[start:], needed)
    if skip == -1:
        start = len(raw) - needed
    found = len(raw) - start
    # As for DICOM: a whole slice more means that the header does not describe these voxels.
    if start < 0 or not needed <= found < needed + slice_bytes:
        raise PixelDataError(f"{max(0, found):,} bytes of voxels; {needed:,} expected")
    return raw[start:]


def _inflated(raw: bytes, needed: int) -> bytes:
    unpacked = zlib.decompressobj(wbits=47)  # with the header of zlib or of gzip
    try:
        whole = unpacked.decompress(raw, needed + 1)
    except zlib.error:
        raise PixelDataError("the compressed voxels are damaged; copy the file again") from None
    if len(whole) != needed or not unpacked.eof:
        raise PixelDataError(f"the compressed voxels are not the {needed:,} bytes that they should")
    return whole


def _flag(header: Header, name: str, *, default: bool) -> bool:
    value = header.get(name, "").lower()
    return value.startswith(("t", "1", "y")) if value else default


def _one_of(header: Header, names: tuple[str, ...], what: str) -> tuple[float, ...]:
    stated = {_numbers(header, name) for name in names if name in header}
    if len(stated) != 1:
        some = "two different ones" if stated else "none"
        raise GeometryError(
            f"the MetaImage file states no {what}, or several: {some}; medrecon never invents one"
        )
    return stated.pop()


def _numbers(header: Header, *names: str) -> tuple[float, ...]:
    """Numbers of the first of the names that is there; empty if none is."""
    text = next((header[name] for name in names if name in header), "")
    try:
        values = tuple(float(word) for word in text.split())
    except ValueError:
        raise UnreadableInputError("a number in the MetaImage header cannot be read") from None
    if not all(map(math.isfinite, values)):
        raise UnreadableInputError("a number in the MetaImage header is not finite")
    return values
