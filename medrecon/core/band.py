"""A field without what lies far from its surface: small to store, the same surface."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.field import SoftField

# The finest surfaces read a field two voxels from a sign change (cubic interpolation),
# coarsened ones three; four leaves room.
REACH_VOXELS = 4


def flattened(field: SoftField) -> SoftField:
    """The field with its mean value inside, or outside, where no surface is near.

    Parameters
    ----------
    field : SoftField

    Returns
    -------
    SoftField
        Values within `REACH_VOXELS` of a change of sign are the field's own, signs are
        the same everywhere. Further away the value is constant on either side, so that
        the image's noise there need not be stored.
    """
    inside = field.values > 0
    far = _expanded(_uniform(inside), field.values.shape)
    values = field.values.copy(order="F")
    for side in (inside, ~inside):
        where = far & side
        count = np.count_nonzero(where)
        if count:
            mean = np.sum(values, where=where, dtype=np.float64) / count
            values[where] = _never_zero(mean, values.dtype)
    return dataclasses.replace(field, values=values)


def _uniform(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Blocks of `REACH_VOXELS` cubed that have one sign, as have all blocks around them."""
    from scipy.ndimage import maximum_filter, minimum_filter

    more = [(0, -n % REACH_VOXELS) for n in inside.shape]
    whole = np.pad(inside.T, more[::-1], mode="edge")
    low = minimum_filter(_blocks(whole, np.logical_and).view(np.uint8), 3, mode="nearest")
    high = maximum_filter(_blocks(whole, np.logical_or).view(np.uint8), 3, mode="nearest")
    return np.asarray(low == high).T


def _blocks(whole: npt.NDArray[np.bool_], join: Any) -> npt.NDArray[np.bool_]:
    """The voxels of each block joined, axis by axis, the slowest in memory first."""
    for axis in range(3):
        slices = np.moveaxis(whole, axis, 0)
        parts = [slices[n::REACH_VOXELS] for n in range(REACH_VOXELS)]
        joined = join(join(parts[0], parts[1]), join(parts[2], parts[3]))
        whole = np.moveaxis(joined, 0, axis)
    return whole


def _expanded(blocks: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    voxels = blocks.T
    for axis in (2, 1, 0):  # the fastest in memory first, while the array is small
        voxels = voxels.repeat(REACH_VOXELS, axis=axis)
    i, j, k = shape
    return voxels[:k, :j, :i].T


def _never_zero(mean: float, dtype: np.dtype[Any]) -> Any:
    """The mean in the field's own type, at least one step from zero, the sign kept."""
    if dtype.kind == "f":
        return dtype.type(mean)
    return dtype.type(int(np.copysign(max(1.0, round(abs(mean))), mean)))
