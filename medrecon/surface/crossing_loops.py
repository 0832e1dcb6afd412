"""Compiled loops of `intersections`: pairs of faces that may go through one another.

Most pairs whose boxes meet share a corner. Where all faces around a corner look to one
side and go around it once, none of them meets another beside their common edges; so one
look at each vertex does for the fifteen pairs around it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]

_DOUBT = 1e-14
"""Beyond this part of its terms' size a float64 sum has the right sign (a dozen roundings
of 1.1e-16 each)."""


_CELLS = 128
"""Cells of a coarse grid along its longest side: two million bytes."""


@compiled
def plain(
    vertices: Array, star: tuple[Array, Array, Array], found: Array, first: int, stop: int
) -> None:
    """Whether the faces around each vertex lie, seen from one side, beside one another.

    They do if each turns the same way, they close, and the ring around the vertex crosses
    a ray from it once.
    """
    start, ahead, behind = star
    side = np.empty((64, 6), np.float64)
    for v in range(first, stop):
        low, count = start[v], np.int64(start[v + 1]) - np.int64(start[v])
        found[v] = False
        if count < 3 or count > len(side):
            continue
        dx = dy = dz = 0.0
        for n in range(count):
            _way(vertices, v, ahead[low + n], side, n, 0)
            _way(vertices, v, behind[low + n], side, n, 3)
            x, y, z = _cross(side, n)
            dx += x
            dy += y
            dz += z
        if dx == 0 and dy == 0 and dz == 0:
            continue
        # A direction across: the sign of a point's height over it parts the ring in two.
        ex, ey, ez = dy, -dx, 0.0
        if abs(dz) > abs(dx):
            ex, ey, ez = 0.0, dz, -dy
        turns, good = 0, True
        for n in range(count):
            x, y, z = _cross(side, n)
            size = abs(x * dx) + abs(y * dy) + abs(z * dz)
            if x * dx + y * dy + z * dz <= _DOUBT * 100 * size:
                good = False
                break
            one = side[n, 0] * ex + side[n, 1] * ey + side[n, 2] * ez
            two = side[n, 3] * ex + side[n, 4] * ey + side[n, 5] * ez
            turns += one < 0 and two >= 0
        if good and turns == 1:
            found[v] = _closes(ahead, behind, low, count)


@inlined
def _way(vertices: Array, v: int, w: int, side: Array, n: int, at: int) -> None:
    for axis in range(3):
        side[n, at + axis] = np.float64(vertices[w, axis]) - np.float64(vertices[v, axis])


@inlined
def _cross(side: Array, n: int) -> tuple[float, float, float]:
    return (
        side[n, 1] * side[n, 5] - side[n, 2] * side[n, 4],
        side[n, 2] * side[n, 3] - side[n, 0] * side[n, 5],
        side[n, 0] * side[n, 4] - side[n, 1] * side[n, 3],
    )


@inlined
def _closes(ahead: Array, behind: Array, low: Any, count: Any) -> bool:
    """Whether each corner ahead in one face is behind in exactly one other."""
    for n in range(count):
        times = 0
        for m in range(count):
            times += ahead[low + n] == behind[low + m]
        if times != 1:
            return False
    return True


@compiled
def near_marked(vertices: Array, faces: Array, marked: Array) -> Array:
    """The marked faces, and those whose box meets a cell of a grid that a marked one's meets."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for f in range(len(faces)):
        for c in range(3):
            for axis in range(3):
                at = np.float64(vertices[faces[f, c], axis])
                low[axis], high[axis] = min(low[axis], at), max(high[axis], at)
    scale = _CELLS / max(np.max(high - low), 1e-30)
    cell = np.zeros((_CELLS + 1, _CELLS + 1, _CELLS + 1), np.bool_)
    span = np.empty((3, 2), np.int64)
    for f in range(len(faces)):
        if marked[f]:
            _cells_of(vertices, faces, f, low, scale, span)
            cell[
                span[0, 0] : span[0, 1] + 1,
                span[1, 0] : span[1, 1] + 1,
                span[2, 0] : span[2, 1] + 1,
            ] = True
    found = marked.copy()
    for f in range(len(faces)):
        if found[f]:
            continue
        _cells_of(vertices, faces, f, low, scale, span)
        for i in range(span[0, 0], span[0, 1] + 1):
            for j in range(span[1, 0], span[1, 1] + 1):
                for k in range(span[2, 0], span[2, 1] + 1):
                    found[f] = found[f] or cell[i, j, k]
    return found


@inlined
def _cells_of(
    vertices: Array, faces: Array, face: int, low: Array, scale: float, span: Array
) -> None:
    for axis in range(3):
        p = np.float64(vertices[faces[face, 0], axis])
        q = np.float64(vertices[faces[face, 1], axis])
        r = np.float64(vertices[faces[face, 2], axis])
        span[axis, 0] = np.int64((min(p, q, r) - low[axis]) * scale)
        span[axis, 1] = np.int64((max(p, q, r) - low[axis]) * scale)


@compiled
def doubtful_pairs(
    corners: Array,
    names: Array,
    asked: Array,
    is_plain: Array,
    box: Array,
    leaf: int,
    first: int,
    stop: int,
) -> Array:
    """(k, 2) places in a tree of faces that may intersect, of which one at least is asked.

    Parameters
    ----------
    corners : ndarray of float32, shape (m, 9)
        In the tree's order, as everything here.
    names : ndarray of int32, shape (m, 3)
        The corners' vertices.
    asked : ndarray of bool, shape (m,)
    is_plain : ndarray of bool, shape (n,)
        Vertices whose faces do not meet one another (`plain`).
    box : ndarray of float32, shape (2·leaves, 6)
    leaf : int
        Faces in a leaf.
    first, stop : int
        Leaves whose faces go down the tree, all of a leaf together.
    """
    pairs = np.empty((1024, 2), np.int32)
    found = 0
    leaves = len(box) // 2
    every = asked.all()
    waiting, width = np.empty(128, np.int64), np.empty(128, np.int64)
    for own in range(first, stop):
        low, high = own * leaf, min(own * leaf + leaf, len(names))
        if not asked[low:high].any():
            continue
        waiting[0], width[0] = 1, leaves
        depth = 1
        while depth:
            depth -= 1
            node, wide = waiting[depth], width[depth]
            # Where all are asked, a pair is found by the one that stands first.
            if every and (node + 1) * wide - leaves <= own:
                continue
            if _parted(box, node, leaves + own):
                continue
            if node < leaves:
                waiting[depth], waiting[depth + 1] = 2 * node + 1, 2 * node
                width[depth] = width[depth + 1] = wide // 2
                depth += 2
                continue
            begin = (node - leaves) * leaf
            for b in range(begin, min(begin + leaf, len(names))):
                for a in range(low, high):
                    # A pair of which both are asked comes up twice.
                    if not asked[a] or (asked[b] and b <= a) or not _near(corners, a, b):
                        continue
                    if _at_plain(names, is_plain, a, b) or not _in_doubt(corners, names, a, b):
                        continue
                    if found == len(pairs):
                        more = np.empty((2 * found, 2), np.int32)
                        more[:found] = pairs
                        pairs = more
                    pairs[found, 0], pairs[found, 1] = a, b
                    found += 1
    return pairs[:found]


@inlined
def _parted(box: Array, one: int, two: int) -> bool:
    for axis in range(3):
        if box[one, axis] > box[two, 3 + axis] or box[one, 3 + axis] < box[two, axis]:
            return True
    return False


@inlined
def _near(corners: Array, a: int, b: int) -> bool:
    """Whether two faces' boxes meet."""
    for axis in range(3):
        p, q, r = corners[a, axis], corners[a, 3 + axis], corners[a, 6 + axis]
        s, t, u = corners[b, axis], corners[b, 3 + axis], corners[b, 6 + axis]
        if min(p, q, r) > max(s, t, u) or max(p, q, r) < min(s, t, u):
            return False
    return True


@inlined
def _at_plain(names: Array, is_plain: Array, a: int, b: int) -> bool:
    """Whether two faces share a vertex whose faces do not meet one another."""
    for i in range(3):
        v = names[a, i]
        if (v == names[b, 0] or v == names[b, 1] or v == names[b, 2]) and is_plain[v]:
            return True
    return False


@compiled
def _in_doubt(corners: Array, names: Array, a: int, b: int) -> bool:
    """Whether two faces may have a point in common beside the corners they share."""
    shared = 0
    for i in range(3):
        shared += _has(names, b, names[a, i])
    if shared == 3:
        return True
    if _beside(corners, names, a, b) or _beside(corners, names, b, a):
        return False
    if shared == 2:
        return not _look_alike(corners, a, b)
    for one, two in ((a, b), (b, a)):
        for i in range(3):
            j = (i + 1) % 3
            if shared and (_has(names, two, names[one, i]) or _has(names, two, names[one, j])):
                continue
            if _may_pierce(corners, one, 3 * i, 3 * j, two):
                return True
    return False


@inlined
def _has(names: Array, face: int, vertex: int) -> bool:
    first, second, third = names[face]
    return bool(first == vertex or second == vertex or third == vertex)


@compiled
def _beside(corners: Array, names: Array, plane: int, other: int) -> bool:
    """Whether all corners of the other face lie strictly on one side of a face's plane.

    With a margin for rounding. A corner that both share lies in the plane and parts
    nothing, so the remaining ones decide.
    """
    above = below = True
    for c in range(3):
        if _has(names, plane, names[other, c]):
            continue
        side = _side(corners, plane, 0, plane, 3, plane, 6, other, 3 * c)
        above = above and side > 0
        below = below and side < 0
        if not (above or below):
            return False
    return True


@compiled
def _may_pierce(corners: Array, face: int, i: int, j: int, other: int) -> bool:
    """Whether a side of a face may meet another face; false only beyond doubt."""
    here = _side(corners, other, 0, other, 3, other, 6, face, i)
    there = _side(corners, other, 0, other, 3, other, 6, face, j)
    if here * there > 0:
        return False
    left = right = False
    for n in range(3):
        turn = _side(corners, face, i, face, j, other, 3 * n, other, 3 * ((n + 1) % 3))
        left = left or turn > 0
        right = right or turn < 0
    return not (left and right)


@inlined
def _side(corners: Array, f: int, p: int, g: int, q: int, h: int, r: int, k: int, s: int) -> int:
    """1 or −1 for the side of the plane through three corners that a fourth is on, 0 in doubt."""
    ax, ay, az = np.float64(corners[f, p]), np.float64(corners[f, p + 1]), corners[f, p + 2]
    bx, by, bz = corners[g, q] - ax, corners[g, q + 1] - ay, corners[g, q + 2] - np.float64(az)
    cx, cy, cz = corners[h, r] - ax, corners[h, r + 1] - ay, corners[h, r + 2] - np.float64(az)
    dx, dy, dz = corners[k, s] - ax, corners[k, s + 1] - ay, corners[k, s + 2] - np.float64(az)
    x1, x2 = by * cz, bz * cy
    y1, y2 = bz * cx, bx * cz
    z1, z2 = bx * cy, by * cx
    height = (x1 - x2) * dx + (y1 - y2) * dy + (z1 - z2) * dz
    doubt = _DOUBT * (
        (abs(x1) + abs(x2)) * abs(dx)
        + (abs(y1) + abs(y2)) * abs(dy)
        + (abs(z1) + abs(z2)) * abs(dz)
    )
    if height > doubt:
        return 1
    return -1 if height < -doubt else 0


@compiled
def _look_alike(corners: Array, a: int, b: int) -> bool:
    """Whether two faces surely face the same way: then they are not folded flat together."""
    along = size = 0.0
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        p1, p2, one = _component(corners, a, j, k)
        q1, q2, two = _component(corners, b, j, k)
        along += one * two
        size += (p1 + p2) * (q1 + q2)
    return bool(along > 10 * _DOUBT * size)


@inlined
def _component(corners: Array, f: int, j: int, k: int) -> tuple[float, float, float]:
    """Sizes of the two products of an area vector's component, and the component."""
    aj, ak = np.float64(corners[f, j]), np.float64(corners[f, k])
    one = (corners[f, 3 + j] - aj) * (corners[f, 6 + k] - ak)
    two = (corners[f, 3 + k] - ak) * (corners[f, 6 + j] - aj)
    return abs(one), abs(two), one - two
