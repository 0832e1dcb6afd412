"""From stored bits to values: mask, sign, padding, slope and intercept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.dicom.slices import PixelFormat, Scale
from medrecon.errors import PixelDataError

Mask = npt.NDArray[np.bool_]
INT16 = np.iinfo(np.int16)

# Pixels stored as floating point numbers beyond this are no measurement; float32 ends at 3e38.
LARGEST = 1e30

# What stands in for padding in a CT: air, so that an edge toward it is one that a scanner
# would have made. Any lower value would ring in a cubic interpolation.
AIR_HU = -1000
# A padding value that rescales into this range is also what clipped air measures.
AIR_RANGE_HU = (-1100.0, -900.0)


class TooWideError(Exception):
    """A value does not fit int16: the volume must be float32."""


@dataclass(frozen=True, slots=True)
class Transform:
    """How one slice's stored values become the volume's.

    Parameters
    ----------
    layout : PixelFormat
    slope, intercept : float
    fill : float or None
        What padding becomes; None keeps the padding's own value for now.
    edge_only : bool
        Whether only padding that reaches the image's edge is unmeasured: the value
        is one that real pixels may have too.
    """

    layout: PixelFormat
    slope: float
    intercept: float
    fill: float | None = None
    edge_only: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether integers stay integers."""
        return self.slope == int(self.slope) and self.intercept == int(self.intercept)

    @property
    def stored_range(self) -> tuple[int, int]:
        """Lowest and highest value that BitsStored allows."""
        bits = self.layout.bits_stored
        return (
            (-(1 << bits - 1), (1 << bits - 1) - 1) if self.layout.signed else (0, (1 << bits) - 1)
        )


def transform(layout: PixelFormat, scale: Scale, *, is_ct: bool) -> Transform:
    """The slice's transformation; identity where no rescale is stated."""
    slope, intercept = scale.numbers
    if layout.padding is None:
        return Transform(layout, slope, intercept)
    ends = [slope * p + intercept for p in layout.padding]
    like_air = (
        is_ct and scale.is_stated and all(AIR_RANGE_HU[0] <= e <= AIR_RANGE_HU[1] for e in ends)
    )
    fill = float(AIR_HU) if is_ct and scale.is_stated and not like_air else None
    # Within what tissue measures the value alone proves nothing: 0 may be water.
    beyond = is_ct and scale.is_stated and max(ends) < AIR_RANGE_HU[0]
    return Transform(layout, slope, intercept, fill, edge_only=not beyond)


def to_int16(words: npt.NDArray[np.uint16], t: Transform) -> Mask | None:
    """Turn stored 16-bit words into int16 values in place; the mask of padding, or None.

    Raises
    ------
    TooWideError
        If a value does not fit. The words are then spoiled.
    """
    beyond = _padding_beyond(words, t)
    _align(words, t.layout)
    stored: npt.NDArray[Any] = words.view(np.int16) if t.layout.signed else words
    mask = _padding(stored, t) if beyond is None else beyond
    slope, intercept = int(t.slope), int(t.intercept)
    low, high = (slope * s + intercept for s in t.stored_range)
    low, high = min(low, high), max(low, high)
    if (low < INT16.min or high > INT16.max) and not _fits(stored, mask, slope, intercept):
        raise TooWideError
    if slope != 1:
        np.multiply(words, slope & 0xFFFF, out=words)
    if intercept:
        np.add(words, intercept & 0xFFFF, out=words)
    if mask is not None and t.fill is not None:
        words.view(np.int16)[mask] = int(t.fill)
    return mask


def to_float32(stored: npt.NDArray[Any], t: Transform, out: npt.NDArray[np.float32]) -> Mask | None:
    """Write slope × stored + intercept to `out`; the mask of what is no measurement.

    `stored` holds words as they lie in the file (it may be changed), or floats.
    """
    if stored.dtype.kind == "f":
        undefined = ~(np.abs(stored) <= LARGEST)
        np.copyto(stored, 0, where=undefined)
        mask = undefined if undefined.any() else None
    else:
        beyond = _padding_beyond(stored, t)
        _align(stored, t.layout)
        if t.layout.signed:
            stored = stored.view(f"i{stored.dtype.itemsize}")
        mask = _padding(stored, t) if beyond is None else beyond
    np.copyto(out, stored.astype(np.float64) * t.slope + t.intercept, casting="same_kind")
    if mask is not None and t.fill is not None:
        out[mask] = t.fill
    return mask


def unpack_12_bit(raw: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint16]:
    """Samples of 12 bits packed three bytes a pair, low bits first (PS3.5 8.1.1)."""
    raw = raw[: (3 * count + 1) // 2]
    triples = np.zeros(-(-len(raw) // 3) * 3, np.uint8)
    triples[: len(raw)] = raw
    a, b, c = triples.reshape(-1, 3).astype(np.uint16).T
    pairs = np.stack([a | (b & 0xF) << 8, b >> 4 | c << 4], axis=1)
    return pairs.reshape(-1)[:count].astype(np.uint16)


def edge_padding(mask: Mask) -> Mask:
    """The part of a mask that reaches an edge of the image along its row or column.

    Reconstruction circles and rotated fields are convex, so all of their padding
    does; a pixel of the same value inside the patient does not.
    """
    reach = np.zeros_like(mask)
    for axis in (0, 1):
        for view, target in ((mask, reach), (np.flip(mask, axis), np.flip(reach, axis))):
            target |= np.logical_and.accumulate(view, axis=axis)
    return reach


def _align(words: npt.NDArray[Any], layout: PixelFormat) -> None:
    """Shift to bit 0, drop foreign high bits, extend the sign: all in place."""
    bits, width = layout.bits_stored, 8 * words.dtype.itemsize
    shift = layout.high_bit + 1 - bits
    if shift and _lies_below(words, shift, width):
        raise PixelDataError("the pixels lie below the bits that High Bit names; values are lost")
    if layout.signed and bits < width:
        signed = words.view(f"i{words.dtype.itemsize}")
        np.left_shift(words, width - bits - shift, out=words)
        np.right_shift(signed, width - bits, out=signed)
        return
    if shift:
        np.right_shift(words, shift, out=words)
    if bits < width:
        np.bitwise_and(words, (1 << bits) - 1, out=words)


def _lies_below(words: npt.NDArray[Any], shift: int, width: int) -> bool:
    """Whether the bits that should be empty are used, and as many at the top are not."""
    return bool((words & ((1 << shift) - 1)).any()) and not (words >> (width - shift)).any()


def _padding_beyond(words: npt.NDArray[Any], t: Transform) -> Mask | None:
    """Where whole words hold a padding value that BitsStored has no room for.

    −2000 or −3024 in images of 12 bits: scanners write it into all 16, and its lower 12
    bits alone would be dense bone.
    """
    ends, (low, high) = t.layout.padding, t.stored_range
    if ends is None or words.dtype.itemsize != 2 or t.layout.high_bit + 1 != t.layout.bits_stored:
        return None
    if low <= ends[0] and ends[1] <= high:
        return None
    whole = words.view(np.int16) if t.layout.signed else words
    mask = (whole >= ends[0]) & (whole <= ends[1])
    return mask if mask.any() else None


def _padding(stored: npt.NDArray[Any], t: Transform) -> Mask | None:
    if t.layout.padding is None:
        return None
    low, high = t.layout.padding
    mask = stored == low if low == high else (stored >= low) & (stored <= high)
    if not mask.any():
        return None
    return edge_padding(mask) if t.edge_only else mask


def _fits(stored: npt.NDArray[Any], mask: Mask | None, slope: int, intercept: int) -> bool:
    measured = stored if mask is None else stored[~mask]
    if not measured.size:
        return True
    ends = [int(e) * slope + intercept for e in (measured.min(), measured.max())]
    return min(ends) >= INT16.min and max(ends) <= INT16.max
