"""Connected components of a sparse mask, by runs of voxels.

Bone fills two or three of a hundred voxels: labelling its runs along the rows instead
of its voxels is several times faster than labelling the volume and needs no label
image. Neighbours are the 26 around a voxel.

References
----------
He L., Chao Y., Suzuki K., "A run-based two-scan labeling algorithm", IEEE Trans. Image
Process. 2008, doi:10.1109/TIP.2008.919369 (the idea of runs; here with a graph).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
    index = np.flatnonzero(mask)
    if len(index) == 0:
        empty = np.zeros(0, dtype=np.int64)
        return Components(index, empty, empty, 0)
    width = mask.shape[2]
    # One empty column after each row: neither a run nor a neighbour wraps around.
    padded = index + index // width
    breaks = np.flatnonzero(np.diff(padded) != 1) + 1
    run_start = np.concatenate([np.zeros(1, dtype=np.int64), breaks])
    starts = padded[run_start]
    ends = padded[np.append(breaks, len(index)) - 1] + 1
    row, plane = width + 1, (width + 1) * mask.shape[1]
    shifts = ((row, 0), (plane - row, 1), (plane, 1), (plane + row, 1))
    pairs = [_touching(starts, ends, step, (plane, jump)) for step, jump in shifts]
    return Components(index, run_start, *_labels(pairs, len(starts)))


def _touching(starts: Ints, ends: Ints, step: int, planes: tuple[int, int]) -> tuple[Ints, Ints]:
    """Pairs of runs that touch across a shift of `step`, also diagonally.

    `planes` is the length of a plane and how many planes the shift goes up: a step over
    the last row of a plane lands in the first row of the next, which is no neighbour.
    """
    first = np.searchsorted(ends, starts - 1 + step, side="right")
    last = np.searchsorted(starts, ends + 1 + step, side="left")
    found = np.maximum(last - first, 0)
    one = np.repeat(np.arange(len(starts)), found)
    within = np.arange(len(one)) - np.repeat(np.cumsum(found) - found, found)
    other = first[one] + within
    real = starts[other] // planes[0] - starts[one] // planes[0] == planes[1]
    return one[real], other[real]


def _labels(pairs: list[tuple[Ints, Ints]], runs: int) -> tuple[Ints, int]:
    one = np.concatenate([p[0] for p in pairs])
    other = np.concatenate([p[1] for p in pairs])
    graph = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(runs, runs))
    count, label = connected_components(graph, directed=False)
    return label.astype(np.int64), int(count)
