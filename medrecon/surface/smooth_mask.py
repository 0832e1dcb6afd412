"""The smoothest field that keeps to what a mask says, and holds its volume."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import frozen
from medrecon.surface import smooth_loops, smooth_mask_loops
from medrecon.surface.extract import Outline, outline_of, places

Floats = npt.NDArray[np.float32]

# A binomial filter of two voxels' standard deviation, as long as the stairs of a gently
# sloping surface: sixteen times half of each value and half of its neighbour's.
_BINOMIAL = frozen([comb(16, 8 + n) / 2.0**16 for n in range(9)], np.float32)

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
    side = frozen(side.T, np.float32)
    smooth = rest = frozen(soft.T, np.float32)
    for attempt in range(1 + _RETURNS):
        blurred = smooth_mask_loops.blurred(rest, _BINOMIAL)
        smooth = smooth + blurred if attempt else blurred
        rest = frozen(rest - blurred, np.float32)
    volume = _Volume(frozen(smooth, np.float32), side)
    return volume.raised(_root(lambda by: volume.of(by) - voxels, voxels)).T


class _Volume:
    """Volume inside a field's surface, in voxels, as the field is raised."""

    def __init__(self, smooth: Floats, side: Floats) -> None:
        self._smooth = smooth
        self._side = side
        # Where all sides are settled, the surface crosses the same edges always.
        self._settled = bool(side.all())
        self._outline: Outline | None = None

    def raised(self, by: float) -> Floats:
        """The field, higher by that much, on its sides."""
        least = np.float32(_LEAST)
        kept: Floats = smooth_mask_loops.on_their_sides(
            self._smooth, self._side, np.float32(by), least, least / np.float32(100)
        )
        return kept

    def of(self, by: float) -> float:
        """The volume of the raised field."""
        values = frozen(self.raised(by), np.float32)
        if self._outline is None or not self._settled:
            self._outline = outline_of(values)
        if not self._outline.vertices:
            return 0.0
        place = places(values, self._outline, np.eye(4))
        sixfold, _ = smooth_loops.volume_and_area(
            frozen(place, np.float32), frozen(self._outline.faces, np.int32)
        )
        return float(sixfold) / 6


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
