"""Compiled loop of `stl`: triangles as their 50 bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]


@compiled
def pack(vertices: Array, faces: Array, records: Array) -> None:
    """Put down unit normal, three corners and an empty attribute of each triangle.

    A triangle's 50 bytes are no multiple of a float's four, so numbers are put down as
    halves of two bytes.

    Parameters
    ----------
    vertices : ndarray of float32, shape (n, 3)
    faces : ndarray of int32, shape (m, 3)
    records : ndarray of uint16, shape (m or more, 25)
        The normal of a triangle without area is 0.
    """
    halves = vertices.view(np.uint16)
    normal = np.empty(3, np.float32)
    normal_halves = normal.view(np.uint16)
    for n in range(len(faces)):
        a, b, c = faces[n]
        _unit_normal(vertices[a], vertices[b], vertices[c], normal)
        row = records[n]
        for h in range(6):
            row[h] = normal_halves[h]
            row[6 + h] = halves[a, h]
            row[12 + h] = halves[b, h]
            row[18 + h] = halves[c, h]
        row[24] = 0


@inlined
def _unit_normal(a: Array, b: Array, c: Array, normal: Array) -> None:
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = np.sqrt(x * x + y * y + z * z)
    if length == 0:
        length = np.float32(1)
    normal[0], normal[1], normal[2] = x / length, y / length, z / length
