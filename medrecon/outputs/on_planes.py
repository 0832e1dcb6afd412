"""A structure on the slices of a series: how much of each voxel it fills, and its outlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, SoftField
from medrecon.core.geometry import FloatArray
from medrecon.core.trilinear import sample_with_gradient
from medrecon.quality.coverage import coverage
from medrecon.resampling import sample_field
from medrecon.surface.contours import zero_contours
from medrecon.surface.keyhole import keyholes

# Cells along an axis of a voxel: two, so that the samples of a field on the same grid are
# corners of cells, times how much finer the field is. Eight is a slice of 8 mm at 2 mm.
_LEAST_PARTS, _MOST_PARTS = 2, 16


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A slice and the slab that it stands for.

    Parameters
    ----------
    geometry : Geometry
        Shape (columns, rows, 1), third axis along the normal.
    slab_mm : tuple of float
        How far the slab reaches below and above.
    """

    geometry: Geometry
    slab_mm: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A closed line in one plane, holes joined to it by channels of no width.

    Parameters
    ----------
    plane : int
        Index of the plane.
    points_lps : ndarray of float64, shape (n, 3)
        Millimetres, the first not repeated.
    """

    plane: int
    points_lps: FloatArray


def occupancy(field: SoftField, planes: Sequence[Plane]) -> npt.NDArray[np.float32]:
    """Part of each voxel of the slices that is inside, from 0 to 1.

    A voxel is its pixel extruded along the normal over the slice's slab. The sum over all
    voxels times their volumes is the field's volume, but for what lies beyond the slices.

    Parameters
    ----------
    field : SoftField
        On any grid.
    planes : sequence of Plane
        Of one shape.

    Returns
    -------
    ndarray of float32, shape (planes, rows, columns)
    """
    columns, rows, _ = planes[0].geometry.shape
    result = np.zeros((len(planes), rows, columns), np.float32)
    for n, plane in enumerate(planes):
        window = _window(field, plane)
        if window is None:
            continue
        (i, j), (width, height) = window
        parts = _parts(field.grid, plane)
        samples = sample_field(field, _lattice(plane, window, parts))
        filled = coverage(samples, parts)[:, :, 0].T
        result[n, j : j + height, i : i + width] = filled
    return result


def inside_centres(field: SoftField, planes: Sequence[Plane]) -> npt.NDArray[np.bool_]:
    """Which pixel centres are inside; shape (planes, rows, columns)."""
    columns, rows, _ = planes[0].geometry.shape
    result = np.zeros((len(planes), rows, columns), np.bool_)
    for n, plane in enumerate(planes):
        window = _window(field, plane)
        if window is None:
            continue
        (i, j), (width, height) = window
        grid = plane.geometry.crop((i, j, 0), (width, height, 1))
        result[n, j : j + height, i : i + width] = (sample_field(field, grid)[:, :, 0] > 0).T
    return result


def outlines(field: SoftField, planes: Sequence[Plane]) -> Iterator[Outline]:
    """The structure's section with every plane, as lines between its pixels.

    The field is sampled in the plane, as finely as it is defined, and followed where it
    is zero; no point is bound to a pixel's centre.
    """
    for n, plane in enumerate(planes):
        window = _window(field, plane)
        if window is None:
            continue
        grid = _in_plane(field.grid, plane, window)
        loops = zero_contours(sample_field(field, grid)[:, :, 0])
        if not _on_samples(field.geometry, grid):
            loops = [_onto_zero(field, grid, loop) for loop in loops]
        for loop in keyholes(loops):
            index = np.column_stack([loop, np.zeros(len(loop))])
            yield Outline(n, grid.mm_from_index(index))


def slab_sum_ml(lines: Sequence[Outline], planes: Sequence[Plane]) -> float:
    """Sum of the outlines' areas times their slabs: the volume that a reader of contours sees.

    The outermost outlines count for half a slice beyond their planes.
    """
    total = 0.0
    for line in lines:
        direction = np.asarray(planes[line.plane].geometry.direction)
        x, y, _ = ((line.points_lps - line.points_lps[0]) @ direction).T
        area = abs(float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())) / 2
        total += area * sum(planes[line.plane].slab_mm)
    return total / 1000


def _on_samples(block: Geometry, grid: Geometry) -> bool:
    """Whether the plane's samples are the field's own."""
    index = block.index_from_mm(grid.mm_from_index([[0, 0, 0], [1, 0, 0], [0, 1, 0]]))
    on_them = np.abs(index - np.rint(index)).max() < 1e-4
    return bool(on_them and (np.abs(np.diff(index, axis=0)).sum(axis=1) < 2.001).all())


# Newton steps that bring a point onto the field's own zero, and the longest of them, in
# samples: a line between two samples is off by a tenth of one at most.
_STEPS, _LONGEST_STEP = 4, 0.1


def _onto_zero(field: SoftField, grid: Geometry, loop: FloatArray) -> FloatArray:
    """The points of a loop moved in their plane to where the field itself is zero.

    Samples in a plane that are not the field's own see it straight between them, which it
    is not. Points beyond the plane's outermost samples stay.
    """
    block = field.geometry
    turn = np.linalg.solve(block.affine_lps[:3, :3], grid.affine_lps[:3, :2])
    last = np.asarray(grid.shape[:2]) - 1
    free = ((loop >= 0) & (loop <= last)).all(axis=1)
    moved = loop.copy()
    for _ in range(_STEPS):
        points = grid.mm_from_index(np.column_stack([moved, np.zeros(len(moved))]))
        value, gradient = sample_with_gradient(field.values, block.index_from_mm(points))
        slope = gradient @ turn
        size = np.maximum((slope * slope).sum(axis=1), 1e-12)
        step = -(value / size)[:, None] * slope
        length = np.linalg.norm(step, axis=1)
        step *= (np.minimum(1, _LONGEST_STEP / np.maximum(length, 1e-12)) * free)[:, None]
        moved += step
    return moved


Window = tuple[tuple[int, int], tuple[int, int]]


def _window(field: SoftField, plane: Plane) -> Window | None:
    """First pixel and size of the part of the plane that the field's block can reach."""
    block = field.geometry
    # A voxel's reach around the outermost centres: where a grid ends, they go on so far.
    padded = block.crop((-1, -1, -1), tuple(n + 2 for n in block.shape))
    index = plane.geometry.index_from_mm(padded.corners_mm)
    height = index[:, 2] * plane.geometry.spacing_mm[2]
    if height.min() > plane.slab_mm[1] or height.max() < -plane.slab_mm[0]:
        return None
    low = np.maximum(np.floor(index[:, :2].min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(index[:, :2].max(axis=0)) + 1, plane.geometry.shape[:2]).astype(int)
    if (high <= low).any():
        return None
    (i, j), (width, height_) = low.tolist(), (high - low).tolist()
    return (i, j), (width, height_)


def _parts(grid: Geometry, plane: Plane) -> tuple[int, int, int]:
    """Cells along each axis of the plane's voxels, as fine as the field."""
    finest = min(grid.spacing_mm)
    size = (*plane.geometry.spacing_mm[:2], sum(plane.slab_mm))
    along = [
        2 * round(s / (own if _same_axes(grid, plane) else finest))
        for s, own in zip(size, grid.spacing_mm, strict=True)
    ]
    a, b, c = (min(max(n, _LEAST_PARTS), _MOST_PARTS) for n in along)
    return a, b, c


def _same_axes(grid: Geometry, plane: Plane) -> bool:
    """Whether the field's axes are the plane's, in order."""
    turn = np.asarray(grid.direction).T @ np.asarray(plane.geometry.direction)
    return bool(np.abs(np.abs(turn) - np.eye(3)).max() < 1e-3)


def _lattice(plane: Plane, window: Window, parts: tuple[int, int, int]) -> Geometry:
    """Corners of the cells of the window's voxels."""
    (i, j), (width, height) = window
    below, above = plane.slab_mm
    affine = plane.geometry.affine_lps
    step = affine[:3, :3] / (*parts[:2], 1.0)
    normal = affine[:3, 2] / plane.geometry.spacing_mm[2]
    step[:, 2] = normal * (below + above) / parts[2]
    corner = plane.geometry.mm_from_index([[i - 0.5, j - 0.5, 0.0]])[0] - normal * below
    lattice = np.eye(4)
    lattice[:3, :3], lattice[:3, 3] = step, corner
    shape = (width * parts[0] + 1, height * parts[1] + 1, parts[2] + 1)
    return Geometry.from_affine(lattice, shape)


def _in_plane(grid: Geometry, plane: Plane, window: Window) -> Geometry:
    """Samples in the plane: pixel centres, and those between them where the field is finer."""
    (i, j), (width, height) = window
    spacing = plane.geometry.spacing_mm
    same = _same_axes(grid, plane)
    finer = [
        1 if s < 1.5 * own else 2 * round(s / own)
        for s, own in zip(
            spacing[:2], grid.spacing_mm[:2] if same else [min(grid.spacing_mm)] * 2, strict=True
        )
    ]
    cropped = plane.geometry.crop((i, j, 0), (width, height, 1)).affine_lps
    cropped[:3, 0] /= finer[0]
    cropped[:3, 1] /= finer[1]
    shape = ((width - 1) * finer[0] + 1, (height - 1) * finer[1] + 1, 1)
    return Geometry.from_affine(cropped, shape)
