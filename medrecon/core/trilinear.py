"""What a grid of samples says between its voxel centres."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def sample_with_gradient(
    values: npt.NDArray[Any], index: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Trilinear value and its gradient at continuous voxel indices.

    Beyond the first and last centres the border value is continued unchanged.

    Parameters
    ----------
    values : ndarray, shape (i, j, k)
        Read in place; only the corners that are needed are converted.
    index : ndarray of float64, shape (n, 3)

    Returns
    -------
    value : ndarray of float64, shape (n,)
    gradient : ndarray of float64, shape (n, 3)
        Per voxel step along i, j and k.
    """
    last = np.asarray(values.shape) - 1
    cell = np.floor(index).astype(np.int64)
    t = index - cell
    corner = [_corner(values, np.clip(cell + offset, 0, last)) for offset in np.ndindex(2, 2, 2)]
    x, y, z = t[:, 0], t[:, 1], t[:, 2]
    # Along k, then j, then i; a difference taken before an interpolation is a slope.
    c00, c01, c10, c11 = (corner[2 * n] + (corner[2 * n + 1] - corner[2 * n]) * z for n in range(4))
    d00, d01, d10, d11 = (corner[2 * n + 1] - corner[2 * n] for n in range(4))
    c0, c1 = c00 + (c01 - c00) * y, c10 + (c11 - c10) * y
    d0, d1 = d00 + (d01 - d00) * y, d10 + (d11 - d10) * y
    slope_j = (c01 - c00) + ((c11 - c10) - (c01 - c00)) * x
    gradient = np.stack([c1 - c0, slope_j, d0 + (d1 - d0) * x], axis=1)
    return c0 + (c1 - c0) * x, gradient


def _corner(values: npt.NDArray[Any], voxel: npt.NDArray[np.int64]) -> FloatArray:
    found: FloatArray = values[voxel[:, 0], voxel[:, 1], voxel[:, 2]].astype(np.float64)
    return found
