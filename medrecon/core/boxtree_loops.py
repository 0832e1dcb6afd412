"""Compiled loops of `boxtree`: its order, its boxes, and the nearest triangle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined
from medrecon.core.triangle_loops import dot, foot

Array = npt.NDArray[Any]

LEAF = 4


@compiled
def middles(vertices: Array, faces: Array) -> Array:
    """(m, 4) float32 centroids, and in the fourth number's bits which triangle it is.

    Sorting moves them about, so that what is looked at together lies together.
    """
    middle = np.empty((len(faces), 4), np.float32)
    number = middle.view(np.int32)
    for f in range(len(faces)):
        for axis in range(3):
            total = 0.0
            for c in range(3):
                total += vertices[faces[f, c], axis]
            middle[f, axis] = total / 3.0
        number[f, 3] = f
    return middle


@compiled
def halve(middle: Array, start: int, end: int, leaves: int) -> int:
    """Reorder the centroids of a node so that its left half comes first; where that ends."""
    # The left half is full, so that a node's place says which triangles are its own.
    cut = min(start + leaves // 2 * LEAF, end)
    if cut < end:
        _select(middle, start, end, cut, _longest(middle, start, end))
    return cut


@compiled
def halve_all(middle: Array, start: int, end: int, leaves: int) -> None:
    """The order of the tree below a node: halved at the median of the longest axis, and so on."""
    waiting = np.empty((128, 3), np.int64)
    waiting[0, 0], waiting[0, 1], waiting[0, 2] = start, end, leaves
    depth = 1
    while depth:
        depth -= 1
        low, high, below = waiting[depth, 0], waiting[depth, 1], waiting[depth, 2]
        if high - low <= LEAF:
            continue
        cut = halve(middle, low, high, below)
        for first, stop in ((low, cut), (cut, high)):
            waiting[depth, 0], waiting[depth, 1], waiting[depth, 2] = first, stop, below // 2
            depth += 1


@compiled
def leaves_of(count: int) -> int:
    """How many leaves the tree of so many triangles has."""
    leaves = 1
    while leaves * LEAF < count:
        leaves *= 2
    return leaves


@compiled
def _longest(middle: Array, start: int, end: int) -> int:
    longest, size = 0, -1.0
    for axis in range(3):
        low = high = middle[start, axis]
        for n in range(start + 1, end):
            x = middle[n, axis]
            if x < low:
                low = x
            elif x > high:
                high = x
        if high - low > size:
            longest, size = axis, high - low
    return longest


@compiled
def _select(middle: Array, start: int, end: int, cut: int, axis: int) -> None:
    """Reorder so that nothing before `cut` lies beyond anything after it (Hoare's)."""
    low, high = start, end - 1
    while low < high:
        pivot = middle[(low + high) // 2, axis]
        i, j = low, high
        while i <= j:
            while middle[i, axis] < pivot:
                i += 1
            while middle[j, axis] > pivot:
                j -= 1
            if i <= j:
                for n in range(4):
                    middle[i, n], middle[j, n] = middle[j, n], middle[i, n]
                i += 1
                j -= 1
        if cut <= j:
            high = j
        elif cut >= i:
            low = i
        else:
            break


@compiled
def gathered(vertices: Array, faces: Array, order: Array) -> Array:
    """(m, 9) corners of the faces in that order."""
    corners = np.empty((len(order), 9), np.float32)
    for place in range(len(order)):
        for c in range(3):
            v = faces[order[place], c]
            for axis in range(3):
                corners[place, 3 * c + axis] = vertices[v, axis]
    return corners


@compiled
def boxes(corners: Array) -> Array:
    """Boxes of all nodes, leaves first, then upwards."""
    leaves = leaves_of(len(corners))
    box = np.empty((2 * leaves, 6), np.float32)
    box[:, :3] = np.inf
    box[:, 3:] = -np.inf
    for place in range(len(corners)):
        node = leaves + place // LEAF
        for c in range(9):
            axis = c % 3
            at = corners[place, c]
            box[node, axis] = min(box[node, axis], at)
            box[node, 3 + axis] = max(box[node, 3 + axis], at)
    for node in range(leaves - 1, 0, -1):
        for axis in range(3):
            box[node, axis] = min(box[2 * node, axis], box[2 * node + 1, axis])
            box[node, 3 + axis] = max(box[2 * node, 3 + axis], box[2 * node + 1, 3 + axis])
    return box


@compiled
def nearest(corners: Array, box: Array, points: Array, enough: float) -> tuple[Array, Array]:
    """Squared distance to the nearest triangle and its place in the tree's order.

    A triangle whose squared distance is no more than `enough` ends the search.
    """
    squared = np.full(len(points), np.inf)
    place = np.full(len(points), -1, np.int32)
    waiting, apart = np.empty(128, np.int64), np.empty(128, np.float64)
    last = 0
    for n in range(len(points)):
        # The triangle of the point before is a good guess: points come in order.
        squared[n], place[n] = search(
            corners, box, points[n, 0], points[n, 1], points[n, 2], last, enough, waiting, apart
        )
        last = max(place[n], 0)
    return squared, place


@compiled
def feet(corners: Array, place: Array, points: Array) -> Array:
    """(n, 3) float64: on each point's triangle the place nearest to it.

    Parameters
    ----------
    corners : ndarray of float32, shape (m, 9)
    place : ndarray of int32, shape (n,)
        The triangle of each point, as `nearest` finds it.
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


@compiled
def search(
    corners: Array,
    box: Array,
    x: float,
    y: float,
    z: float,
    guess: int,
    enough: float,
    waiting: Array,
    apart: Array,
) -> tuple[float, int]:
    """`nearest` for one point, with the place of a triangle that may be near.

    Parameters
    ----------
    waiting : ndarray of int64, shape (128,)
    apart : ndarray of float64, shape (128,)
        Room for the nodes still to be visited.
    """
    leaves = len(box) // 2
    if not len(corners):
        return np.inf, -1
    best, at = _to_triangle(corners, guess, x, y, z), guess
    waiting[0], apart[0] = 1, 0.0
    depth = 1
    while depth and best > enough:
        depth -= 1
        if apart[depth] >= best:
            continue
        node = waiting[depth]
        if node >= leaves:
            first = (node - leaves) * LEAF
            for p in range(first, min(first + LEAF, len(corners))):
                found = _to_triangle(corners, p, x, y, z)
                if found < best:
                    best, at = found, p
            continue
        one, two = 2 * node, 2 * node + 1
        to_one, to_two = _to_box(box, one, x, y, z), _to_box(box, two, x, y, z)
        if to_one < to_two:
            one, two, to_one, to_two = two, one, to_two, to_one
        # The nearer one on top.
        waiting[depth], apart[depth] = one, to_one
        waiting[depth + 1], apart[depth + 1] = two, to_two
        depth += 2
    return best, at


@inlined
def _to_box(box: Array, node: int, x: float, y: float, z: float) -> float:
    dx = max(box[node, 0] - x, x - box[node, 3], 0.0)
    dy = max(box[node, 1] - y, y - box[node, 4], 0.0)
    dz = max(box[node, 2] - z, z - box[node, 5], 0.0)
    return dot(dx, dy, dz, dx, dy, dz)


@inlined
def _to_triangle(corners: Array, at: int, x: float, y: float, z: float) -> float:
    """Squared distance of a point to a triangle."""
    ax, ay, az = np.float64(corners[at, 0]), np.float64(corners[at, 1]), np.float64(corners[at, 2])
    bx, by, bz = corners[at, 3] - ax, corners[at, 4] - ay, corners[at, 5] - az
    cx, cy, cz = corners[at, 6] - ax, corners[at, 7] - ay, corners[at, 8] - az
    px, py, pz = x - ax, y - ay, z - az
    bb, bc, cc = (
        dot(bx, by, bz, bx, by, bz),
        dot(bx, by, bz, cx, cy, cz),
        dot(cx, cy, cz, cx, cy, cz),
    )
    s, t = foot(bb, bc, cc, dot(px, py, pz, bx, by, bz), dot(px, py, pz, cx, cy, cz))
    px, py, pz = px - s * bx - t * cx, py - s * by - t * cy, pz - s * bz - t * cz
    return dot(px, py, pz, px, py, pz)
