"""Connected components of a mask by runs of voxels, and questions about them.

A run is a row's stretch of True voxels. Masks of anatomy have twenty to a hundred times
fewer runs than voxels, so that joining runs is several times faster than labelling
voxels, and no image of labels is held.

References
----------
He L., Chao Y., Suzuki K., "A run-based two-scan labeling algorithm", IEEE Trans. Image
Process. 2008, doi:10.1109/TIP.2008.919369.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import run_loops
from medrecon.core.compiled import frozen

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[Any]

# Rows that come before a row and touch it: planes and rows away, and whether corners do.
SIX = ((0, -1, 0), (-1, 0, 0))
"""Voxels touch by faces."""
TWENTYSIX = ((0, -1, 1), (-1, -1, 1), (-1, 0, 1), (-1, 1, 1))
"""Voxels touch by faces, edges and corners."""
IN_PLANE_FOUR = ((0, -1, 0),)
"""By faces, within a plane."""
IN_PLANE_EIGHT = ((0, -1, 1),)
"""By faces and corners, within a plane."""

Neighbours = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The components of a (k, j, i) mask.

    Parameters
    ----------
    first : ndarray of int64, shape (planes · rows + 1,)
        Number of each row's first run.
    start, stop : ndarray of int32, shape (r,)
        Where each run begins and ends in its row.
    label : ndarray of int32, shape (r,)
        Component of each run, from 0 in order of first appearance.
    count : int
        How many components there are.
    shape : tuple of int
        Of the mask.
    """

    first: Ints
    start: Ints
    stop: Ints
    label: Ints
    count: int
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, mask: Mask, touching: Neighbours = SIX) -> Runs:
        """The components of a mask, by which voxels touch."""
        first, start, stop = run_loops.runs_of(frozen(mask, np.bool_).view(np.uint8))
        earlier = frozen(touching, np.int64)
        label, count = run_loops.joined(first, start, stop, mask.shape[1], earlier)
        k, j, i = mask.shape
        return cls(first, start, stop, label, count, (k, j, i))

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Voxels in each component."""
        lengths = (self.stop - self.start).astype(np.float64)
        return np.bincount(self.label, lengths, self.count).astype(np.int64)

    @property
    def plane(self) -> npt.NDArray[np.int64]:
        """Plane (k) of each run."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.first[:: self.shape[1]]))

    def mask(self, keep: Mask) -> Mask:
        """The mask with the components alone that `keep` names, shape (`count`,)."""
        out = np.zeros(self.shape, np.bool_)
        if len(self.start):
            wanted = frozen(keep[self.label], np.bool_)
            run_loops.paint(out, self.first, self.start, self.stop, wanted)
        return out

    def holding(self, seeds: Mask) -> Mask:
        """Which components have a True voxel of `seeds` (same shape as the mask)."""
        found = np.zeros(self.count, np.bool_)
        run_loops.holding(*self._labelled, frozen(seeds, np.bool_), found)
        return found

    def means(self, values: npt.NDArray[Any]) -> Floats:
        """Mean of an image over each component's voxels."""
        total = np.zeros(self.count)
        run_loops.sums(*self._labelled, frozen(values, values.dtype), total)
        return total / np.maximum(self.sizes, 1)

    def moments(self, mask: Mask) -> Floats:
        """(`count`, 6) sums of 1, i, j, i², j² and i·j over the voxels that are in a mask."""
        total = np.zeros((self.count, 6))
        run_loops.moments(*self._labelled, frozen(mask, np.bool_), total)
        return total

    def faces_beside(self, wall: Mask, free: Mask) -> tuple[Ints, Ints]:
        """How many faces of each component show wall, and how many what is free."""
        wall, free = frozen(wall, np.bool_), frozen(free, np.bool_)
        walled, unwalled = run_loops.faces_beside(*self._labelled, wall, free)
        return walled, unwalled

    def with_two_owners(self, owner: npt.NDArray[np.int32]) -> Mask:
        """Which components lie beside voxels of more than one owner (from 1; 0 is none)."""
        several = np.zeros(self.count, np.bool_)
        run_loops.with_two_owners(*self._labelled, frozen(owner, np.int32), several)
        return several

    @property
    def _labelled(self) -> tuple[Ints, Ints, Ints, Ints]:
        return self.first, self.start, self.stop, self.label
