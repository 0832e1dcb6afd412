"""What noise leaves beside an edge where a boundary is placed anew: crumbs and pin-holes.

Pieces are what voxels join by faces. Those that meet at an edge or a corner only are
drawn as two (`surface.extract`), and would lie about loose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medrecon.core.runs import Runs
from medrecon.segmentation.pooling import Array, Mask


@dataclass(frozen=True, slots=True)
class Swept:
    """How many crumbs there were, and how many voxels together."""

    count: int
    voxels: int


def sweep(values: Array, was: Mask, smallest: float, *, holes: bool = False) -> Swept:
    """Turn the crumbs of a (k, j, i) field to the other side, in place.

    A crumb is a piece of which nothing was there before, or one of fewer than `smallest`
    voxels while more is left of what it was part of.

    Parameters
    ----------
    values : ndarray, shape (k, j, i)
        Positive inside.
    was : ndarray of bool, shape (k, j, i)
        What was inside before, or outside where holes are asked for.
    smallest : float
    holes : bool
        Pieces of the outside in place of the inside's.
    """
    parts, old = Runs.of(values <= 0 if holes else values > 0), Runs.of(was)
    keep = parts.holding(was) & (parts.sizes >= smallest)
    keep |= parts.holding(old.mask(~old.holding(parts.mask(keep))))
    np.negative(values, out=values, where=parts.mask(~keep))
    return Swept(int(np.count_nonzero(~keep)), int(parts.sizes[~keep].sum()))


def gone(values: Array, was: Mask) -> Mask:
    """The pieces of `was` that have no voxel inside any more."""
    old = Runs.of(was)
    return old.mask(~old.holding(values > 0))
