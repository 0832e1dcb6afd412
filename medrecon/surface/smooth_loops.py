"""Compiled loops of `smooth`: filters over what surrounds each vertex, volumes.

Each loop over vertices reads everything and writes its own vertices only, so that parts
of it can run at once and the result is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def next_polynomial(
    now: Array,
    older: Array,
    total: Array,
    star: tuple[Array, Array, Array],
    factor: float,
    weight: float,
    first: int,
    stop: int,
) -> None:
    """The next Chebyshev polynomial of 1 − half the Laplacian, in the place of the one before.

    `factor` is 1, and 1/2 for the first, before which there is 0. Added to the total with
    its weight.
    """
    start, ahead, _ = star
    for v in range(first, stop):
        around = start[v + 1] - start[v]
        x = y = z = 0.0
        for n in range(start[v], start[v + 1]):
            w = ahead[n]
            x += now[w, 0]
            y += now[w, 1]
            z += now[w, 2]
        share = 1.0 / around if around else 0.0
        if not around:
            x, y, z, share = now[v, 0], now[v, 1], now[v, 2], 1.0
        older[v, 0] = factor * (now[v, 0] + x * share) - older[v, 0]
        older[v, 1] = factor * (now[v, 1] + y * share) - older[v, 1]
        older[v, 2] = factor * (now[v, 2] + z * share) - older[v, 2]
        for axis in range(3):
            total[v, axis] += weight * older[v, axis]


@compiled
def towards_mean(
    now: Array, moved: Array, star: tuple[Array, Array, Array], factor: float, first: int, stop: int
) -> None:
    """Vertices by that part of the way to the mean of their neighbours."""
    start, ahead, _ = star
    for v in range(first, stop):
        around = start[v + 1] - start[v]
        for axis in range(3):
            total = 0.0
            for n in range(start[v], start[v + 1]):
                total += now[ahead[n], axis]
            mean = total / around if around else now[v, axis]
            moved[v, axis] = now[v, axis] + factor * (mean - now[v, axis])


@compiled
def area_vectors(
    place: Array, star: tuple[Array, Array, Array], vector: Array, first: int, stop: int
) -> None:
    """Six times the slope of the volume at each vertex: twice its faces' area, outward."""
    start, ahead, behind = star
    for v in range(first, stop):
        x = y = z = 0.0
        for n in range(start[v], start[v + 1]):
            a, b = ahead[n], behind[n]
            ax, ay, az = place[a, 0], place[a, 1], place[a, 2]
            bx, by, bz = place[b, 0], place[b, 1], place[b, 2]
            x += ay * bz - az * by
            y += az * bx - ax * bz
            z += ax * by - ay * bx
        vector[v, 0], vector[v, 1], vector[v, 2] = x, y, z


@compiled
def volumes(place: Array, vector: Array, piece: Array, pieces: int) -> tuple[Array, Array]:
    """Volume of each piece, and by how much it grows if all vertices go out by one."""
    volume, growth = np.zeros(pieces), np.zeros(pieces)
    for v in range(len(place)):
        p = piece[v]
        if p < 0:
            continue
        x, y, z = vector[v, 0], vector[v, 1], vector[v, 2]
        volume[p] += (place[v, 0] * x + place[v, 1] * y + place[v, 2] * z) / 18
        growth[p] += np.sqrt(x * x + y * y + z * z) / 6
    return volume, growth


@compiled
def step_outwards(
    before: Array,
    place: Array,
    vector: Array,
    piece: Array,
    offset: Array,
    limit: float,
    first: int,
    stop: int,
) -> None:
    """Vertices along their area vectors by their piece's offset, then as near as allowed."""
    for v in range(first, stop):
        x, y, z = vector[v, 0], vector[v, 1], vector[v, 2]
        length = np.sqrt(x * x + y * y + z * z)
        by = offset[piece[v]] / length if piece[v] >= 0 and length > 0 else 0.0
        x = place[v, 0] + by * x - before[v, 0]
        y = place[v, 1] + by * y - before[v, 1]
        z = place[v, 2] + by * z - before[v, 2]
        length = np.sqrt(x * x + y * y + z * z)
        part = limit / length if length > limit else 1.0
        place[v, 0] = before[v, 0] + part * x
        place[v, 1] = before[v, 1] + part * y
        place[v, 2] = before[v, 2] + part * z


@compiled
def on_the_way(
    before: Array, after: Array, part: Array, centre: Array, place: Array, first: int, stop: int
) -> None:
    """Float32 places a part of the way from one to the other, the centre added again."""
    for v in range(first, stop):
        for axis in range(3):
            way = after[v, axis] - before[v, axis]
            place[v, axis] = np.float32(before[v, axis] + part[v] * way + centre[axis])


@compiled
def turned(
    before: Array, after: Array, faces: Array, asked: Array, found: Array, first: int, stop: int
) -> None:
    """Whether each face that is asked about looks to the other side, or has lost its area."""
    for f in range(first, stop):
        found[f] = False
        if not asked[f]:
            continue
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        along = 0.0
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            along += _normal(before, a, b, c, j, k) * _normal(after, a, b, c, j, k)
        found[f] = along <= 0


@compiled
def _normal(place: Array, a: int, b: int, c: int, j: int, k: int) -> float:
    """One component of a face's area vector."""
    pj = np.float64(place[b, j]) - np.float64(place[a, j])
    pk = np.float64(place[b, k]) - np.float64(place[a, k])
    qj = np.float64(place[c, j]) - np.float64(place[a, j])
    qk = np.float64(place[c, k]) - np.float64(place[a, k])
    return float(pj * qk - pk * qj)


@compiled
def volume_and_area(place: Array, faces: Array) -> tuple[float, float]:
    """Six times the volume, and twice the area, from the first vertex on."""
    volume = area = 0.0
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        x = _normal(place, a, b, c, 1, 2)
        y = _normal(place, a, b, c, 2, 0)
        z = _normal(place, a, b, c, 0, 1)
        area += np.sqrt(x * x + y * y + z * z)
        volume += (
            (np.float64(place[a, 0]) - np.float64(place[0, 0])) * x
            + (np.float64(place[a, 1]) - np.float64(place[0, 1])) * y
            + (np.float64(place[a, 2]) - np.float64(place[0, 2])) * z
        )
    return volume, area
