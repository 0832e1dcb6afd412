"""The smoothest field that keeps to what a mask says, and holds its volume."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

from medrecon.core import Geometry, Label, SoftField
from medrecon.surface.extract import extract_surface

Floats = npt.NDArray[np.float32]

# A binomial filter of two voxels' standard deviation, as long as the stairs of a gently
# sloping surface: sixteen times half of each value and half of its neighbour's.
_BINOMIAL = np.array([comb(16, n) for n in range(17)]) / 2.0**16

# Times that what the blur took away is blurred and given back. With two of them the
# curvature of a surface no longer moves it, to fourth order.
_RETURNS = 2

# A centre on its wrong side is put back to this height, of 1 at the start: the nearer
# to 0 the closer may the surface come to a centre.
_LEAST = 0.01

# The surface of a ball of two voxels lies where its blur is half as high as its middle.
_MOST_RAISED = 0.6

# A volume within a ten-thousandth of the mask's is right, and so is the last of ten
# tries: the bracket is then a thousandth of a voxel.
_VOLUME_TOLERANCE = 1e-4
_TRIES = 10


def smoothest(soft: Floats, side: Floats, voxels: float) -> Floats:
    """The field, blurred without moving it, on its sides, and raised to a volume.

    Parameters
    ----------
    soft : ndarray of float32, shape (i, j, k)
        What is known: 1 inside, −1 outside, between them where it is not sure.
    side : ndarray of float32, shape (i, j, k)
        1 and −1 where the sign of the result is settled, 0 where it is free.
    voxels : float
        Volume that the result's surface holds.
    """
    smooth = _blurred(soft)
    rest = soft - smooth
    for _ in range(_RETURNS):
        given_back = _blurred(rest)
        smooth += given_back
        rest -= given_back

    def raised(by: float) -> Floats:
        return _on_its_side(smooth + np.float32(by), side)

    return raised(_root(lambda by: _volume(raised(by)) - voxels, voxels))


def _root(surplus: Callable[[float], float], scale: float) -> float:
    """Where a rising function is zero: secants, halved where they leave the bracket."""
    low, high = -_MOST_RAISED, _MOST_RAISED
    at, step = 0.0, 0.1
    before: tuple[float, float] | None = None
    for _ in range(_TRIES):
        value = surplus(at)
        if abs(value) <= _VOLUME_TOLERANCE * scale:
            break
        low, high = (at, high) if value < 0 else (low, at)
        if before is None or before[1] == value:
            next_at = at + (step if value < 0 else -step)
        else:
            next_at = at - value * (at - before[0]) / (value - before[1])
        before = (at, value)
        at = next_at if low < next_at < high else (low + high) / 2
    return at


def _on_its_side(field: Floats, side: Floats) -> Floats:
    kept: Floats = np.where(
        side == 0, field, side * np.maximum(field * side, np.float32(_LEAST))
    ).astype(np.float32)
    tiny = np.float32(_LEAST / 100)
    return np.where(np.abs(kept) < tiny, np.copysign(tiny, kept), kept)


def _volume(field: Floats) -> float:
    """Volume inside the field's surface, in voxels."""
    i, j, k = field.shape
    unit = Geometry((i, j, k), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return extract_surface(SoftField(Label(1, "mask"), field, unit)).volume_mm3


def _blurred(field: Floats) -> Floats:
    for axis in range(3):
        field = correlate1d(field, _BINOMIAL, axis=axis, mode="reflect")
    return field
