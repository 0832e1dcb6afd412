"""Compiled loop of `intersections`: pairs of faces that no plane parts, by a tree of boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]

# Beyond this part of its terms' size a float64 height above a plane has the right sign
# (a dozen roundings of 1.1e-16 each).
_DOUBT = 1e-14
_BATCH = 4
"""Faces that go down the tree together."""


@compiled
def doubtful_pairs(
    vertices: Array,
    asked: Array,
    place: Array,
    kept: Array,
    box: Array,
    leaf: int,
    pairs: Array,
) -> int:
    """Fill `pairs` with faces whose boxes meet and that neither's plane parts; their number.

    Parameters
    ----------
    vertices : ndarray of float32, shape (n, 3)
    asked : ndarray of int32, shape (k, 3)
        Faces to go down the tree, neighbours close to one another in the list.
    place : ndarray of int32, shape (k,)
        Where in the tree each of them stands, −1 for nowhere.
    kept : ndarray of int32, shape (m, 3)
        The tree's faces in its order.
    box : ndarray of float32, shape (2·leaves, 6)
    leaf : int
        Faces in a leaf.
    pairs : ndarray of int32, shape (p, 2)
        Rows of `asked` and `kept`. Written as far as there is room; the number may be
        larger. Of two faces that both stand in the tree the earlier one is asked.
    """
    leaves = len(box) // 2
    waiting, width = np.empty(128, np.int64), np.empty(128, np.int64)
    bounds = np.empty((_BATCH, 6), np.float32)
    around = np.empty(6, np.float32)
    count = 0
    for start in range(0, len(asked), _BATCH):
        end = min(start + _BATCH, len(asked))
        first = len(kept)
        for n in range(start, end):
            _bound(vertices, asked, n, bounds[n - start])
            first = min(first, place[n])
            for axis in range(3):
                at = bounds[n - start, axis]
                around[axis] = at if n == start else min(around[axis], at)
                at = bounds[n - start, 3 + axis]
                around[3 + axis] = at if n == start else max(around[3 + axis], at)
        waiting[0], width[0] = 1, leaves
        depth = 1
        while depth:
            depth -= 1
            node, wide = waiting[depth], width[depth]
            last = ((node + 1) * wide - leaves) * leaf
            if last <= first or _parted(box, node, around):
                continue
            if node < leaves:
                waiting[depth], waiting[depth + 1] = 2 * node + 1, 2 * node
                width[depth] = width[depth + 1] = wide // 2
                depth += 2
                continue
            for other in range(last - leaf, min(last, len(kept))):
                for n in range(start, end):
                    if place[n] >= other or not _meets(vertices, kept, other, bounds[n - start]):
                        continue
                    if _beside(vertices, asked, n, kept, other):
                        continue
                    if _beside(vertices, kept, other, asked, n):
                        continue
                    if count < len(pairs):
                        pairs[count, 0], pairs[count, 1] = n, other
                    count += 1
    return count


@inlined
def _bound(vertices: Array, faces: Array, face: int, bound: Array) -> None:
    """Lowest and highest coordinates of a face."""
    for axis in range(3):
        a, b = vertices[faces[face, 0], axis], vertices[faces[face, 1], axis]
        c = vertices[faces[face, 2], axis]
        bound[axis], bound[3 + axis] = min(a, b, c), max(a, b, c)


@inlined
def _parted(box: Array, node: int, bound: Array) -> bool:
    for axis in range(3):
        if box[node, axis] > bound[3 + axis] or box[node, 3 + axis] < bound[axis]:
            return True
    return False


@inlined
def _meets(vertices: Array, faces: Array, face: int, bound: Array) -> bool:
    """Whether a face does not lie beyond one side of a box."""
    u, v, w = faces[face, 0], faces[face, 1], faces[face, 2]
    for axis in range(3):
        a, b, c = vertices[u, axis], vertices[v, axis], vertices[w, axis]
        if min(a, b, c) > bound[3 + axis] or max(a, b, c) < bound[axis]:
            return False
    return True


@inlined
def _beside(vertices: Array, planes: Array, plane: int, others: Array, other: int) -> bool:
    """Whether all corners of the other face lie strictly on one side of a face's plane.

    With a margin for rounding. A corner that both share lies in the plane and parts
    nothing, so the remaining ones decide; two faces with a common edge are parted
    unless they lie in one plane.
    """
    u, v, w = planes[plane, 0], planes[plane, 1], planes[plane, 2]
    ux, uy, uz = np.float64(vertices[u, 0]), np.float64(vertices[u, 1]), np.float64(vertices[u, 2])
    px, py, pz = vertices[v, 0] - ux, vertices[v, 1] - uy, vertices[v, 2] - uz
    qx, qy, qz = vertices[w, 0] - ux, vertices[w, 1] - uy, vertices[w, 2] - uz
    nx, ny, nz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
    doubt = _DOUBT * (
        abs(py * qz) + abs(pz * qy) + abs(pz * qx) + abs(px * qz) + abs(px * qy) + abs(py * qx)
    )
    above = below = True
    for c in range(3):
        at = others[other, c]
        if at in (u, v, w):
            continue
        x, y, z = vertices[at, 0] - ux, vertices[at, 1] - uy, vertices[at, 2] - uz
        height = nx * x + ny * y + nz * z
        margin = doubt * (abs(x) + abs(y) + abs(z))
        above = above and height > margin
        below = below and height < -margin
        if not (above or below):
            return False
    return True
