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
# How far from 0 an empty plane stays, in pixels: a cubic overshoots by 0.07 of one.
_OFF = 0.2
# A plane that is farther from a segment's last one, in steps, is not the next one.
_NEAR = 1.5
_SAME_PLANE_MM, _LEAST_PLANAR_MM = 0.02, 0.2
# Contours of one set whose normals differ by more are kept apart: 0.5 mm over 500 mm.
_SAME_NORMAL = 1e-3

Vectors = npt.NDArray[np.float64]


def segmented_from_dicom(path: Path, *, limits: Limits | None = None) -> Segmented:
    """Fields of a DICOM SEG, label map or structure set.

    A mask becomes the smoothest field that agrees with it in every voxel; a fraction is
    the field, less a half; contours, and masks on planes that are no grid, become signed
    distances in their planes, linear between these, and end half a slice beyond the last
    ones and at either side of a gap.

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
    """Fields on an isotropic grid, of planes that are none."""
    if not segments:
        raise NoSeriesError("the segmentation is empty: no segment holds anything")
    positions = _with_ends(planes, 0, len(planes.positions_mm) - 1)
    empty = np.zeros((*planes.shape, len(positions)), np.int16, order="F")
    grid = stack_geometry(_on_planes(empty, positions, planes), min(planes.spacing_mm))
    return grid, tuple(_between_planes(s, planes, grid) for s in segments)


def _between_planes(segment: SegmentBlock, planes: Planes, grid: Geometry) -> SoftField:
    """The segment on its part of the grid, each run of its planes for itself."""
    runs = [_run(segment, planes, first, last) for first, last in _runs(segment, planes)]
    levels = [_levels(grid, run) for run in runs]
    low, stop = levels[0][0], max(stop for _, stop in levels)
    values = np.full((*grid.shape[:2], stop - low), -np.inf, np.float32, order="F")
    for run, (first, after) in zip(runs, levels, strict=True):
        volume = stack_onto(run, grid.crop((0, 0, first), (*grid.shape[:2], after - first)))
        there = True if volume.unmeasured is None else ~volume.unmeasured
        part = values[:, :, first - low : after - low]
        np.maximum(part, volume.array, out=part, where=there)
    values[np.isneginf(values)] = -1
    return SoftField(segment.label, away_from_zero(values), grid, (0, 0, low))


def _runs(segment: SegmentBlock, planes: Planes) -> list[tuple[int, int]]:
    """First and last plane of every run that the segment is drawn on without a gap."""
    drawn = np.flatnonzero(segment.values.any(axis=(0, 1))) + segment.start[2]
    steps = np.diff(_heights(planes)[drawn])
    breaks = (np.diff(drawn) > 1) | (steps > _WIDEST_GAP * _usual_step(planes))
    return [(int(run[0]), int(run[-1])) for run in np.split(drawn, np.flatnonzero(breaks) + 1)]


def _run(segment: SegmentBlock, planes: Planes, first: int, last: int) -> SliceStack:
    """Heights of a run's planes, and of an empty one at either end."""
    i, j, k = segment.start
    width, depth, _ = segment.values.shape
    is_mask = _is_mask(segment)
    heights = np.empty((*planes.shape, last - first + 3), np.float32, order="F")
    for n in range(first, last + 1):
        plane = np.zeros(planes.shape, np.uint8)
        plane[i : i + width, j : j + depth] = segment.values[:, :, n - k]
        heights[:, :, n - first + 1] = (
            _depth(plane > 0) if is_mask else plane / np.float32(segment.highest) - 0.5
        )
    # Of a mask the end is half-way to the empty plane; a fraction is 0 there.
    heights[:, :, 0] = -np.abs(heights[:, :, 1]) if is_mask else -0.5
    heights[:, :, -1] = -np.abs(heights[:, :, -2]) if is_mask else -0.5
    return _on_planes(heights, _with_ends(planes, first, last), planes)


def _depth(mask: npt.NDArray[np.bool_]) -> Vectors:
    """Signed distance to the mask's outline in pixels, positive inside."""
    from scipy.ndimage import distance_transform_edt

    inside, outside = distance_transform_edt(mask), distance_transform_edt(~mask)
    depth: Vectors = np.where(mask, inside - 0.5, 0.5 - outside)
    return depth


def _on_planes(
    values: npt.NDArray[np.float32] | npt.NDArray[np.int16], positions: Vectors, planes: Planes
) -> SliceStack:
    return SliceStack(values, positions, planes.row, planes.column, planes.spacing_mm)


def _with_ends(planes: Planes, first: int, last: int) -> Vectors:
    """Positions of a run of planes and of one more at either end."""
    inner = planes.positions_mm[first : last + 1]
    return np.vstack([_beyond(planes, first, -1), inner, _beyond(planes, last, 1)])


def _beyond(planes: Planes, n: int, side: int) -> Vectors:
    """Where a run that ends on plane n is empty: on the next plane if near, else a step on."""
    positions, usual = planes.positions_mm, _usual_step(planes)
    step = side * usual * _normal_of(planes)
    if _gap(planes, n, n - side) <= _NEAR * usual:
        step = positions[n] - positions[n - side]
    if _gap(planes, n, n + side) <= _NEAR * float(np.abs(step @ _normal_of(planes))):
        step = positions[n + side] - positions[n]
    moved: Vectors = positions[n] + step
    return moved


def _gap(planes: Planes, n: int, other: int) -> float:
    """Distance of two planes; infinite where the other is none."""
    if not 0 <= other < len(planes.positions_mm):
        return np.inf
    heights = _heights(planes)
    return float(abs(heights[n] - heights[other]))


def _normal_of(planes: Planes) -> Vectors:
    return np.cross(planes.row, planes.column)


def _heights(planes: Planes) -> Vectors:
    heights: Vectors = planes.positions_mm @ _normal_of(planes)
    return heights


def _usual_step(planes: Planes) -> float:
    return _lower_median(np.diff(_heights(planes)))


def _lower_median(steps: Vectors) -> float:
    return float(np.sort(steps)[(len(steps) - 1) // 2])


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
    return _Drawing(frame, regions, np.array(kept), _lower_median(np.diff(kept)))


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
    low, stop = _levels(grid, stack)
    block = grid.crop((0, 0, low), (*grid.shape[:2], stop - low))
    volume = stack_onto(stack, block)
    values = np.array(volume.array, np.float32, order="F")
    if volume.unmeasured is not None:
        values[np.broadcast_to(volume.unmeasured, values.shape)] = -grid.spacing_mm[2]
    return SoftField(region.label, away_from_zero(values), grid, (0, 0, low))


def _levels(grid: Geometry, stack: SliceStack) -> tuple[int, int]:
    """First plane of the grid that a stack reaches, and the one after its last."""
    normal = np.asarray(grid.direction)[:, 2]
    heights = (stack.positions_mm - np.asarray(grid.origin_mm)) @ normal / grid.spacing_mm[2]
    low = max(int(np.floor(heights[0] + 1e-6)), 0)
    return low, min(int(np.ceil(heights[-1] - 1e-6)) + 1, grid.shape[2])


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
            planes += [_empty_beside(planes[-1], spacing), _empty_beside(plane, spacing)]
        heights.append(height)
        planes.append(plane)
    heights = [heights[0] - drawing.step_mm, *heights, heights[-1] + drawing.step_mm]
    ends = _empty_beside(planes[0], spacing), _empty_beside(planes[-1], spacing)
    planes = [ends[0], *planes, ends[1]]
    return np.array(heights), np.asfortranarray(np.stack(planes, axis=2))


def _empty_beside(plane: npt.NDArray[np.float32], spacing_mm: float) -> npt.NDArray[np.float32]:
    """The plane beyond a drawn one: outside, and half-way to it lies the end.

    Nowhere nearly 0: over a crest that touches it, along an outline, a cubic swings to the
    inside where the field is made finer (`surface.upsample`).
    """
    empty: npt.NDArray[np.float32] = -np.maximum(np.abs(plane), np.float32(_OFF * spacing_mm))
    return empty
