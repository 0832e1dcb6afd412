"""Compiled loops of `pooling`: voxels of an image as blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def means(values: Array, factors: Array, out: Array) -> None:
    """Mean of each block of (k, j, i) values, of what is there in a last, partial block."""
    planes, rows, width = values.shape
    sums = np.zeros(out.shape[2], np.float64)
    for k in range(out.shape[0]):
        last_k = min((k + 1) * factors[0], planes)
        for j in range(out.shape[1]):
            last_j = min((j + 1) * factors[1], rows)
            sums[:] = 0
            for plane in range(k * factors[0], last_k):
                for row in range(j * factors[1], last_j):
                    line = values[plane, row]
                    for i in range(out.shape[2]):
                        for at in range(i * factors[2], min((i + 1) * factors[2], width)):
                            sums[i] += line[at]
            deep, high = last_k - k * factors[0], last_j - j * factors[1]
            for i in range(out.shape[2]):
                wide = min((i + 1) * factors[2], width) - i * factors[2]
                out[k, j, i] = sums[i] / (deep * high * wide)


@compiled
def dense_voxels(hu: Array, level: float, near: Array, factors: Array, out: Array) -> None:
    """Set (k, j, i) voxels above a level to True where their block is near."""
    planes, rows, width = hu.shape
    for k in range(planes):
        for j in range(rows):
            blocks = near[k // factors[0], j // factors[1]]
            for n in range(len(blocks)):
                if blocks[n]:
                    for i in range(n * factors[2], min((n + 1) * factors[2], width)):
                        out[k, j, i] = hu[k, j, i] > level


@compiled
def owners(
    index: Array, start: Array, label: Array, shape: Array, factors: Array, out: Array
) -> None:
    """Number (from 1) of a component with voxels in each block.

    `index` holds flat indices of voxels, run after run; runs begin at `start` in it.
    """
    for run in range(len(start)):
        stop = start[run + 1] if run + 1 < len(start) else len(index)
        for n in range(start[run], stop):
            k, rest = divmod(index[n], shape[1] * shape[2])
            j, i = divmod(rest, shape[2])
            out[k // factors[0], j // factors[1], i // factors[2]] = label[run] + 1
