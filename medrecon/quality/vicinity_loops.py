"""Compiled loop of `vicinity`: cells that faces come near."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def near_faces(
    vertices: Array, faces: Array, low: Array, size: float, reach: float, near: Array
) -> None:
    """Mark the cells (i, j, k) of which a part lies in the box of a face widened by `reach`."""
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for f in range(len(faces)):
        for axis in range(3):
            p, q = vertices[faces[f, 0], axis], vertices[faces[f, 1], axis]
            r = vertices[faces[f, 2], axis]
            lowest, highest = np.float64(min(p, q, r)), np.float64(max(p, q, r))
            first[axis] = np.int64(np.floor((lowest - reach - low[axis]) / size))
            last[axis] = np.int64(np.floor((highest + reach - low[axis]) / size))
            first[axis] = max(first[axis], 0)
            last[axis] = min(last[axis], near.shape[axis] - 1)
        for i in range(first[0], last[0] + 1):
            for j in range(first[1], last[1] + 1):
                for k in range(first[2], last[2] + 1):
                    near[i, j, k] = True
