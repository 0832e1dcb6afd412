"""Coarse copies of a block of voxels, on which decisions are cheap.

What belongs to a structure (which component, inside or outside, table or patient) is
decided on blocks of voxels of one to three millimetres; where its surface lies is
taken from the native voxels only. All arrays here are (k, j, i) views in C order: the
transpose of a volume's array, without a copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import frozen
from medrecon.segmentation import pooling_loops

Factors = tuple[int, int, int]
Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]


def factors_for(spacing_kji_mm: tuple[float, float, float], target_mm: float) -> Factors:
    """Voxels per block along (k, j, i), so that a block's edge is at most `target_mm`.

    At least 1: voxels larger than the target stay as they are.
    """
    k, j, i = (max(1, int(target_mm / s + 1e-6)) for s in spacing_kji_mm)
    return k, j, i


def pool_any(mask: Mask, factors: Factors) -> Mask:
    """Whether any voxel of each block is True. A last, partial block counts."""
    return _pool(mask, factors, np.logical_or)


def pool_max(values: Array, factors: Factors) -> Array:
    """Largest value of each block, in the dtype of `values`."""
    return _pool(values, factors, np.maximum)


def pool_mean(values: Array, factors: Factors) -> npt.NDArray[np.float32]:
    """Mean of each block; of what is there in a last, partial block."""
    k, j, i = (-(-n // f) for n, f in zip(values.shape, factors, strict=True))
    found = np.empty((k, j, i), np.float32)
    pooling_loops.means(values, frozen(factors, np.int64), found)
    return found


def spread(coarse: Array, factors: Factors, shape: tuple[int, ...]) -> Array:
    """The coarse array on the fine grid: each voxel takes its block's value."""
    out = coarse
    for axis in (2, 1, 0):
        if factors[axis] > 1:
            out = np.repeat(out, factors[axis], axis=axis)
    return out[tuple(slice(0, n) for n in shape)]


def _pool(values: Array, factors: Factors, combine: np.ufunc) -> Array:
    for axis in range(3):
        step = factors[axis]
        if step == 1:
            continue
        lead = (slice(None),) * axis
        pooled = values[(*lead, slice(0, None, step))].copy()
        for offset in range(1, step):
            part = values[(*lead, slice(offset, None, step))]
            target = pooled[(*lead, slice(0, part.shape[axis]))]
            combine(target, part, out=target)
        values = pooled
    return values


def values_at(values: Array, index: npt.NDArray[np.int64]) -> Array:
    """Values at flat indices (C order) of an array that may be a view without that order."""
    k, rest = np.divmod(index, values.shape[1] * values.shape[2])
    j, i = np.divmod(rest, values.shape[2])
    return np.asarray(values[k, j, i])
