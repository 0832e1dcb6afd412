"""Where a structure ends only because the scan does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medrecon.core import SoftField, Volume


def is_truncated(field: SoftField, volume: Volume) -> bool:
    """Whether the structure reaches the grid's border or a voxel that nobody measured.

    Parameters
    ----------
    field : SoftField
        On the volume's grid.
    volume : Volume
        Its `unmeasured` marks padding, the outside of the reconstruction circle and
        filled gaps.
    """
    return reaches_border(field) or _reaches_unmeasured(field, volume)


def crosses_filled_gap(field: SoftField, volume: Volume) -> bool:
    """Whether the structure runs through slices that were interpolated, not scanned.

    A filled gap is a run of whole slices without a measurement.
    """
    if volume.unmeasured is None:
        return False
    block = _unmeasured_block(field, volume)
    gap = block.all(axis=(0, 1))
    return bool(gap.any() and (field.values[:, :, gap] > 0).any())


def reaches_border(field: SoftField) -> bool:
    """Whether the structure reaches the border of its grid."""
    ends = zip(field.start, field.values.shape, field.grid.shape, strict=True)
    for axis, (start, size, grid) in enumerate(ends):
        values = np.moveaxis(field.values, axis, 0)
        if start == 0 and (values[0] > 0).any():
            return True
        if start + size == grid and (values[-1] > 0).any():
            return True
    return False


def _reaches_unmeasured(field: SoftField, volume: Volume) -> bool:
    """Whether an inside voxel is unmeasured, or has an unmeasured face neighbour."""
    if volume.unmeasured is None:
        return False
    inside = field.values > 0
    block = _unmeasured_block(field, volume)
    if (inside & block).any():
        return True
    for axis in range(3):
        a, b = np.moveaxis(inside, axis, 0), np.moveaxis(block, axis, 0)
        if (a[1:] & b[:-1]).any() or (a[:-1] & b[1:]).any():
            return True
    return False


def _unmeasured_block(field: SoftField, volume: Volume) -> npt.NDArray[np.bool_]:
    return np.broadcast_to(np.asarray(volume.unmeasured), volume.geometry.shape)[field.slices]
