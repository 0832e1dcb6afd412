"""Compiled loop of `solid`: on which side of a surface points lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled
from medrecon.core.triangle_loops import dot, foot

Array = npt.NDArray[Any]

# Weights of two corners that add up to 1 but for rounding: the point lies on their edge.
_ON_EDGE = 1 - 1e-12


@compiled
def sides(
    points: Array,
    squared: Array,
    face: Array,
    vertices: Array,
    faces: Array,
    star: tuple[Array, Array, Array],
) -> tuple[Array, Array]:
    """Signed distances, and where on each point's nearest face the nearest place lies.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 3)
    squared : ndarray of float64, shape (n,)
        Squared distance to the surface.
    face : ndarray of int32, shape (n,)
        The nearest face.
    vertices, faces : ndarray of float32, shape (v, 3), and of int32, shape (m, 3)
    star : tuple of ndarray
        `star_loops.stars`.
    """
    distance, where = np.empty(len(points)), np.empty((len(points), 3))
    corner, side, normal = np.empty((3, 3)), np.empty(3), np.empty(3)
    for n in range(len(points)):
        for c in range(3):
            for axis in range(3):
                corner[c, axis] = vertices[faces[face[n], c], axis]
        ax, ay, az = corner[0, 0], corner[0, 1], corner[0, 2]
        bx, by, bz = corner[1, 0] - ax, corner[1, 1] - ay, corner[1, 2] - az
        cx, cy, cz = corner[2, 0] - ax, corner[2, 1] - ay, corner[2, 2] - az
        px, py, pz = points[n, 0] - ax, points[n, 1] - ay, points[n, 2] - az
        s, t = foot(
            dot(bx, by, bz, bx, by, bz),
            dot(bx, by, bz, cx, cy, cz),
            dot(cx, cy, cz, cx, cy, cz),
            dot(px, py, pz, bx, by, bz),
            dot(px, py, pz, cx, cy, cz),
        )
        where[n, 0], where[n, 1] = ax + s * bx + t * cx, ay + s * by + t * cy
        where[n, 2] = az + s * bz + t * cz
        normal[:] = 0.0
        _add_unit_normal(normal, corner, 1.0)
        first = second = -1
        if s + t >= _ON_EDGE:
            first, second = 1, 2
        if t == 0:
            first, second = 0, 1
        if s == 0:
            first, second = 2, 0
        if s == 1 or t == 1 or (s == 0 and t == 0):
            at = 1 if s == 1 else 2 if t == 1 else 0
            _normal_at(normal, faces[face[n], at], vertices, star, corner)
        elif first >= 0:
            p, q = faces[face[n], first], faces[face[n], second]
            _add_twin(normal, p, q, vertices, star, corner)
        for axis in range(3):
            side[axis] = points[n, axis] - where[n, axis]
        turn = dot(side[0], side[1], side[2], normal[0], normal[1], normal[2])
        distance[n] = np.sqrt(squared[n])
        if turn < 0:
            distance[n] = -distance[n]
    return distance, where


@compiled
def _add_unit_normal(normal: Array, corner: Array, weight: float) -> None:
    bx, by, bz = (
        corner[1, 0] - corner[0, 0],
        corner[1, 1] - corner[0, 1],
        corner[1, 2] - corner[0, 2],
    )
    cx, cy, cz = (
        corner[2, 0] - corner[0, 0],
        corner[2, 1] - corner[0, 1],
        corner[2, 2] - corner[0, 2],
    )
    x, y, z = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    length = np.sqrt(dot(x, y, z, x, y, z))
    if length > 0:
        normal[0] += weight * x / length
        normal[1] += weight * y / length
        normal[2] += weight * z / length


@compiled
def _add_twin(
    normal: Array,
    p: int,
    q: int,
    vertices: Array,
    star: tuple[Array, Array, Array],
    corner: Array,
) -> None:
    """The normal of the face on the other side of an edge that runs from p to q here."""
    start, ahead, behind = star
    for n in range(start[q], start[q + 1]):
        if ahead[n] == p:
            for axis in range(3):
                corner[0, axis], corner[1, axis] = vertices[q, axis], vertices[p, axis]
                corner[2, axis] = vertices[behind[n], axis]
            _add_unit_normal(normal, corner, 1.0)


@compiled
def _normal_at(
    normal: Array, v: int, vertices: Array, star: tuple[Array, Array, Array], corner: Array
) -> None:
    """The mean of the normals around a vertex, each as heavy as its face's angle there."""
    start, ahead, behind = star
    normal[:] = 0.0
    for n in range(start[v], start[v + 1]):
        for axis in range(3):
            corner[0, axis] = vertices[v, axis]
            corner[1, axis] = vertices[ahead[n], axis]
            corner[2, axis] = vertices[behind[n], axis]
        bx, by = corner[1, 0] - corner[0, 0], corner[1, 1] - corner[0, 1]
        bz = corner[1, 2] - corner[0, 2]
        cx, cy = corner[2, 0] - corner[0, 0], corner[2, 1] - corner[0, 1]
        cz = corner[2, 2] - corner[0, 2]
        x, y, z = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        angle = np.arctan2(np.sqrt(dot(x, y, z, x, y, z)), dot(bx, by, bz, cx, cy, cz))
        _add_unit_normal(normal, corner, angle)
