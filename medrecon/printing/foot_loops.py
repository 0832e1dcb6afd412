"""Compiled: the points of triangles that lie nearest to given points."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled
from medrecon.core.triangle_loops import dot, foot

Array = npt.NDArray[Any]


@compiled
def feet(corners: Array, place: Array, points: Array) -> Array:
    """(n, 3) float64: on each point's triangle the place nearest to it.

    Parameters
    ----------
    corners : ndarray of float32, shape (m, 9)
    place : ndarray of int32, shape (n,)
        The triangle of each point, as `boxtree_loops.nearest` finds it.
    points : ndarray of float64, shape (n, 3)
    """
    found = np.empty((len(points), 3), np.float64)
    for n in range(len(points)):
        at = place[n]
        ax, ay, az = (
            np.float64(corners[at, 0]),
            np.float64(corners[at, 1]),
            np.float64(corners[at, 2]),
        )
        bx, by, bz = corners[at, 3] - ax, corners[at, 4] - ay, corners[at, 5] - az
        cx, cy, cz = corners[at, 6] - ax, corners[at, 7] - ay, corners[at, 8] - az
        px, py, pz = points[n, 0] - ax, points[n, 1] - ay, points[n, 2] - az
        bb, bc, cc = (
            dot(bx, by, bz, bx, by, bz),
            dot(bx, by, bz, cx, cy, cz),
            dot(cx, cy, cz, cx, cy, cz),
        )
        s, t = foot(bb, bc, cc, dot(px, py, pz, bx, by, bz), dot(px, py, pz, cx, cy, cz))
        found[n, 0] = ax + s * bx + t * cx
        found[n, 1] = ay + s * by + t * cy
        found[n, 2] = az + s * bz + t * cz
    return found
