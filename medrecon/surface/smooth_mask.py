"""The smoothest field that keeps to what a mask says, and holds its volume."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import comb

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import frozen
from medrecon.core.threads import cores, in_parts
from medrecon.surface import smooth_loops, smooth_mask_loops
from medrecon.surface.extract import crossed_edges, outline_of, places

Floats = npt.NDArray[np.float32]
Sides = npt.NDArray[np.int8]
Volume = Callable[[float], float]

_SMALL = 1 << 18
"""Voxels below which a second thread costs more than it saves."""

# A binomial filter of two voxels' standard deviation, as long as the stairs of a gently
# sloping surface: sixteen times half of each value and half of its neighbour's. What is
# further than three deviations away, a two thousandth, is left out.
_REACH = 6
_MOST = np.array([comb(16, 8 + n) for n in range(_REACH + 1)])
_FIRST = frozen(_MOST / (2 * _MOST.sum() - _MOST[0]), np.float32)

# The same blur for what is blurred already: every other voxel is enough. Second and fourth
# moments are the first's, 4 and 46.
_AGAIN = frozen([30 / 64, 12 / 64, 5 / 64], np.float32)

# A centre on its wrong side is put back to this height, of 1 at the start: the nearer
# to 0 the closer may the surface come to a centre.
_LEAST = 0.01

# The surface of a ball of two voxels lies where its blur is half as high as its middle.
_MOST_RAISED = 0.6

# A volume within a ten-thousandth of the mask's is right, and so is the last of ten
# tries: the bracket is then a thousandth of a voxel.
_VOLUME_TOLERANCE = 1e-4
_TRIES = 10

# How far a field is raised at first where nothing says how far is right.
_FIRST_STEP = 0.1


def smoothest(
    soft: npt.NDArray[np.generic],
    side: npt.NDArray[np.generic],
    voxels: float,
    *,
    threads: bool = True,
) -> Floats:
    """The field, blurred without moving it, on its sides, and raised to a volume.

    What a blur takes away is blurred and given back, twice: 1 − (1 − b)³ of each wave is
    left where b is left by the blur, so that the curvature of a surface no longer moves it, to
    fourth order.

    Parameters
    ----------
    soft : ndarray, shape (i, j, k)
        What is known: 1 inside, −1 outside, between them where it is not sure.
    side : ndarray, shape (i, j, k)
        1 and −1 where the sign of the result is settled, 0 where it is free.
    voxels : float
        Volume that the result's surface holds.
    threads : bool
        Work on several cores; the result is the same.
    """
    sides = frozen(side.T, np.int8)
    smooth = _blurred_back(np.array(soft.T, np.float32, order="C"), threads)
    kept = np.empty_like(smooth)
    on_sides = partial(_on_sides, smooth, sides, kept)
    # Where all sides are settled, the surface crosses the same edges always.
    of = _settled_volume if sides.all() else _free_volume
    volume, growth = of(smooth, on_sides, threads)
    return on_sides(_root(lambda by: volume(by) - voxels, voxels, growth)).T


def _blurred_back(given: Floats, threads: bool) -> Floats:
    """3 b − 3 b² + b³ of the field; in its place."""
    at_once = cores() if threads and given.size > _SMALL else 1
    once, twice = np.empty_like(given), np.empty_like(given)
    thrice = given
    for source, weight, step, target in (
        (given, _FIRST, 1, once), (once, _AGAIN, 2, twice), (twice, _AGAIN, 2, thrice),
    ):  # fmt: skip
        work = partial(smooth_mask_loops.blurred, source, weight, step, target)
        in_parts(work, len(given), threads=at_once)
    smooth_mask_loops.sharpened(once, twice, thrice)
    return thrice


def _on_sides(smooth: Floats, sides: Sides, kept: Floats, by: float) -> Floats:
    smooth_mask_loops.on_their_sides(smooth, sides, np.float32(by), np.float32(_LEAST), kept)
    return kept


def _settled_volume(
    smooth: Floats, on_sides: Callable[[float], Floats], threads: bool
) -> tuple[Volume, float]:
    """Volume inside the surface, in voxels, by how much the field is raised, and its growth.

    The edges that it crosses and the faces between them stay, so their ends are enough.
    """
    outline = outline_of(frozen(on_sides(0.0), np.float32), threads=threads)
    edge = crossed_edges(smooth, outline)
    room = np.empty((len(edge), 3))

    def volume(by: float) -> float:
        if not len(edge):
            return 0.0
        return float(smooth_mask_loops.raised_volume(edge, outline.faces, by, _LEAST, room)) / 6

    # Along each axis the surface moves by 1 / (a + b) of an edge, which together is three
    # times the volume that it sweeps.
    across = edge[:, 4] + edge[:, 5]
    return volume, float((1 / across[across > _LEAST]).sum()) / 3


def _free_volume(
    _smooth: Floats, on_sides: Callable[[float], Floats], threads: bool
) -> tuple[Volume, float]:
    """The same where the surface may go over to other edges; how it grows is not known."""

    def volume(by: float) -> float:
        values = frozen(on_sides(by), np.float32)
        outline = outline_of(values, threads=threads)
        if not outline.vertices:
            return 0.0
        place = places(values, outline, np.eye(4), threads=threads)
        sixfold, _ = smooth_loops.volume_and_area(
            frozen(place, np.float32), frozen(outline.faces, np.int32)
        )
        return float(sixfold) / 6

    return volume, 0.0


def _root(surplus: Volume, scale: float, growth: float) -> float:
    """Where a rising function is zero: secants, halved where they leave the bracket."""
    low, high = -_MOST_RAISED, _MOST_RAISED
    at = 0.0
    before: tuple[float, float] | None = None
    for _ in range(_TRIES):
        value = surplus(at)
        if abs(value) <= _VOLUME_TOLERANCE * scale:
            break
        low, high = (at, high) if value < 0 else (low, at)
        slope = growth
        if before is not None:
            slope = (value - before[1]) / (at - before[0])
        before = (at, value)
        next_at = at - value / slope if slope > 0 else at - _FIRST_STEP * np.sign(value)
        at = next_at if low < next_at < high else (low + high) / 2
    return at
