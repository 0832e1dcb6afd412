"""Siemens mosaics: a whole volume as tiles of one image.

Image Position of such a file is the corner of an imaginary slice as large as the
whole mosaic, centred on the real one; number and order of the tiles stand in the
vendor's private header (CSA, "SV10"). Without that header a mosaic is refused: the
direction of its slices is stated nowhere else.
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np

from medrecon.dicom import tags
from medrecon.dicom.attributes import Attributes
from medrecon.dicom.consensus import plane
from medrecon.dicom.slices import Slice, Tile
from medrecon.dicom.walker import Header
from medrecon.errors import GeometryError

_MAGIC = b"SV10"
_TAG_HEAD = struct.Struct("<64si4s3i")
_ITEM_HEAD = struct.Struct("<4i")
# More tags than any CSA header has; the count is read from the file.
_MOST_TAGS = 1000
# A private block may be any of those that its creator reserved (PS3.5 7.8.1).
_CSA_PLACES = (
    (tags.CSA_CREATOR, tags.CSA_IMAGE_HEADER),
    (tags.CSA_CREATOR_2, tags.CSA_IMAGE_HEADER_2),
    (tags.CSA_CREATOR_3, tags.CSA_IMAGE_HEADER_3),
)


def is_mosaic(s: Slice) -> bool:
    """Whether Image Type says MOSAIC."""
    return "MOSAIC" in s.meaning.image_type


def mosaic_slices(whole: Slice, header: Header) -> tuple[Slice, ...]:
    """One slice per tile, each with its own position.

    Raises
    ------
    GeometryError
        If number, order, position or spacing of the tiles cannot be told.
    """
    a = Attributes(header.elements, big_endian=header.big_endian)
    facts = csa_values(_csa_header(a))
    count = int(facts.get("NumberOfImagesInMosaic", (0.0,))[0])
    normal = np.asarray(facts.get("SliceNormalVector", ()), float)
    # Its sign would contradict the normal, and the thickness leaves out what lies between.
    step = a.number(tags.SPACING_BETWEEN_SLICES) or 0.0
    p = whole.placement
    if count < 1 or normal.shape != (3,) or step <= 0:
        raise GeometryError("a mosaic that does not say how its slices lie; export it unmosaicked")
    if p.position_mm is None or p.orientation is None or p.spacing_mm is None:
        raise GeometryError("a mosaic without position, orientation or pixel spacing")
    side = math.ceil(math.sqrt(count))
    (rows, left), (columns, over) = (
        divmod(n, side) for n in (whole.pixels.rows, whole.pixels.columns)
    )
    if left or over:
        raise GeometryError(f"a mosaic that {side}×{side} tiles do not fill")
    row, column = plane(p.orientation)
    if abs(abs(normal @ np.cross(row, column)) - 1) > 1e-3:
        raise GeometryError("a mosaic whose slices do not follow their normal")
    dy, dx = p.spacing_mm
    corner = (
        np.asarray(p.position_mm)
        + (row * dx * (whole.pixels.columns - columns) + column * dy * (whole.pixels.rows - rows))
        / 2
    )
    slices = []
    for k in range(count):
        x, y, z = (float(v) for v in corner + k * step * normal)
        tile = Tile(k // side * rows, k % side * columns, rows, columns)
        slices.append(replace(whole, placement=replace(p, position_mm=(x, y, z)), tile=tile))
    return tuple(slices)


def csa_values(raw: bytes) -> dict[str, tuple[float, ...]]:
    """Numeric values of a CSA header; empty if it is none or broken."""
    if raw[:4] != _MAGIC or len(raw) < 16:
        return {}
    count = min(struct.unpack_from("<I", raw, 8)[0], _MOST_TAGS)
    position, values = 16, {}
    try:
        for _ in range(count):
            name, _, _, _, items, _ = _TAG_HEAD.unpack_from(raw, position)
            position += _TAG_HEAD.size
            words = []
            for _ in range(items):
                length = _ITEM_HEAD.unpack_from(raw, position)[1]
                position += _ITEM_HEAD.size
                if not 0 <= length <= len(raw) - position:
                    return {}
                words.append(raw[position : position + length])
                position += (length + 3) // 4 * 4
            numbers = _numbers(words)
            if numbers:
                values[name.split(b"\0")[0].decode("latin-1")] = numbers
    except struct.error:
        return {}
    return values


def _csa_header(a: Attributes) -> bytes:
    for creator, header in _CSA_PLACES:
        if a.text(creator).upper() == "SIEMENS CSA HEADER":
            return a.raw(header) or b""
    return b""


def _numbers(words: list[bytes]) -> tuple[float, ...]:
    numbers = []
    for word in words:
        text = word.split(b"\0")[0].strip()
        if not text:
            continue
        try:
            number = float(text)
        except ValueError:
            return ()
        if not math.isfinite(number):
            return ()
        numbers.append(number)
    return tuple(numbers)
