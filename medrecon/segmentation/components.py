"""Connected components of a sparse mask, with the places of their voxels.

Bone fills two or three of a hundred voxels: its runs along the rows (`runs`) are few, and
no label image is needed. Neighbours are the 26 around a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core.runs import TWENTYSIX, Runs
from medrecon.segmentation.pooling import Mask

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """The components of a mask.

    Parameters
    ----------
    index : ndarray of int64, shape (n,)
        Flat index (C order of the (k, j, i) mask) of every True voxel, ascending.
    run_start : ndarray of int64, shape (r,)
        Position in `index` where each run begins.
    run_label : ndarray of int64, shape (r,)
        Component of each run, 0 to `count` − 1, in order of first appearance.
    count : int
    """

    index: Ints
    run_start: Ints
    run_label: Ints
    count: int

    @property
    def voxel_label(self) -> Ints:
        """Component of every voxel of `index`."""
        return np.repeat(self.run_label, np.diff(self.run_start, append=len(self.index)))

    @property
    def sizes(self) -> Ints:
        """Voxels in each component."""
        lengths = np.diff(self.run_start, append=len(self.index))
        return np.bincount(self.run_label, lengths, self.count).astype(np.int64)

    def count_where(self, voxels: Mask) -> Ints:
        """For each component, how many of its voxels are True in `voxels` (as `index`)."""
        if self.count == 0:
            return np.zeros(0, dtype=np.int64)
        hits = np.add.reduceat(voxels.astype(np.int64), self.run_start)
        return np.bincount(self.run_label, hits, self.count).astype(np.int64)

    def within(self, box: tuple[slice, slice, slice], shape: tuple[int, ...]) -> Components:
        """The same components in a box that holds all of them, of a mask of `shape`."""
        k, rest = np.divmod(self.index, shape[1] * shape[2])
        j, i = np.divmod(rest, shape[2])
        rows, columns = (s.stop - s.start for s in box[1:])
        index = ((k - box[0].start) * rows + j - box[1].start) * columns + i - box[2].start
        return Components(index, self.run_start, self.run_label, self.count)

    def mask(self, keep: Mask, shape: tuple[int, ...]) -> Mask:
        """The mask with only the components that `keep` names."""
        out = np.zeros(shape, dtype=bool)
        out.reshape(-1)[self.index[keep[self.voxel_label]]] = True
        return out


def components(mask: Mask) -> Components:
    """Components of a (k, j, i) mask in C order; none if it is empty."""
    runs = Runs.of(mask, TWENTYSIX)
    rows = np.repeat(np.arange(len(runs.first) - 1), np.diff(runs.first))
    lengths = (runs.stop - runs.start).astype(np.int64)
    run_start = np.cumsum(lengths) - lengths
    # From the run's own place in the list to its place in the mask.
    shift = rows * mask.shape[2] + runs.start - run_start
    index = np.arange(int(lengths.sum())) + np.repeat(shift, lengths)
    return Components(index, run_start, runs.label.astype(np.int64), runs.count)
