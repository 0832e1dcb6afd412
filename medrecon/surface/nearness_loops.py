"""Compiled: whether a contraction leaves two surfaces near to one another, both ways."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medrecon.core.boxtree_loops import search
from medrecon.core.compiled import compiled, inlined
from medrecon.core.triangle_loops import dot, foot
from medrecon.surface.halfedge_loops import Edges, following, preceding

Array = npt.NDArray[Any]


class Points(NamedTuple):
    """What has to stay near: points in lists by the face that each is nearest to."""

    place: Array
    head: Array
    after: Array


class Full(NamedTuple):
    """A `BoxTree` of the full surface, and where in it each face left has been near."""

    corners: Array
    box: Array
    guess: Array
    centre: Array
    waiting: Array
    apart: Array


@compiled
def points_of(place: Array, corner: Array, wanted: bool) -> Points:
    """Every vertex in the list of the first face that it is a corner of."""
    count = len(place) if wanted else 0
    head = np.full(len(corner) // 3, -1, np.int32)
    after = np.full(count, -2, np.int32)
    if wanted:
        for h in range(len(corner)):
            v = corner[h]
            if after[v] == -2:
                after[v] = head[h // 3]
                head[h // 3] = v
    return Points(place[:count].copy(), head, after)


@inlined
def stay_near(corner: Array, p: Array, full: Full, ring: Array, best: Array, limit: float) -> bool:
    """Whether the new vertex and the new middles of the ring's faces are near the full surface."""
    for n in range(len(ring) + 1):
        x, y, z = best[0], best[1], best[2]
        face = ring[max(n - 1, 0)] // 3
        if n:
            a, b = corner[following(ring[n - 1])], corner[preceding(ring[n - 1])]
            x, y, z = (
                (x + p[a, 0] + p[b, 0]) / 3,
                (y + p[a, 1] + p[b, 1]) / 3,
                (z + p[a, 2] + p[b, 2]) / 3,
            )
        away, full.guess[face] = search(
            full.corners,
            full.box,
            x + full.centre[0],
            y + full.centre[1],
            z + full.centre[2],
            full.guess[face],
            limit,
            full.waiting,
            full.apart,
        )
        if away > limit:
            return False
    return True


@inlined
def hold_points(
    h: int,
    edges: Edges,
    place: Array,
    points: Points,
    ring: Array,
    best: Array,
    limit: float,
    moved: Array,
) -> bool:
    """Give the points of all faces around an edge to the faces that will be there.

    False, and nothing is changed, if one of them would be too far off.
    """
    corner = edges.corner
    one, two = h // 3, edges.opposite[h] // 3
    count = 0
    for n in range(len(ring) + 2):
        face = ring[n] // 3 if n < len(ring) else (one if n == len(ring) else two)
        v = points.head[face]
        while v >= 0:
            near, to = np.inf, -1
            for g in ring:
                away = _to_triangle(
                    points.place, v, best, place, corner[following(g)], corner[preceding(g)]
                )
                if away < near:
                    near, to = away, g // 3
            if near > limit or count == len(moved):
                return False
            moved[count, 0], moved[count, 1] = v, to
            count += 1
            v = points.after[v]
    points.head[one] = points.head[two] = -1
    for g in ring:
        points.head[g // 3] = -1
    for n in range(count):
        v, face = moved[n, 0], moved[n, 1]
        points.after[v] = points.head[face]
        points.head[face] = v
    return True


@inlined
def _to_triangle(point: Array, at: int, a: Array, place: Array, b: int, c: int) -> float:
    """Squared distance of a point to the triangle of a place and two vertices."""
    ax, ay, az = a[0], a[1], a[2]
    bx, by, bz = place[b, 0] - ax, place[b, 1] - ay, place[b, 2] - az
    cx, cy, cz = place[c, 0] - ax, place[c, 1] - ay, place[c, 2] - az
    px, py, pz = point[at, 0] - ax, point[at, 1] - ay, point[at, 2] - az
    bb, bc, cc = (
        dot(bx, by, bz, bx, by, bz),
        dot(bx, by, bz, cx, cy, cz),
        dot(cx, cy, cz, cx, cy, cz),
    )
    pb, pc = dot(px, py, pz, bx, by, bz), dot(px, py, pz, cx, cy, cz)
    s, t = foot(bb, bc, cc, pb, pc)
    x, y, z = px - s * bx - t * cx, py - s * by - t * cy, pz - s * bz - t * cz
    return dot(x, y, z, x, y, z)
