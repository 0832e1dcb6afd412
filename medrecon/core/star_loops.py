"""Compiled: what surrounds each vertex of a mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def stars(faces: Array, count: int) -> tuple[Array, Array, Array]:
    """Faces around each vertex, by their two other corners.

    Returns
    -------
    start : ndarray of uint32, shape (count + 1,)
        Where each vertex's faces begin.
    ahead, behind : ndarray of uint32, shape (3·m,)
        The next corner of the face and the one before (unsigned: no look for numbers below
        0 at each use). On a closed surface every
        neighbour is ahead once.
    """
    start = np.zeros(count + 1, np.uint32)
    for f in range(len(faces)):
        for c in range(3):
            start[faces[f, c] + 1] += 1
    for v in range(count):
        start[v + 1] += start[v]
    free = start[:-1].copy()
    ahead, behind = np.empty(3 * len(faces), np.uint32), np.empty(3 * len(faces), np.uint32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ahead[free[a]], behind[free[a]] = b, c
        ahead[free[b]], behind[free[b]] = c, a
        ahead[free[c]], behind[free[c]] = a, b
        free[a] += 1
        free[b] += 1
        free[c] += 1
    return start, ahead, behind
