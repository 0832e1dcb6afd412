"""Compiled loops of `collapse`: edges contracted in the order of their quadric error.

Run by run of faces, each up to a level before the level rises (`halfedge_loops`). Parts
of a large mesh can be worked off at once: a vertex whose faces lie in one part alone, and
all its faces' data, are only ever touched by that part.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined
from medrecon.surface.halfedge_loops import (
    BUCKETS,
    RUN_BITS,
    WAITING,
    Edges,
    following,
    opposites,
    preceding,
    put_in,
    queue_of,
    ring_of,
    take_out,
)
from medrecon.surface.nearness_loops import Full, Points, hold_points, points_of, stay_near

Array = npt.NDArray[Any]

_MOST = 64
"""Faces around an edge at most."""
_PULL = 1e-4
"""Weight that holds a new vertex to the middle of its edge where the planes leave it free."""
_TURN = 0.25
"""Squared cosine of the largest turn of a face: 60 degrees, half of what folds it over."""
_THIN = 1e-5
"""Squared shape (1 for equal sides, 0 for none) under which a face may not become thinner."""


class Vertices(NamedTuple):
    """Places, sums of plane quadrics, and marks."""

    place: Array
    quadric: Array
    mark: Array


@compiled
def begun(
    vertices: Array, faces: Array, centre: Array, bounded: bool
) -> tuple[Edges, Vertices, Points, int]:
    """Half-edges with an empty queue, quadrics, and the points that have to stay near.

    Parameters
    ----------
    vertices : ndarray of float32, shape (n, 3)
    faces : ndarray of int32, shape (m, 3)
    centre : ndarray of float64, shape (3,)
        Taken off for the sake of digits; float32 numbers, so that nothing is lost.
    bounded : bool
        Whether points have to stay near at all.

    Returns
    -------
    edges, mesh, points
    faults : int
        Half-edges without exactly one opposite: nothing may be contracted if there are any.
    """
    corner = faces.copy().reshape(-1)
    opposite, faults = opposites(corner, len(vertices))
    mesh = _quadrics(vertices, corner, centre)
    return queue_of(corner, opposite), mesh, points_of(mesh.place, corner, bounded), faults


@compiled
def between_parts(corner: Array, count: int, part_of_run: Array) -> Array:
    """Vertices that have half-edges of their faces in several parts; bool, shape (count,)."""
    between = np.zeros(count, np.bool_)
    seen = np.full(count, -1, np.int16)
    for h in range(len(corner)):
        part = part_of_run[h >> RUN_BITS]
        for v in (corner[h], corner[following(h)], corner[preceding(h)]):
            if seen[v] < 0:
                seen[v] = part
            elif seen[v] != part:
                between[v] = True
    return between


@compiled
def weigh(edges: Edges, mesh: Vertices, tolerance: float, first: int, stop: int) -> None:
    """Queue the edges of these runs."""
    best = np.empty(3, np.float64)
    for h in range(first << RUN_BITS, min(stop << RUN_BITS, len(edges.corner))):
        if h < edges.opposite[h]:
            _weigh(h, edges, mesh, tolerance, best)


@compiled
def weigh_waiting(edges: Edges, mesh: Vertices, tolerance: float) -> None:
    """Queue the edges again that waited because they are another part's neighbours."""
    best = np.empty(3, np.float64)
    for run in range(len(edges.head)):
        h = edges.head[run, WAITING]
        while h >= 0:
            take_out(h, edges)
            _weigh(h, edges, mesh, tolerance, best)
            h = edges.head[run, WAITING]


@compiled
def ended(group: Array, vertices: Array, place: Array, centre: Array) -> Array:
    """(n, 3) float32 places; `group` is led to its ends, the vertices that are left."""
    for v in range(len(group)):
        end = group[v]
        while group[end] != end:
            group[end] = group[group[end]]
            end = group[end]
        group[v] = end
    left = vertices.copy()
    for v in range(len(group)):
        if group[v] == v:
            for axis in range(3):
                left[v, axis] = np.float32(place[v, axis] + centre[axis])
    return left


@compiled
def _quadrics(vertices: Array, corner: Array, centre: Array) -> Vertices:
    """Each vertex with the squared distances to its faces' planes, weighted by their areas.

    Ten sums: xx, xy, xz, yy, yz, zz of the normals, x, y, z of normal times offset, and
    the squared offset.
    """
    place = np.empty(vertices.shape, np.float64)
    for v in range(len(vertices)):
        for axis in range(3):
            place[v, axis] = np.float64(vertices[v, axis]) - centre[axis]
    quadric = np.zeros((len(vertices), 10), np.float64)
    for h in range(0, len(corner), 3):
        a, b, c = corner[h], corner[h + 1], corner[h + 2]
        x, y, z = _normal(
            place[b, 0] - place[a, 0], place[b, 1] - place[a, 1], place[b, 2] - place[a, 2],
            place[c, 0] - place[a, 0], place[c, 1] - place[a, 1], place[c, 2] - place[a, 2],
        )  # fmt: skip
        area = np.sqrt(x * x + y * y + z * z)
        if area == 0:
            continue
        d = -(x * place[a, 0] + y * place[a, 1] + z * place[a, 2]) / area
        for v in (a, b, c):
            quadric[v, 0] += x * x / area
            quadric[v, 1] += x * y / area
            quadric[v, 2] += x * z / area
            quadric[v, 3] += y * y / area
            quadric[v, 4] += y * z / area
            quadric[v, 5] += z * z / area
            quadric[v, 6] += d * x
            quadric[v, 7] += d * y
            quadric[v, 8] += d * z
            quadric[v, 9] += d * d * area
    return Vertices(place, quadric, np.zeros(len(vertices) + 1, np.int32))


@inlined
def _weigh(h: int, edges: Edges, mesh: Vertices, tolerance: float, best: Array) -> int:
    """Put an edge into its bucket; which one, or more than any if it need not be tried."""
    error, weight = _optimum(edges.corner[h], edges.corner[following(h)], mesh, best)
    if tolerance > 0:
        # Their mean, so that many planes may lie within the bound as well as few.
        error /= weight
        if error > tolerance * tolerance:
            return BUCKETS
    bucket = 0
    if error > 1e-15:
        octave = int(np.float32(error).view(np.int32)) >> 20
        bucket = min(octave - 614, BUCKETS - 1)
    put_in(h, bucket, edges)
    return bucket


@inlined
def _optimum(a: int, b: int, mesh: Vertices, best: Array) -> tuple[float, float]:
    """Where two vertices in one lie best (into `best`), their error there, and its weight."""
    p, q = mesh.place, mesh.quadric
    xx, xy, xz = q[a, 0] + q[b, 0], q[a, 1] + q[b, 1], q[a, 2] + q[b, 2]
    yy, yz, zz = q[a, 3] + q[b, 3], q[a, 4] + q[b, 4], q[a, 5] + q[b, 5]
    x0, y0, z0 = (p[a, 0] + p[b, 0]) / 2, (p[a, 1] + p[b, 1]) / 2, (p[a, 2] + p[b, 2]) / 2
    # Half the slope of the error at the middle, and the error there.
    sx = q[a, 6] + q[b, 6]
    sy = q[a, 7] + q[b, 7]
    sz = q[a, 8] + q[b, 8]
    error = (
        (xx * x0 + 2 * (xy * y0 + xz * z0 + sx)) * x0
        + (yy * y0 + 2 * (yz * z0 + sy)) * y0
        + (zz * z0 + 2 * sz) * z0
        + q[a, 9] + q[b, 9]
    )  # fmt: skip
    sx += xx * x0 + xy * y0 + xz * z0
    sy += xy * x0 + yy * y0 + yz * z0
    sz += xz * x0 + yz * y0 + zz * z0
    weight = xx + yy + zz
    pull = _PULL * weight
    kx, ky, kz = xx + pull, yy + pull, zz + pull
    mxx, mxy, mxz = ky * kz - yz * yz, xz * yz - xy * kz, xy * yz - xz * ky
    det = kx * mxx + xy * mxy + xz * mxz
    x = y = z = 0.0
    if det > 0:
        myy, myz, mzz = kx * kz - xz * xz, xy * xz - kx * yz, kx * ky - xy * xy
        x = -(mxx * sx + mxy * sy + mxz * sz) / det
        y = -(mxy * sx + myy * sy + myz * sz) / det
        z = -(mxz * sx + myz * sy + mzz * sz) / det
        error += (
            (xx * x + 2 * (xy * y + xz * z + sx)) * x
            + (yy * y + 2 * (yz * z + sy)) * y
            + (zz * z + 2 * sz) * z
        )
    best[0], best[1], best[2] = x0 + x, y0 + y, z0 + z
    return max(error, 0.0), weight


@compiled
def work_off(
    edges: Edges,
    mesh: Vertices,
    points: Points,
    full: Full,
    group: Array,
    between: Array,
    runs: tuple[int, int],
    limits: tuple[int, int, float],
    alone: bool,
) -> int:
    """Contract the edges of some runs up to a level; how many.

    Parameters
    ----------
    group : ndarray of int32, shape (n,)
        The vertex that each vertex was joined to, or itself.
    between : ndarray of bool, shape (n,)
        Vertices of several parts.
    runs : tuple of int
        The first and the one after the last.
    limits : (int, int, float)
        The bucket that is not reached, contractions at most, and the distance up to
        which points stay near (0 for no such bound).
    alone : bool
        Whether no other part is at work: else edges beside a vertex of several parts
        are left waiting.
    """
    ceiling, most, tolerance = limits
    corner, opposite = edges.corner, edges.opposite
    best = np.empty(3, np.float64)
    ring = np.empty(_MOST, np.int32)
    moved = np.empty((65536, 2), np.int32)
    done = 0
    for run in range(runs[0], runs[1]):
        bucket = 0
        while bucket < ceiling and done < most:
            h = edges.head[run, bucket]
            if h < 0:
                bucket += 1
                continue
            take_out(h, edges)
            o = opposite[h]
            a, b = corner[h], corner[o]
            across, beyond = corner[preceding(h)], corner[preceding(o)]
            if not alone and (between[a] or between[b] or between[across] or between[beyond]):
                put_in(h, WAITING, edges)
                continue
            size, split = ring_of(h, edges, mesh.mark, ring)
            if size == 0:
                continue
            _optimum(a, b, mesh, best)
            for axis in range(3):
                # Where the file will have it.
                at = np.float64(np.float32(best[axis] + full.centre[axis]))
                best[axis] = at - full.centre[axis]
            if not _keeps_shape(corner, mesh.place, ring[:size], best):
                continue
            if tolerance > 0:
                limit = tolerance * tolerance
                if not stay_near(corner, mesh.place, full, ring[:size], best, limit):
                    continue
                if not hold_points(h, edges, mesh.place, points, ring[:size], best, limit, moved):
                    continue
            _join(h, edges, mesh, group, ring[:size], split, best)
            if between[b]:
                between[a] = True
            done += 1
            for n in range(size):
                bucket = min(bucket, _weigh(ring[n], edges, mesh, tolerance, best))
    return done


@inlined
def _keeps_shape(corner: Array, p: Array, ring: Array, best: Array) -> bool:
    """Whether no face of the ring turns far, or becomes a thin one or a thinner one."""
    for h in ring:
        v, a, b = corner[h], corner[following(h)], corner[preceding(h)]
        ax, ay, az = p[a, 0], p[a, 1], p[a, 2]
        ex, ey, ez = p[b, 0] - ax, p[b, 1] - ay, p[b, 2] - az
        ux, uy, uz = p[v, 0] - ax, p[v, 1] - ay, p[v, 2] - az
        wx, wy, wz = best[0] - ax, best[1] - ay, best[2] - az
        ox, oy, oz = _normal(ex, ey, ez, ux, uy, uz)
        nx, ny, nz = _normal(ex, ey, ez, wx, wy, wz)
        along = ox * nx + oy * ny + oz * nz
        old, new = ox * ox + oy * oy + oz * oz, nx * nx + ny * ny + nz * nz
        if not (along > 0 and along * along >= _TURN * old * new):
            return False
        sides = _sides(ex, ey, ez, wx, wy, wz)
        if 12 * new < _THIN * sides * sides:
            before = _sides(ex, ey, ez, ux, uy, uz)
            if new * before * before < old * sides * sides:
                return False
    return True


@inlined
def _sides(ex: float, ey: float, ez: float, ux: float, uy: float, uz: float) -> float:
    """Sum of the squares of a triangle's sides, two of them given."""
    return 2 * (
        ex * ex + ey * ey + ez * ez + ux * ux + uy * uy + uz * uz - ex * ux - ey * uy - ez * uz
    )


@inlined
def _normal(
    px: float, py: float, pz: float, qx: float, qy: float, qz: float
) -> tuple[float, float, float]:
    return py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx


@inlined
def _join(
    h: int, edges: Edges, mesh: Vertices, group: Array, ring: Array, split: int, best: Array
) -> None:
    """Let the edge's end become its start, at the new place."""
    corner, opposite = edges.corner, edges.opposite
    o = opposite[h]
    a, b = corner[h], corner[o]
    for g in ring:
        take_out(g, edges)
        take_out(preceding(g), edges)
    for n in range(10):
        mesh.quadric[a, n] += mesh.quadric[b, n]
    for axis in range(3):
        mesh.place[a, axis] = best[axis]
    group[b] = a
    for n in range(split, len(ring)):
        corner[ring[n]] = a
    for one, two in ((following(h), preceding(h)), (following(o), preceding(o))):
        one, two = opposite[one], opposite[two]
        opposite[one], opposite[two] = two, one
