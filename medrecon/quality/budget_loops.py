"""Compiled loop of `budget`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def volume_and_area(vertices: Array, faces: Array, centre: Array) -> tuple[float, float]:
    """Signed volume, by tetrahedra with `centre`, and area of a surface; float64."""
    volume = area = 0.0
    for face in faces:
        a, b, c = vertices[face[0]], vertices[face[1]], vertices[face[2]]
        ax, ay, az = a[0] - centre[0], a[1] - centre[1], a[2] - centre[2]
        bx, by, bz = b[0] - centre[0] - ax, b[1] - centre[1] - ay, b[2] - centre[2] - az
        cx, cy, cz = c[0] - centre[0] - ax, c[1] - centre[1] - ay, c[2] - centre[2] - az
        nx, ny, nz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        volume += ax * nx + ay * ny + az * nz
        area += np.sqrt(nx * nx + ny * ny + nz * nz)
    return volume / 6, area / 2
