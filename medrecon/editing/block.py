"""A field's block, made larger where a tool reaches beyond it, in units of mm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medrecon.core import SoftField, away_from_zero

Floats = npt.NDArray[np.float32]

MARGIN = 2
# Beyond this many voxels from the surface a field only says on which side it is.
FAR_VOXELS = 6.0


def in_mm(field: SoftField) -> SoftField:
    """The field scaled to rise by about one a millimetre at its surface.

    Zero stays where it is. So that a cut's distance in mm and the field can be compared.
    """
    values = field.values.astype(np.float32)
    scale = _slope_per_mm(values, field.grid.spacing_mm)
    far = FAR_VOXELS * max(field.grid.spacing_mm)
    mm = np.clip(values / np.float32(scale), -far, far)
    return _with(field, mm, field.start)


def expanded(field: SoftField, low_mm: npt.ArrayLike, high_mm: npt.ArrayLike) -> SoftField:
    """The field on a block that holds a box of LPS mm as well; new voxels are outside."""
    corners = np.array(np.meshgrid(*np.stack([low_mm, high_mm], axis=1), indexing="ij"))
    index = field.grid.index_from_mm(corners.reshape(3, -1).T)
    size = np.asarray(field.grid.shape)
    start = np.asarray(field.start)
    stop = start + field.values.shape
    first = np.clip(np.floor(index.min(axis=0)).astype(int) - MARGIN, 0, start)
    last = np.clip(np.ceil(index.max(axis=0)).astype(int) + MARGIN + 1, stop, size)
    pads = [(int(s - a), int(b - e)) for s, a, b, e in zip(start, first, last, stop, strict=True)]
    outside = float(min(field.values.min(), -1))
    values = np.pad(field.values, pads, constant_values=outside)
    return _with(field, values.astype(np.float32), (int(first[0]), int(first[1]), int(first[2])))


def points_mm(field: SoftField) -> npt.NDArray[np.float64]:
    """(n, 3) LPS positions of the block's voxels, first axis fastest."""
    i, j, k = field.values.shape
    index = np.stack(np.meshgrid(np.arange(i), np.arange(j), np.arange(k), indexing="ij"), axis=-1)
    return field.geometry.mm_from_index(index.reshape(-1, 3, order="F"))


def shaped(field: SoftField, values: npt.NDArray[np.float64]) -> Floats:
    """Numbers of `points_mm`'s voxels as the block's array."""
    return values.reshape(field.values.shape, order="F").astype(np.float32)


def replaced(field: SoftField, values: Floats) -> SoftField:
    """The field with other values on the same block."""
    return _with(field, values, field.start)


def _with(field: SoftField, values: Floats, start: tuple[int, int, int]) -> SoftField:
    safe = away_from_zero(np.asfortranarray(values))
    return SoftField(field.label, safe, field.grid, start)


def _slope_per_mm(values: Floats, spacing_mm: tuple[float, float, float]) -> float:
    """Median rise between neighbours on either side of the surface."""
    rises = []
    for axis, spacing in enumerate(spacing_mm):
        if values.shape[axis] < 2:
            continue
        a = np.moveaxis(values, axis, 0)
        crossing = (a[1:] > 0) != (a[:-1] > 0)
        rises.append(np.abs(a[1:][crossing] - a[:-1][crossing]) / spacing)
    every = np.concatenate(rises) if rises else np.zeros(0)
    return float(np.median(every)) if len(every) else 1.0
