"""Where a surface is no anatomy: it closes what the scan cut off."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medrecon.core import SoftField


def at_caps(field: SoftField, points_mm: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Points beyond the outermost voxel centres, or beside voxels that were not measured.

    Parameters
    ----------
    field : SoftField
    points_mm : ndarray of float32, shape (n, 3)
        LPS.
    """
    index = field.grid.index_from_mm(points_mm)
    last = np.asarray(field.grid.shape) - 1
    # A quarter of a voxel: caps lie at one half, and a surface that meets the border
    # has its last honest vertices on the outermost centres.
    capped = ((index < -0.25) | (index > last + 0.25)).any(axis=1)
    if field.unmeasured is not None:
        capped |= _beside_unmeasured(field, index)
    return np.asarray(capped)


def _beside_unmeasured(field: SoftField, index: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    unmeasured = np.broadcast_to(np.asarray(field.unmeasured), field.values.shape)
    cell = np.floor(index - field.start).astype(np.int64)
    last = np.asarray(field.values.shape) - 1
    beside = np.zeros(len(index), np.bool_)
    for offset in np.ndindex(2, 2, 2):
        i, j, k = np.clip(cell + offset, 0, last).T
        beside |= unmeasured[i, j, k]
    return beside
