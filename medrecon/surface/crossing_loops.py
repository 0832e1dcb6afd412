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
from medrecon.surface.face_grid_loops import Cells, cell_of

Array = npt.NDArray[Any]

_DOUBT = 1e-14
"""Beyond this part of its terms' size a float64 sum has the right sign (a dozen roundings
of 1.1e-16 each)."""


@compiled
def plain(
    vertices: Array,
    star: tuple[Array, Array, Array],
    asked: Array,
    found: Array,
    first: int,
    stop: int,
) -> None:
    """Whether the faces around each vertex asked about lie, seen from one side, side by side.

    They do if each turns the same way, they close, and the ring around the vertex crosses
    a ray from it once.
    """
    start, ahead, behind = star
    side = np.empty((64, 6), np.float64)
    for v in range(first, stop):
        low, count = start[v], np.int64(start[v + 1]) - np.int64(start[v])
        found[v] = False
        if not asked[v] or count < 3 or count > len(side):
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
def doubtful_pairs(
    vertices: Array,
    names: Array,
    box: Array,
    asked: Array,
    is_plain: Array,
    cells: Cells,
    base: int,
    half: bool,
    first: int,
    stop: int,
) -> Array:
    """(k, 2) places of faces that may intersect, of which one at least is asked.

    Parameters
    ----------
    vertices : ndarray of float32, shape (n, 3)
    names : ndarray of int32, shape (m, 3)
        The corners of the faces, in the order of a `FaceGrid`, as the next two.
    box : ndarray of float32, shape (m, 6)
    asked : ndarray of bool, shape (m,)
    is_plain : ndarray of bool, shape (n,)
        Vertices whose faces do not meet one another (`plain`), at the faces asked about.
    cells : Cells
        Of faces of one size, among which is looked.
    base : int
        Place of the first of those.
    half : bool
        Only those that stand after the face that is looked for: all are asked, and these
        are the same faces.
    first, stop : int
        Places of the faces for which is looked.
    """
    pairs = np.empty((1024, 2), np.int32)
    found = 0
    corners, two = np.empty((2, 9), np.float32), np.empty((2, 3), np.int32)
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    near = np.empty(1024, np.int32)
    for a in range(first, stop):
        if not asked[a]:
            continue
        count = 0
        for axis in range(3):
            least, most = np.float64(box[a, axis]), np.float64(box[a, 3 + axis])
            low[axis] = cell_of(cells, axis, least - cells.reach_mm)
            high[axis] = cell_of(cells, axis, most)
        if half:
            # What lies in planes of cells before this one's stands before it.
            low[2] = cell_of(cells, 2, np.float64(box[a, 2]))
        for k in range(low[2], high[2] + 1):
            for j in range(low[1], high[1] + 1):
                line = (k * cells.along[1] + j) * cells.along[0]
                begin = base + cells.start[line + low[0]]
                end = base + cells.start[line + high[0] + 1]
                if half:
                    begin = max(begin, a + 1)
                if end - begin + count > len(near):
                    near = _longer(near, end - begin + count)
                count = _put_near(box, a, begin, end, near, count)
        for n in range(_not_settled(names, asked, is_plain, a, near, count)):
            b = near[n]
            _gather(vertices, names, a, corners, two, 0)
            _gather(vertices, names, b, corners, two, 1)
            if not _in_doubt(corners, two, 0, 1):
                continue
            if found == len(pairs):
                more = np.empty((2 * found, 2), np.int32)
                for n in range(found):
                    more[n, 0], more[n, 1] = pairs[n, 0], pairs[n, 1]
                pairs = more
            pairs[found, 0], pairs[found, 1] = a, b
            found += 1
    return pairs[:found]


@compiled
def _longer(near: Array, needed: int) -> Array:
    more = np.empty(2 * needed, np.int32)
    for n in range(len(near)):
        more[n] = near[n]
    return more


@inlined
def _put_near(box: Array, a: int, begin: int, end: int, near: Array, count: int) -> int:
    """Put down those of a run of faces whose boxes meet one's; how many there are then."""
    x, y, z = box[a, 0], box[a, 1], box[a, 2]
    xx, yy, zz = box[a, 3], box[a, 4], box[a, 5]
    # Put down first and counted after: nothing for the processor to guess.
    for b in range(begin, end):
        near[count] = b
        count += (
            (box[b, 0] <= xx)
            & (box[b, 3] >= x)
            & (box[b, 1] <= yy)
            & (box[b, 4] >= y)
            & (box[b, 2] <= zz)
            & (box[b, 5] >= z)
        )
    return count


@inlined
def _not_settled(
    names: Array, asked: Array, is_plain: Array, a: int, near: Array, count: int
) -> int:
    """Leave those without a plain vertex in common, and of two that are asked one."""
    u, v, w = names[a, 0], names[a, 1], names[a, 2]
    p, q, r = is_plain[u], is_plain[v], is_plain[w]
    left = 0
    for n in range(count):
        b = near[n]
        s, t, o = names[b, 0], names[b, 1], names[b, 2]
        settled = (
            (p & ((s == u) | (t == u) | (o == u)))
            | (q & ((s == v) | (t == v) | (o == v)))
            | (r & ((s == w) | (t == w) | (o == w)))
        )
        near[left] = b
        left += (not settled) & ((b > a) | (not asked[b]))
    return left


@inlined
def _gather(vertices: Array, names: Array, face: int, corners: Array, two: Array, at: int) -> None:
    for c in range(3):
        two[at, c] = names[face, c]
        for axis in range(3):
            corners[at, 3 * c + axis] = vertices[names[face, c], axis]


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
