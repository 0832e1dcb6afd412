"""Compiled loop of `nesting`: rays through a tree of boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]


@compiled
def crossings(
    corners: Array, number: Array, box: Array, leaf: int, origin: Array, own: Array
) -> Array:
    """For each ray along +x the faces it crosses that face +x, less those that face −x.

    Parameters
    ----------
    corners, number, box, leaf
        A `BoxTree`.
    origin : ndarray of float64, shape (k, 3)
    own : ndarray of int32, shape (k,)
        The face that the ray leaves, which is not counted.
    """
    leaves = len(box) // 2
    total = np.zeros(len(origin), np.int64)
    waiting = np.empty(128, np.int64)
    for ray in range(len(origin)):
        x, y, z = origin[ray, 0], origin[ray, 1], origin[ray, 2]
        waiting[0] = 1
        depth = 1
        while depth:
            depth -= 1
            node = waiting[depth]
            if (
                box[node, 3] <= x or box[node, 1] > y or box[node, 4] < y
                or box[node, 2] > z or box[node, 5] < z
            ):  # fmt: skip
                continue
            if node < leaves:
                waiting[depth], waiting[depth + 1] = 2 * node, 2 * node + 1
                depth += 2
                continue
            first = (node - leaves) * leaf
            for place in range(first, min(first + leaf, len(corners))):
                if number[place] != own[ray]:
                    total[ray] += _through(corners, place, x, y, z)
    return total


@inlined
def _through(corners: Array, at: int, x: float, y: float, z: float) -> int:
    """1 or −1 if the ray meets a face, by the side it comes out on; else 0."""
    ax, ay, az = corners[at, 0] - x, corners[at, 1] - y, corners[at, 2] - z
    bx, by, bz = corners[at, 3] - x, corners[at, 4] - y, corners[at, 5] - z
    cx, cy, cz = corners[at, 6] - x, corners[at, 7] - y, corners[at, 8] - z
    u, v, w = by * cz - bz * cy, cy * az - cz * ay, ay * bz - az * by
    whole = u + v + w
    if whole > 0 and u >= 0 and v >= 0 and w >= 0:
        return 1 if u * ax + v * bx + w * cx > 0 else 0
    if whole < 0 and u <= 0 and v <= 0 and w <= 0:
        return -1 if u * ax + v * bx + w * cx < 0 else 0
    return 0
