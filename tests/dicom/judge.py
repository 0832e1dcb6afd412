"""Whether an image on a grid holds the field that a plan's slices were made from."""

from __future__ import annotations

import numpy as np
from hazards import CORNERS
from series_maker import Array, Plan, field_hu


def verdict(
    values: Array,
    affine_lps: Array,
    truth: Plan,
    *,
    measured: Array | None = None,
    tolerance: float = 1.01,
    corners: bool = False,
) -> str:
    """Empty if right, else what is wrong.

    Judged are the voxels whose LPS position lies between the acquired pixel centres;
    padding and whatever the reader marks as unmeasured may hold anything, but must be
    less than a tenth of them. The grid must reach every acquired pixel.
    """
    index = np.indices(values.shape).reshape(3, -1).T
    points = index @ affine_lps[:3, :3].T + affine_lps[:3, 3]
    inside = _acquired(points, truth, corners=corners)
    if not inside.any():
        return "nothing of the scanned region is in the image"
    missing = _beyond(affine_lps, values.shape, truth)
    if missing > 0.02:
        return f"the image ends {missing:.1f} voxels before the scanned region does"
    judged = inside if measured is None else inside & measured.reshape(-1)
    if judged.sum() < 0.9 * inside.sum():
        return "a tenth and more of the scanned region is marked as unmeasured"
    error = np.abs(values.reshape(-1)[judged] - field_hu(points[judged], truth.slopes)).max()
    return f"values differ by up to {error:.1f}" if not error <= tolerance else ""


def _acquired(points: Array, truth: Plan, *, corners: bool) -> Array:
    """Points that lie between pixel centres of the two slices next to them."""
    normal = truth.normal
    order = np.argsort(truth.positions @ normal)
    positions = truth.positions[order]
    heights = positions @ normal
    h = points @ normal
    upper = np.clip(np.searchsorted(heights, h), 1, len(heights) - 1)
    inside = (h >= heights[0] - 1e-3) & (h <= heights[-1] + 1e-3)
    for n in (upper - 1, upper):
        at = points - positions[n]
        i = at @ np.asarray(truth.row) / truth.spacing[0]
        j = at @ np.asarray(truth.column) / truth.spacing[1]
        inside &= (i > -1e-3) & (i < truth.shape[0] - 1 + 1e-3)
        inside &= (j > -1e-3) & (j < truth.shape[1] - 1 + 1e-3)
        if corners:
            ii = np.clip(np.rint(i).astype(int), 0, truth.shape[0] - 1)
            jj = np.clip(np.rint(j).astype(int), 0, truth.shape[1] - 1)
            inside &= ~CORNERS[jj, ii]
    return np.asarray(inside)


def _beyond(affine_lps: Array, shape: tuple[int, ...], truth: Plan) -> float:
    """Voxels by which the farthest acquired pixel centre lies outside the grid."""
    ends = np.concatenate(
        [
            truth.points(k)[:: truth.shape[1] - 1, :: truth.shape[0] - 1].reshape(-1, 3)
            for k in range(len(truth.positions))
        ]
    )
    index = (ends - affine_lps[:3, 3]) @ np.linalg.inv(affine_lps[:3, :3]).T
    over = np.maximum(-index, index - (np.asarray(shape) - 1))
    return float(over.max())
