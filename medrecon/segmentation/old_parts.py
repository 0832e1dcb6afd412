"""The parts of a segmentation after its boundary was placed: none lost, none joined, none made."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt
from scipy.ndimage import label as connected

from medrecon.core.geometry import Triple
from medrecon.segmentation.crumbs import gone, sweep

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

CRUMB = 8
"""Voxels of the smallest piece that the placing of an edge may leave beside a larger one."""


def with_old_parts(
    values: npt.NDArray[Any], before: Mask, spacing_mm: Triple
) -> npt.NDArray[np.float32]:
    """A field's values with the parts that there were, and without crumbs and pin-holes.

    A part of which nothing is left comes back as it was: a boundary is placed here, what
    there is was found before. Parts that have grown together are parted last, so that
    nothing joins them again.

    Parameters
    ----------
    values : ndarray, shape (i, j, k)
        Positive inside.
    before : ndarray of bool, shape (i, j, k)
        What was inside before.
    spacing_mm : tuple of float

    Returns
    -------
    ndarray of float32, shape (i, j, k)
    """
    found = np.array(values.T, np.float32, order="C")
    was = np.ascontiguousarray(before.T)
    np.abs(found, out=found, where=gone(found, was))
    sweep(found, was, CRUMB)
    sweep(found, ~was, CRUMB, holes=True)
    return _apart(found.T, before, spacing_mm)


def _apart(values: Floats, before: Mask, spacing_mm: Triple) -> Floats:
    """Where two old parts have grown together, the voxels half-way between are outside."""
    old, count = connected(before)
    if count < 2:
        return values
    new, _ = connected(values > 0, np.ones((3, 3, 3)))
    if not _joined(old, new):
        return values
    index = distance_transform_edt(
        old == 0, spacing_mm, return_distances=False, return_indices=True
    )
    owner = old[tuple(index)]
    between = np.zeros(before.shape, np.bool_)
    for axis in range(3):
        a, b = np.moveaxis(owner, axis, 0), np.moveaxis(between, axis, 0)
        differ = a[1:] != a[:-1]
        b[1:] |= differ
        b[:-1] |= differ
    wrong = between & (values > 0) & ~before
    return np.where(wrong, -np.abs(values), values)


def _joined(old: npt.NDArray[np.int32], new: npt.NDArray[np.int32]) -> bool:
    """Whether a new part holds two old ones."""
    both = (old > 0) & (new > 0)
    pairs = np.unique(np.stack([new[both], old[both]]), axis=1)
    return bool(len(pairs[0]) > len(np.unique(pairs[0])))
