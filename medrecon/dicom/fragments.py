"""Compressed frames out of their fragments (PS3.5 A.4)."""

from __future__ import annotations

import struct
from itertools import pairwise

from medrecon.errors import PixelDataError

_ITEM = 0xFFFEE000
_END = 0xFFFEE0DD
# Start of image (JPEG, JPEG-LS) and of code stream (JPEG 2000).
_STARTS = (b"\xff\xd8", b"\xff\x4f")
_HEAD = struct.Struct("<HHI")


def split_frames(raw: bytes, frames: int, extended: tuple[int, ...] = ()) -> list[bytes]:
    """One byte string per frame from an encapsulated pixel data element's value.

    Where there are as many fragments as frames each is one frame; otherwise the
    extended or basic offset table decides, or else the marker that a JPEG image of
    any kind begins with.

    Raises
    ------
    PixelDataError
        If the fragments are cut short, or nothing says which belong together.
    """
    table, fragments = _fragments(raw)
    pieces = [raw[start : start + length] for start, length in fragments]
    if frames == 1:
        return [b"".join(pieces)]
    if len(pieces) == frames:
        return pieces
    offsets = extended if len(extended) == frames else table
    if len(offsets) != frames:
        offsets = _by_markers(raw, fragments)
    if len(offsets) != frames:
        raise PixelDataError(
            f"{len(pieces)} fragments for {frames} frames and no offset table; "
            "export the series again"
        )
    return _by_offsets(raw, fragments, offsets)


def _by_markers(raw: bytes, fragments: list[tuple[int, int]]) -> tuple[int, ...]:
    """Offsets of the fragments that begin an image."""
    base = fragments[0][0]
    return tuple(start - base for start, _ in fragments if raw[start : start + 2] in _STARTS)


def _by_offsets(
    raw: bytes, fragments: list[tuple[int, int]], offsets: tuple[int, ...]
) -> list[bytes]:
    """Offsets count from the first fragment's item tag."""
    base = fragments[0][0] - 8 if fragments else 0
    starts = [start - 8 - base for start, _ in fragments]
    place = {start: n for n, start in enumerate(starts)}
    if any(o not in place for o in offsets) or list(offsets) != sorted(set(offsets)):
        raise PixelDataError("the offset table does not point to fragments")
    bounds = [*(place[o] for o in offsets), len(fragments)]
    return [
        b"".join(raw[start : start + length] for start, length in fragments[a:b])
        for a, b in pairwise(bounds)
    ]


def _fragments(raw: bytes) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """The basic offset table, and (start, length) of each fragment."""
    position, items = 0, []
    while position + 8 <= len(raw):
        group, element, length = _HEAD.unpack_from(raw, position)
        tag = group << 16 | element
        if tag == _END:
            break
        if tag != _ITEM or position + 8 + length > len(raw):
            raise PixelDataError("the compressed pixel data are cut short; copy the series again")
        items.append((position + 8, length))
        position += 8 + length
    else:
        raise PixelDataError("the compressed pixel data have no end; copy the series again")
    if len(items) < 2:
        raise PixelDataError("the compressed pixel data hold no frame")
    start, length = items[0]
    table = struct.unpack_from(f"<{length // 4}I", raw, start)
    return table, items[1:]
