"""Where between two voxel centres one label ends and another begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medrecon.core import SoftField
from medrecon.core.geometry import Shape
from medrecon.surface.grid_places import CLEARANCE_VOXELS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def edge_crossings(
    fields: Sequence[SoftField],
    winners: npt.NDArray[np.int16],
    origin: Shape,
    voxel: Ints,
    axis: Ints,
) -> Floats:
    """(n, 3) places, in indices of the box of `winners`, where the labels change.

    Where a label ends at the outside, its own field's zero counts. Between two labels
    the surface lies where their values, had the other one not been there, are equal:
    each field tells, on the side where it loses, by how much. At the grid's border,
    beyond which there is nothing, it lies on the voxel's edge, half way.

    Parameters
    ----------
    fields : sequence of SoftField
    winners : ndarray of int16, shape (i, j, k)
        Number of the field that wins (from 1), 0 outside; its first voxel is `origin` of
        the grid.
    voxel : ndarray of int64, shape (n,)
        The edges' lower ends, flat indices in Fortran order.
    axis : ndarray of int64, shape (n,)
        The axis along which each edge runs; its two ends differ in `winners`.
    """
    lower = np.stack(np.unravel_index(voxel, winners.shape, order="F"), axis=1)
    upper = lower + np.eye(3, dtype=np.int64)[axis]
    a, b = winners[tuple(lower.T)], winners[tuple(upper.T)]
    values = _ValuesNear(fields, origin)
    a_here, a_there = values.at(a, lower), values.at(a, upper)
    b_here, b_there = values.at(b, lower), values.at(b, upper)
    here, there = _margins((a_here, a_there), (b_here, b_there))
    part = here / (here + there)
    grid = np.array(fields[0].grid.shape)
    beyond = ((lower + origin < 0) | (upper + origin >= grid)).any(axis=1)
    part[beyond] = 0.5
    places = lower.astype(np.float64)
    places[np.arange(len(places)), axis] += np.clip(part, CLEARANCE_VOXELS, 1 - CLEARANCE_VOXELS)
    return places


def _margins(a: tuple[Floats, Floats], b: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """By how much the first label wins at the lower end, and the second at the upper.

    A field that is not there (0, the outside, or beyond its block) is NaN.
    """
    here, there = -b[0], -a[1]
    # After boundaries were placed each for itself, a loser can be positive, or a winner
    # negative: then the difference of both counts.
    both = (b[0] > 0) | (a[1] > 0) | (a[0] < 0) | (b[1] < 0)
    here = np.where(both, a[0] - b[0], here)
    there = np.where(both, b[1] - a[1], there)
    only_a, only_b = np.isnan(b[0]) | np.isnan(b[1]), np.isnan(a[0]) | np.isnan(a[1])
    here = np.where(only_a, a[0], np.where(only_b, -b[0], here))
    there = np.where(only_a, -a[1], np.where(only_b, b[1], there))
    known = (here >= 0) & (there >= 0) & (here + there > 0)
    return np.where(known, here, 1.0), np.where(known, there, 1.0)


class _ValuesNear:
    """The fields' values at voxels of a box."""

    def __init__(self, fields: Sequence[SoftField], origin: Shape) -> None:
        self._fields = fields
        self._origin = np.array(origin)

    def at(self, number: npt.NDArray[np.int16], voxel: Ints) -> Floats:
        """Value of the field of each number at each voxel; NaN for 0 and beyond its block."""
        found = np.full(len(number), np.nan)
        order = np.argsort(number, kind="stable")
        ends = np.searchsorted(number[order], np.arange(len(self._fields) + 2))
        for n, field in enumerate(self._fields, 1):
            of = order[ends[n] : ends[n + 1]]
            place = voxel[of] + self._origin - field.start
            within = ((place >= 0) & (place < field.values.shape)).all(axis=1)
            found[of[within]] = field.values[tuple(place[within].T)]
        return found
