"""Compiled loops of `volume`: how much of each cell between eight samples is inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]

WEAKEST = 1e-3
"""A cell whose gradient is weaker than this part of the others' sum along an axis counts
as that weak: the closed formula divides by all three. Moves the result by under 1e-4."""


@inlined
def _above(reach: float, side: float) -> float:
    past = max(reach - side, 0.0)
    return past * past * past


@inlined
def _part(a: Array, b: Array, c: Array, d: Array, low: int, high: int) -> float:
    """Positive part of the cell between two samples of four rows, linear with its mean slope."""
    n0, n1, n2, n3 = float(a[low]), float(b[low]), float(c[low]), float(d[low])
    n4, n5, n6, n7 = float(a[high]), float(b[high]), float(c[high]), float(d[high])
    mean = (n0 + n1 + n2 + n3 + n4 + n5 + n6 + n7) / 8
    x = abs(n4 + n5 + n6 + n7 - n0 - n1 - n2 - n3) / 4
    y = abs(n1 + n3 + n5 + n7 - n0 - n2 - n4 - n6) / 4
    z = abs(n2 + n3 + n6 + n7 - n0 - n1 - n4 - n5) / 4
    least = WEAKEST * (x + y + z)
    if least == 0:
        return 1.0 if mean > 0 else 0.0
    x, y, z = max(x, least), max(y, least), max(z, least)
    total = x + y + z
    # Measured from the lowest corner; the part below the plane by inclusion-exclusion.
    reach = min(max(mean + total / 2, 0.0), total)
    cubes = reach * reach * reach - _above(reach, x) - _above(reach, y) - _above(reach, z)
    cubes += _above(reach, x + y) + _above(reach, y + z) + _above(reach, z + x)
    return min(max(cubes / (6 * x * y * z), 0.0), 1.0)


@compiled
def inside_cells(values: Array) -> float:
    """Cells inside, in voxels, of (k, j, i) values that go on to their voxels' outer edges."""
    planes, rows, width = values.shape
    inside = np.empty(width, np.int8)
    total = 0.0
    for k in range(-1, planes):
        weight_k = 0.5 if k in (-1, planes - 1) else 1.0
        lower, upper = values[max(k, 0)], values[min(k + 1, planes - 1)]
        for j in range(-1, rows):
            weight = weight_k * (0.5 if j in (-1, rows - 1) else 1.0)
            a, b = lower[max(j, 0)], lower[min(j + 1, rows - 1)]
            c, d = upper[max(j, 0)], upper[min(j + 1, rows - 1)]
            for i in range(width):
                inside[i] = (a[i] > 0) + (b[i] > 0) + (c[i] > 0) + (d[i] > 0)
            # Beyond the outermost samples a cell is half as wide, and both its ends alike.
            for i in (0, width - 1):
                if inside[i]:
                    full = inside[i] == 4
                    total += weight / 2 * (1.0 if full else _part(a, b, c, d, i, i))
            for i in range(width - 1):
                corners = inside[i] + inside[i + 1]
                if corners == 8:
                    total += weight
                elif corners:
                    total += weight * _part(a, b, c, d, i, i + 1)
    return total


@compiled
def fractions(values: Array, out: Array) -> None:
    """Positive part of each cell between (k, j, i) values; `out` is one shorter each way."""
    for k in range(out.shape[0]):
        for j in range(out.shape[1]):
            a, b = values[k, j], values[k, j + 1]
            c, d = values[k + 1, j], values[k + 1, j + 1]
            for i in range(out.shape[2]):
                corners = 0
                for n in (i, i + 1):
                    corners += (a[n] > 0) + (b[n] > 0) + (c[n] > 0) + (d[n] > 0)
                if corners == 8:
                    out[k, j, i] = 1
                elif corners == 0:
                    out[k, j, i] = 0
                else:
                    out[k, j, i] = _part(a, b, c, d, i, i + 1)
