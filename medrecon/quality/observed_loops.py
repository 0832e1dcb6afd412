"""Compiled loop of `observed`."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def sum_inside(field: Array, image: Array) -> tuple[float, int]:
    """Sum of an image where a field is positive, and over how many voxels; both (k, j, i)."""
    planes, rows, width = field.shape
    total, count = 0.0, 0
    for k in range(planes):
        for j in range(rows):
            for i in range(width):
                if field[k, j, i] > 0:
                    total += image[k, j, i]
                    count += 1
    return total, count
