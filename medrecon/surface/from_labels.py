"""Fields from a label map that someone else made: the best that a mask alone can say.

A mask says of each voxel centre on which side it lies, and nothing more. The field
made here agrees with it in every centre, so the surface crosses each grid edge that it
must cross and no other: it stays within half a voxel of the mask's, and thin walls and
single voxels stay. Between these bounds it is smooth, by a filter that leaves parabolas
as they are, and raised or lowered until it holds the mask's volume: nothing shrinks, as
it does under a blur.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Label, LabelMap, SoftField
from medrecon.surface.extract import extract_surface

# Passes of a 1-2-1 filter: a blur of two voxels, as long as the stairs of a gently
# sloping surface.
_PASSES = 8

# Times that what the blur took away is blurred and given back. With two of them the
# curvature of a surface no longer moves it, to fourth order.
_RETURNS = 2

_MARGIN = 3
"""Voxels around a label's own that its block holds, so that the field can fall off."""

# A centre on its wrong side is put back to this height, of 1 at the start: the nearer
# to 0 the closer may the surface come to a centre.
_LEAST = 0.01

# The surface of a ball of two voxels lies where its blur is half as high as its middle.
_MOST_RAISED = 0.6
_HALVINGS = 10
"""Each halves what is left: 0.6 in the end to 0.0006, of a slope of about 0.5 a voxel."""


def fields_from_labels(labels: LabelMap) -> tuple[SoftField, ...]:
    """One field for each label that occurs, on a block around it, in the labels' order."""
    from scipy.ndimage import find_objects

    boxes = find_objects(labels.array)
    fields = []
    for label in sorted(labels.labels, key=lambda x: x.index):
        box = boxes[label.index - 1] if label.index <= len(boxes) else None
        if box is None:
            continue
        start = tuple(max(s.start - _MARGIN, 0) for s in box)
        stop = tuple(min(s.stop + _MARGIN, n) for s, n in zip(box, labels.array.shape, strict=True))
        block = labels.array[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
        values = smoothest_field(block == label.index)
        fields.append(SoftField(label, values, labels.geometry, (start[0], start[1], start[2])))
    return tuple(fields)


def smoothest_field(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """A smooth field with the mask's sign in every voxel and, all in all, its volume.

    Parameters
    ----------
    mask : ndarray of bool, shape (i, j, k)

    Returns
    -------
    ndarray of float32, shape (i, j, k), Fortran order
        Between −1 and 1; only its zero means anything.
    """
    side = np.where(mask, np.float32(1), np.float32(-1)).astype(np.float32, order="F")
    smooth = _blurred(side)
    rest = side - smooth
    for _ in range(_RETURNS):
        given_back = _blurred(rest)
        smooth += given_back
        rest -= given_back
    return _with_volume(smooth, side, int(np.count_nonzero(mask)))


def _with_volume(
    smooth: npt.NDArray[np.float32], side: npt.NDArray[np.float32], voxels: int
) -> npt.NDArray[np.float32]:
    """The field, raised by a constant until its surface holds so many voxels."""
    low, high = -_MOST_RAISED, _MOST_RAISED
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _volume(_on_its_side(smooth + np.float32(middle), side)) < voxels:
            low = middle
        else:
            high = middle
    return _on_its_side(smooth + np.float32((low + high) / 2), side)


def _on_its_side(
    field: npt.NDArray[np.float32], side: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    kept: npt.NDArray[np.float32] = side * np.maximum(field * side, np.float32(_LEAST))
    return kept


def _volume(field: npt.NDArray[np.float32]) -> float:
    """Volume inside the field's surface, in voxels."""
    i, j, k = field.shape
    unit = Geometry((i, j, k), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return extract_surface(SoftField(Label(1, "mask"), field, unit)).volume_mm3


def _blurred(field: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    for _ in range(_PASSES):
        for axis in range(3):
            field = _one_two_one(field, axis)
    return field


def _one_two_one(field: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    """Half of each value and a quarter of both neighbours', the border's own repeated."""
    lower, upper = _but_last(axis), _but_first(axis)
    smooth = field * np.float32(0.5)
    smooth[upper] += np.float32(0.25) * field[lower]
    smooth[lower] += np.float32(0.25) * field[upper]
    for end in (0, -1):
        at: list[Any] = [slice(None)] * 3
        at[axis] = end
        smooth[tuple(at)] += np.float32(0.25) * field[tuple(at)]
    return smooth


def _but_last(axis: int) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(None, -1))


def _but_first(axis: int) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(1, None))
