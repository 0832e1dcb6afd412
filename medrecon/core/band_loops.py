"""Compiled loops of `band`: signs of blocks, and means far from every change of sign."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]

REACH_VOXELS = 4
"""Edge of a block."""


@compiled
def signs_of_blocks(values: Array) -> Array:
    """What is in each block of (k, j, i) values: 1 inside, 2 outside, 3 both."""
    planes, rows, width = values.shape
    i = -(-width // REACH_VOXELS)
    signs = np.zeros((-(-planes // REACH_VOXELS), -(-rows // REACH_VOXELS), i), np.uint8)
    for plane in range(planes):
        for row in range(rows):
            block = signs[plane // REACH_VOXELS, row // REACH_VOXELS]
            line = values[plane, row]
            for n in range(i):
                bits = np.uint8(0)
                for at in range(n * REACH_VOXELS, min((n + 1) * REACH_VOXELS, width)):
                    bits |= np.uint8(1) if line[at] > 0 else np.uint8(2)
                block[n] |= bits
    return signs


@compiled
def with_neighbours(signs: Array) -> Array:
    """The same of each block and the 26 around it."""
    planes, rows, width = signs.shape
    found = np.zeros(signs.shape, np.uint8)
    for k in range(planes):
        for j in range(rows):
            for i in range(width):
                bits = np.uint8(0)
                for a in range(max(k - 1, 0), min(k + 2, planes)):
                    for b in range(max(j - 1, 0), min(j + 2, rows)):
                        for c in range(max(i - 1, 0), min(i + 2, width)):
                            bits |= signs[a, b, c]
                found[k, j, i] = bits
    return found


@compiled
def sums_far(values: Array, signs: Array) -> tuple[Array, Array]:
    """Sum and number of the values in blocks of sign 1 (inside) and 2 (outside)."""
    planes, rows, width = values.shape
    total, count = np.zeros(3), np.zeros(3, np.int64)
    for k in range(planes):
        for j in range(rows):
            block = signs[k // REACH_VOXELS, j // REACH_VOXELS]
            for i in range(width):
                sign = block[i // REACH_VOXELS]
                if sign < 3:
                    total[sign] += values[k, j, i]
                    count[sign] += 1
    return total, count


@compiled
def fill_far(values: Array, signs: Array, mean: Array, out: Array) -> None:
    """The values in `out`, with `mean[sign]` in blocks of sign 1 and 2."""
    planes, rows, width = values.shape
    for k in range(planes):
        for j in range(rows):
            block = signs[k // REACH_VOXELS, j // REACH_VOXELS]
            for i in range(width):
                sign = block[i // REACH_VOXELS]
                out[k, j, i] = mean[sign] if sign < 3 else values[k, j, i]
