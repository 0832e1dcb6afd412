"""Compiled loop of `from_labels`: where in a map each number lies."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def widen_boxes(plane: Array, k: int, box: Array) -> None:
    """Widen the boxes of all numbers above 0 in a plane of a map.

    Parameters
    ----------
    plane : ndarray of uint16, shape (j, i)
    k : int
        Which plane; they come in order.
    box : ndarray of int32, shape (n, 2, 3)
        First voxel (i, j, k) and the one beyond the last; all 0 where there is none yet.
    """
    rows, columns = plane.shape
    for j in range(rows):
        stop = 0
        while stop < columns:
            first, label = stop, plane[j, stop]
            while stop < columns and plane[j, stop] == label:
                stop += 1
            if label == 0:
                continue
            low, high = box[label, 0], box[label, 1]
            if high[0] == 0:
                low[0], low[1], low[2] = first, j, k
            low[0], low[1] = min(low[0], first), min(low[1], j)
            high[0], high[1], high[2] = max(high[0], stop), max(high[1], j + 1), k + 1
