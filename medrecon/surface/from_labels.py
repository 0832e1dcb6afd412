"""Fields from a label map that someone else made: the best that a mask alone can say.

A mask says of each voxel centre on which side it lies, and nothing more. The field
made here agrees with it in every centre, so the surface crosses each grid edge that it
must cross and no other: it stays within half a voxel of the mask's, and thin walls and
single voxels stay. Between these bounds it is smooth, by a filter that leaves parabolas
as they are, and raised or lowered until it holds the mask's volume: nothing shrinks, as
it does under a blur.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Label, LabelMap, SoftField
from medrecon.core.compiled import frozen
from medrecon.core.threads import cores
from medrecon.surface import label_loops
from medrecon.surface.between_slices import Slices, finer_grid, thick_axis
from medrecon.surface.smooth_mask import Floats, smoothest

Boxes = npt.NDArray[np.int32]

_MARGIN = 3
"""Voxels around a label's own that its block holds, so that the field can fall off."""


def fields_from_labels(labels: LabelMap) -> tuple[SoftField, ...]:
    """One field for each label that occurs, on a block around it, in the labels' order.

    One pass over the map finds all labels' boxes; what a label costs goes with its box.
    Where voxels are at least twice as long along one axis as along the others, the
    fields are on a grid with slices between the slices, the same for all labels.

    The fields' signs are the map's in every voxel of the map, so labels exclude one
    another there: `shared.extract_shared` draws what is between two of them once.
    """
    boxes = _boxes(labels)
    grid = grid_of_fields(labels.geometry)
    there = [
        (label, boxes[label.index])
        for label in sorted(labels.labels, key=lambda x: x.index)
        if label.index < len(boxes) and boxes[label.index, 1, 0] > 0
    ]
    at_once = min(cores(), len(there))
    work = partial(_field, labels, grid, threads=len(there) <= at_once)
    # The loops let go of Python's lock: as many labels at a time as there are cores.
    with ThreadPoolExecutor(max(at_once, 1)) as pool:
        return tuple(pool.map(lambda found: work(*found), there))


def _boxes(labels: LabelMap) -> Boxes:
    """(n, 2, 3) first voxel and the one beyond the last of each number's box, 0 without one."""
    box = np.zeros((np.iinfo(labels.array.dtype).max + 1, 2, 3), np.int32)
    for k, plane in enumerate(labels.array.T):
        label_loops.widen_boxes(frozen(plane, np.uint16), k, box)
    return box


def _field(
    labels: LabelMap, grid: Geometry, label: Label, box: Boxes, *, threads: bool
) -> SoftField:
    axis, factor = thick_axis(labels.geometry.spacing_mm)
    start, mask = _block(labels, label, box)
    start[axis] *= factor
    values = smoothest_field(mask, labels.geometry.spacing_mm, threads=threads)
    return SoftField(label, values, grid, (start[0], start[1], start[2]))


def grid_of_fields(geometry: Geometry) -> Geometry:
    """The grid of the fields of a label map: its own, or one with slices added."""
    return finer_grid(geometry, *thick_axis(geometry.spacing_mm))


def smoothest_field(
    mask: npt.NDArray[np.bool_],
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    *,
    threads: bool = True,
) -> Floats:
    """A smooth field with the mask's sign in every voxel and, all in all, its volume.

    Parameters
    ----------
    mask : ndarray of bool, shape (i, j, k)
    spacing_mm : tuple of float
        Between slices at least twice as far apart as their voxels, slices are added by
        the distance to each slice's own outline.
    threads : bool
        Work on several cores; the result is the same.

    Returns
    -------
    ndarray of float32, Fortran order
        Between −1 and 1; only its zero means anything. The mask's shape, or more slices
        along the long axis (`between_slices.finer_grid`).

    References
    ----------
    Raya S. P., Udupa J. K. Shape-based interpolation of multidimensional objects. IEEE
    Trans Med Imaging 1990, DOI 10.1109/42.52980.
    """
    axis, factor = thick_axis(spacing_mm)
    voxels = int(np.count_nonzero(mask))
    if factor == 1:
        side = mask.astype(np.int8, order="F")
        side *= 2
        side -= 1
        return smoothest(side, side, voxels, threads=threads)
    slices = Slices(mask, spacing_mm, axis, factor)
    return smoothest(slices.between(), slices.known_sides(), voxels * factor, threads=threads)


def _block(labels: LabelMap, label: Label, box: Boxes) -> tuple[list[int], npt.NDArray[np.bool_]]:
    start = np.maximum(box[0] - _MARGIN, 0).tolist()
    stop = np.minimum(box[1] + _MARGIN, labels.array.shape).tolist()
    block = labels.array[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    return start, np.asarray(block == label.index)
