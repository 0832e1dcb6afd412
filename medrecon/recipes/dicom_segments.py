"""Segmentations that came as DICOM, as fields to make surfaces of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Segmentation, SliceStack, SoftField, away_from_zero
from medrecon.dicom.limits import Limits
from medrecon.dicom.objects.reading import read_segmentation
from medrecon.dicom.objects.segments import (
    Content,
    Planes,
    ReadContours,
    ReadSegments,
    Roi,
    SegmentBlock,
)
from medrecon.errors import GeometryError, NoSeriesError
from medrecon.outputs.segmented import Segmented, distinct
from medrecon.quality.observed import observe_without_image
from medrecon.resampling import stack_geometry, stack_onto
from medrecon.surface.from_contours import plane_distance
from medrecon.surface.from_labels import smoothest_field

# Voxels of "outside" around a block: the field has room to fall off.
_MARGIN = 3
# In-plane sampling of contours, which state none: 256 samples across the largest region,
# within what a scan's pixels are.
_ACROSS, _FINEST_MM, _COARSEST_MM = 256, 0.3, 1.0
# A region drawn on every third slice is joined; a wider gap is two regions.
_WIDEST_GAP = 3.05
_SAME_PLANE_MM, _LEAST_PLANAR_MM = 0.02, 0.2
# Contours of one set whose normals differ by more are kept apart: 0.5 mm over 500 mm.
_SAME_NORMAL = 1e-3

Vectors = npt.NDArray[np.float64]


def segmented_from_dicom(path: Path, *, limits: Limits | None = None) -> Segmented:
    """Fields of a DICOM SEG, label map or structure set.

    A mask becomes the smoothest field that agrees with it in every voxel; a fraction is
    the field, less a half; contours become signed distances in their planes, linear
    between these, and end half a slice beyond the last ones.

    Raises
    ------
    NoSeriesError
        If it holds nothing.
    MedreconError
        As `read_segmentation` raises it.
    """
    found = read_segmentation(path, limits=limits)
    made = [_from_segments(found)] if isinstance(found, ReadSegments) else _from_contours(found)
    segmentations = distinct([s for s in made if s.fields])
    if not segmentations:
        raise NoSeriesError("the segmentation is empty: no segment or contour holds anything")
    observed = {f.label.name: observe_without_image(f) for s in segmentations for f in s.fields}
    return Segmented(segmentations, observed)


def _from_segments(found: ReadSegments) -> Segmentation:
    planes = found.planes
    notes = {s.label.name: found.findings for s in found.segments[:1]}
    source = f"DICOM SEG ({found.content.value})"
    exclusive = found.content is Content.LABELMAP
    if planes.grid is None:
        grid, fields = _interpolated(found.segments, planes)
        return Segmentation(grid, fields, source, exclusive, notes)
    # Frames that are not stored are empty: the grid goes on beyond the stored ones.
    i, j, k = planes.grid.shape
    grid = planes.grid.crop((0, 0, -_MARGIN), (i, j, k + 2 * _MARGIN))
    fields = tuple(_field(s, grid) for s in found.segments)
    return Segmentation(grid, fields, source, exclusive, notes)


def _field(segment: SegmentBlock, grid: Geometry) -> SoftField:
    a, b, c = segment.start
    at = (a, b, c + _MARGIN)
    start = tuple(max(s - _MARGIN, 0) for s in at)
    stop = tuple(
        min(s + n + _MARGIN, size)
        for s, n, size in zip(at, segment.values.shape, grid.shape, strict=True)
    )
    block = np.zeros([e - s for s, e in zip(start, stop, strict=True)], np.uint8, order="F")
    inner = tuple(
        slice(p - s, p - s + n) for p, s, n in zip(at, start, segment.values.shape, strict=True)
    )
    block[inner] = segment.values
    values = smoothest_field(block > 0) if _is_mask(segment) else _half_way(block, segment.highest)
    return SoftField(segment.label, values, grid, (start[0], start[1], start[2]))


def _is_mask(segment: SegmentBlock) -> bool:
    """Whether there is nothing between outside and wholly inside."""
    values = segment.values
    return bool(((values == 0) | (values == segment.highest)).all())


def _half_way(values: npt.NDArray[np.uint8], highest: int) -> npt.NDArray[np.float32]:
    fraction = values.astype(np.float32) / np.float32(highest) - np.float32(0.5)
    return np.asfortranarray(away_from_zero(fraction))


def _interpolated(
    segments: Sequence[SegmentBlock], planes: Planes
) -> tuple[Geometry, tuple[SoftField, ...]]:
    """Fields on an isotropic grid, of planes that are none; one empty plane at either end."""
    from scipy.ndimage import distance_transform_edt

    positions = _with_ends(planes.positions_mm)
    columns, rows = planes.shape
    fields: list[SoftField] = []
    grid: Geometry | None = None
    for segment in segments:
        whole = np.zeros((columns, rows, len(planes.positions_mm)), np.uint8, order="F")
        i, j, k = (
            slice(s, s + n) for s, n in zip(segment.start, segment.values.shape, strict=True)
        )
        whole[i, j, k] = segment.values
        heights = np.empty((columns, rows, len(positions)), np.float32, order="F")
        for n in range(whole.shape[2]):
            if _is_mask(segment):
                mask = whole[:, :, n] > 0
                far = -float(max(columns, rows))
                out = distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, -far)
                heights[:, :, n + 1] = np.where(mask, distance_transform_edt(mask) - 0.5, 0.5 - out)
            else:
                heights[:, :, n + 1] = whole[:, :, n] / np.float32(segment.highest) - 0.5
        heights[:, :, 0] = -np.abs(heights[:, :, 1])
        heights[:, :, -1] = -np.abs(heights[:, :, -2])
        stack = SliceStack(heights, positions, planes.row, planes.column, planes.spacing_mm)
        grid = grid or stack_geometry(stack, min(planes.spacing_mm))
        on_grid = stack_onto(stack, grid)
        values = np.array(on_grid.array, np.float32, order="F")
        if on_grid.unmeasured is not None:
            values[on_grid.unmeasured] = -1
        fields.append(SoftField(segment.label, away_from_zero(values), grid))
    if grid is None:
        raise NoSeriesError("the segmentation is empty: no segment holds anything")
    return grid, tuple(fields)


def _with_ends(positions: Vectors) -> Vectors:
    """One plane more at either end, as far from the last as that is from its neighbour."""
    low, high = 2 * positions[0] - positions[1], 2 * positions[-1] - positions[-2]
    return np.vstack([low, positions, high])


@dataclass(frozen=True, slots=True, eq=False)
class _Drawing:
    """Regions whose planes are parallel, in a frame of their own.

    `frame` has the two axes of the plane and its normal as columns; `heights_mm` are
    those of the planes on which anything is drawn.
    """

    frame: Vectors
    regions: tuple[Roi, ...]
    heights_mm: Vectors
    step_mm: float


def _from_contours(found: ReadContours) -> list[Segmentation]:
    made = []
    for number, drawing in enumerate(_drawings(found.regions)):
        notes = {drawing.regions[0].label.name: found.findings if number == 0 else ()}
        made.append(_fields_of(drawing, notes))
    return made


def _drawings(regions: Iterable[Roi]) -> list[_Drawing]:
    """Regions by the direction of their planes."""
    groups: list[tuple[Vectors, list[Roi]]] = []
    for region in regions:
        normal = _normal(region)
        for known, members in groups:
            if 1 - abs(float(known @ normal)) < _SAME_NORMAL**2 / 2:
                members.append(region)
                break
        else:
            groups.append((normal, [region]))
    return [_drawing(normal, tuple(members)) for normal, members in groups]


def _normal(region: Roi) -> Vectors:
    """Unit normal of the region's largest contour, by Newell's sum of edge products."""
    best = np.zeros(3)
    for points in region.contours:
        p = points - points[0]
        area = np.cross(p, np.roll(p, -1, axis=0)).sum(axis=0) / 2
        if np.linalg.norm(area) > np.linalg.norm(best):
            best = area
    size = float(np.linalg.norm(best))
    if size == 0:
        raise GeometryError("a region whose contours enclose no area")
    normal: Vectors = best / size
    return normal if normal[np.argmax(np.abs(normal))] > 0 else -normal


def _drawing(normal: Vectors, regions: tuple[Roi, ...]) -> _Drawing:
    along = np.eye(3)[np.argmin(np.abs(normal))]
    along = along - (along @ normal) * normal
    along = along / np.linalg.norm(along)
    frame = np.stack([along, np.cross(normal, along), normal], axis=1)
    heights = sorted(_height(region, p, normal) for region in regions for p in region.contours)
    kept = heights[:1]
    for height in heights:
        if height - kept[-1] > _SAME_PLANE_MM:
            kept.append(height)
    if len(kept) < 2:
        raise GeometryError("contours in a single plane: nothing says how thick it is")
    steps = np.sort(np.diff(kept))
    return _Drawing(frame, regions, np.array(kept), float(steps[(len(steps) - 1) // 2]))


def _height(region: Roi, points: Vectors, normal: Vectors) -> float:
    """Of a contour's plane, in mm along the normal."""
    along = points @ normal
    if np.ptp(along) > _LEAST_PLANAR_MM:
        raise GeometryError(
            f"a contour of {region.label.name} that is not planar: {np.ptp(along):.2f} mm"
        )
    return float(along.mean())


def _fields_of(drawing: _Drawing, notes: dict[str, tuple[str, ...]]) -> Segmentation:
    points = np.concatenate([p for r in drawing.regions for p in r.contours]) @ drawing.frame
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    spacing = float(np.clip((high - low).max() / _ACROSS, _FINEST_MM, _COARSEST_MM))
    origin = low - _MARGIN * spacing
    size = np.ceil((high - origin) / spacing).astype(int) + 1 + _MARGIN
    shape = (int(size[0]), int(size[1]))
    grid: Geometry | None = None
    fields = []
    for region in drawing.regions:
        heights, values = _stack(region, drawing, (origin, shape, spacing))
        positions = np.column_stack([np.tile(origin, (len(heights), 1)), heights]) @ drawing.frame.T
        row, column = (tuple(float(v) for v in drawing.frame[:, a]) for a in (0, 1))
        stack = SliceStack(values, positions, row, column, (spacing, spacing))  # type: ignore[arg-type]
        grid = grid or _common_grid(drawing, stack, spacing)
        fields.append(_on(grid, stack, region))
    assert grid is not None
    return Segmentation(grid, tuple(fields), "DICOM RTSTRUCT", False, notes)


def _common_grid(drawing: _Drawing, stack: SliceStack, spacing: float) -> Geometry:
    """Every region's samples, planes as near as they are drawn, one step beyond either end."""
    first, last = drawing.heights_mm[0] - drawing.step_mm, drawing.heights_mm[-1] + drawing.step_mm
    even = np.abs(np.diff(drawing.heights_mm) / drawing.step_mm % 1)
    regular = bool((np.minimum(even, 1 - even) < 0.02).all())
    along = drawing.step_mm if regular else min(spacing, drawing.step_mm)
    affine = np.eye(4)
    affine[:3, :3] = drawing.frame * [spacing, spacing, along]
    corner = np.array([*(stack.positions_mm[0] @ drawing.frame)[:2], first])
    affine[:3, 3] = drawing.frame @ corner
    i, j, _ = stack.array.shape
    return Geometry.from_affine(affine, (i, j, round((last - first) / along) + 1))


def _on(grid: Geometry, stack: SliceStack, region: Roi) -> SoftField:
    """The region on its part of the common grid."""
    normal = np.asarray(grid.direction)[:, 2]
    step = grid.spacing_mm[2]
    heights = (stack.positions_mm - np.asarray(grid.origin_mm)) @ normal / step
    low = max(int(np.floor(heights[0] + 1e-6)), 0)
    high = min(int(np.ceil(heights[-1] - 1e-6)), grid.shape[2] - 1)
    block = grid.crop((0, 0, low), (*grid.shape[:2], high - low + 1))
    volume = stack_onto(stack, block)
    values = np.array(volume.array, np.float32, order="F")
    if volume.unmeasured is not None:
        values[np.broadcast_to(volume.unmeasured, values.shape)] = -step
    return SoftField(region.label, away_from_zero(values), grid, (0, 0, low))


def _stack(
    region: Roi, drawing: _Drawing, sampling: tuple[Vectors, tuple[int, int], float]
) -> tuple[Vectors, npt.NDArray[np.float32]]:
    """Heights and signed distances of a region's planes, with its ends and gaps closed."""
    origin, shape, spacing = sampling
    drawn: dict[int, list[Vectors]] = {}
    for points in region.contours:
        local = points @ drawing.frame
        n = int(np.argmin(np.abs(drawing.heights_mm - local[:, 2].mean())))
        drawn.setdefault(n, []).append(local[:, :2] - origin)
    heights: list[float] = []
    planes: list[npt.NDArray[np.float32]] = []
    for n in sorted(drawn):
        plane = plane_distance(drawn[n], shape, spacing)
        height = float(drawing.heights_mm[n])
        if heights and height - heights[-1] > _WIDEST_GAP * drawing.step_mm:
            heights += [heights[-1] + drawing.step_mm, height - drawing.step_mm]
            planes += [-np.abs(planes[-1]), -np.abs(plane)]
        heights.append(height)
        planes.append(plane)
    heights = [heights[0] - drawing.step_mm, *heights, heights[-1] + drawing.step_mm]
    planes = [-np.abs(planes[0]), *planes, -np.abs(planes[-1])]
    return np.array(heights), np.asfortranarray(np.stack(planes, axis=2))
