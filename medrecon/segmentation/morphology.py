"""Dilation, erosion and filling of masks by whole-array shifts.

Box-shaped, separable, with a radius for each axis: on the coarse masks where they are
used this is several times faster than a general structuring element. The outside of
the array is neutral: it neither grows into the mask nor eats it, so an anatomy that
leaves the scan is not eroded at the cut.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from medrecon.core.runs import IN_PLANE_FOUR, Runs
from medrecon.segmentation.pooling import Array, Mask

Radii = tuple[int, int, int]
SIX = ndi.generate_binary_structure(3, 1)
TWENTYSIX = ndi.generate_binary_structure(3, 3)


def radii_for(spacing_kji_mm: tuple[float, float, float], radius_mm: float) -> Radii:
    """Voxels along (k, j, i) nearest to a radius in mm; 0 where a voxel is far larger."""
    k, j, i = (int(radius_mm / s + 0.5) for s in spacing_kji_mm)
    return k, j, i


def dilate(mask: Mask, radii: Radii) -> Mask:
    """The mask grown by a box of `radii` voxels to each side."""
    for axis, radius in enumerate(radii):
        for _ in range(radius):
            grown = mask.copy()
            low, high = _neighbours(axis)
            grown[low] |= mask[high]
            grown[high] |= mask[low]
            mask = grown
    return mask


def grow_inside(mask: Mask, room: Mask, radii: Radii) -> Mask:
    """The mask grown by at most `radii` voxels along paths that never leave `room`."""
    for step in range(max(radii)):
        one = tuple(int(step < r) for r in radii)
        mask = dilate(mask, (one[0], one[1], one[2])) & room
    return mask


def erode(mask: Mask, radii: Radii) -> Mask:
    """The mask shrunk by a box of `radii` voxels from each side; not at the array's faces."""
    return ~dilate(~mask, radii)


def opened(mask: Mask, radii: Radii) -> Mask:
    """The parts of the mask that hold a box of `radii` voxels."""
    return dilate(erode(mask, radii), radii) & mask


def closed(mask: Mask, radii: Radii) -> Mask:
    """The mask with gaps narrower than the box closed."""
    return erode(dilate(mask, radii), radii) | mask


def fill_slices(mask: Mask, axis: int = 0) -> Mask:
    """The mask with the holes of each plane across `axis` filled."""
    planes = np.moveaxis(mask, axis, 0)
    free = Runs.of(~planes, IN_PLANE_FOUR)
    rim = np.ones(planes.shape, dtype=bool)
    rim[:, 1:-1, 1:-1] = False
    return np.moveaxis(planes | free.mask(~free.holding(rim)), 0, axis)


def mean_in(labels: Array, count: int, values: Array) -> Array:
    """Mean of the values over each of `count` components, from label 1 on."""
    where = np.flatnonzero(labels)
    which = labels.reshape(-1)[where]
    total = np.bincount(which, values.reshape(-1)[where], count + 1)
    return total[1:] / np.maximum(np.bincount(which, minlength=count + 1)[1:], 1)


def bounding_box(mask: Mask) -> tuple[slice, slice, slice] | None:
    """Smallest block that holds every True voxel; None if there is none."""
    spans = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hits = np.flatnonzero(mask.any(axis=others))
        if len(hits) == 0:
            return None
        spans.append(slice(int(hits[0]), int(hits[-1]) + 1))
    return spans[0], spans[1], spans[2]


def _neighbours(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
    high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
    return low, high
