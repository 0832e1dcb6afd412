"""What each edit does to a structure's field. Fields are in mm (`block.in_mm`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_fill_holes, gaussian_filter, label

from medrecon.core import SoftField
from medrecon.core.nearest import distance_to_surface
from medrecon.editing import shapes
from medrecon.editing.block import expanded, points_mm, replaced, shaped
from medrecon.editing.split import side_of
from medrecon.errors import UsageError
from medrecon.resampling import sample_field
from medrecon.surface.extract import extract_surface

Points = npt.NDArray[np.float64]


def add(field: SoftField, path: Points, radius_mm: float) -> SoftField:
    """A ball, or a stroke of one, joined to the structure."""
    low, high = path.min(axis=0) - radius_mm, path.max(axis=0) + radius_mm
    wide = expanded(field, low, high)
    tool = shaped(wide, shapes.stroke(points_mm(wide), path, radius_mm))
    return replaced(wide, np.maximum(wide.values, tool))


def erase(field: SoftField, path: Points, radius_mm: float) -> SoftField:
    """A ball, or a stroke of one, taken away."""
    tool = shaped(field, shapes.stroke(points_mm(field), path, radius_mm))
    return replaced(field, np.minimum(field.values, -tool))


def cut_plane(field: SoftField, point: Points, normal: Points) -> SoftField:
    """What the normal points to, taken away."""
    tool = shaped(field, shapes.half_space(points_mm(field), point, normal))
    return replaced(field, np.minimum(field.values, -tool))


def cut_box(field: SoftField, corners: Sequence[Points], *, keep: bool) -> SoftField:
    """What lies in the box taken away, or kept alone."""
    tool = shaped(field, shapes.box(points_mm(field), corners))
    return replaced(field, np.minimum(field.values, tool if keep else -tool))


def split(
    field: SoftField, one: Points, other: Points, gap_mm: float
) -> tuple[SoftField, SoftField]:
    """The part towards the first point and the part towards the second.

    With a gap each part ends half of it short of the cut; without one they touch.
    """
    side = _carried_outwards(side_of(field, one, other) > 0, field)
    # The sign of the potential on both sides of the cut, as a distance: exact where the
    # cut is flat, and what it is used for lies within two voxels of it.
    cut = _distance_between(side, field)
    parts = [replaced(field, np.minimum(field.values, s * cut - gap_mm / 2)) for s in (1, -1)]
    return parts[0], parts[1]


def keep_component(field: SoftField, point: Points | None) -> SoftField:
    """The connected part that holds the point, or the largest; the rest taken away."""
    pieces, count = label(field.values > 0)
    if not count:
        return field
    if point is None:
        wanted = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    else:
        wanted = _piece_at(field, pieces, point)
    away = (pieces > 0) & (pieces != wanted)
    return replaced(field, np.where(away, -np.abs(field.values), field.values))


def remove_component(field: SoftField, point: Points) -> SoftField:
    """The connected part that holds the point, taken away."""
    pieces, _ = label(field.values > 0)
    away = pieces == _piece_at(field, pieces, point)
    return replaced(field, np.where(away, -np.abs(field.values), field.values))


def fill(field: SoftField) -> SoftField:
    """Closed cavities filled."""
    inside = field.values > 0
    hollow = binary_fill_holes(inside) & ~inside
    return replaced(field, np.where(hollow, np.abs(field.values), field.values))


def offset(field: SoftField, by_mm: float) -> SoftField:
    """Grown, or shrunk where negative, by a distance; to the surface exactly."""
    corners = field.geometry.corners_mm
    grow = max(by_mm, 0.0)
    wide = expanded(field, corners.min(axis=0) - grow, corners.max(axis=0) + grow)
    surface = extract_surface(wide)
    if not len(surface.faces):
        return field
    reach = abs(by_mm) + 2 * max(field.grid.spacing_mm)
    index = _near_surface(wide.values > 0, reach, field.grid.spacing_mm)
    values = np.where(wide.values > 0, reach, -reach).astype(np.float32)
    points = wide.geometry.mm_from_index(np.argwhere(index))
    apart = distance_to_surface(points, surface.vertices_mm, surface.faces)
    values[index] = np.where(wide.values[index] > 0, apart, -apart)
    return replaced(wide, values + np.float32(by_mm))


def combine(field: SoftField, other: SoftField, how: str) -> SoftField:
    """Joined with another structure, of any grid: "union", "subtract" or "intersect"."""
    corners = other.geometry.corners_mm
    wide = expanded(field, corners.min(axis=0), corners.max(axis=0))
    theirs = _on_block_of(wide, other)
    joined = {
        "union": np.maximum(wide.values, np.maximum(theirs, wide.values.min())),
        "subtract": np.minimum(wide.values, -theirs),
        "intersect": np.minimum(wide.values, theirs),
    }
    far = np.abs(wide.values).max()
    return replaced(wide, np.clip(joined[how], -far, far))


def smooth(field: SoftField, centre: Points, radius_mm: float, sigma_mm: float) -> SoftField:
    """Blurred within a ball, fading out over its outer half."""
    sigma = [sigma_mm / s for s in field.grid.spacing_mm]
    soft = gaussian_filter(field.values.astype(np.float32), sigma, truncate=3)
    depth = shaped(field, shapes.stroke(points_mm(field), centre[None], radius_mm))
    share = np.clip(depth / (radius_mm / 2), 0, 1)
    return replaced(field, share * soft + (1 - share) * field.values)


def _on_block_of(wide: SoftField, other: SoftField) -> npt.NDArray[np.float32]:
    """Another structure's values at a block's voxels; far outside where it has none."""
    if not other.grid.is_close(wide.grid):
        return sample_field(other, wide.geometry)
    theirs = np.full(wide.values.shape, -1e6, np.float32)
    at = tuple(
        slice(b - a, b - a + n)
        for a, b, n in zip(wide.start, other.start, other.values.shape, strict=True)
    )
    theirs[at] = other.values
    return theirs


def _piece_at(field: SoftField, pieces: npt.NDArray[Any], point: Points) -> int:
    at = np.rint(field.geometry.index_from_mm([point])[0]).astype(int)
    if (at < 0).any() or (at >= pieces.shape).any() or not pieces[tuple(at)]:
        raise UsageError("the point that names a component lies outside the structure")
    return int(pieces[tuple(at)])


def _carried_outwards(mask: npt.NDArray[np.bool_], field: SoftField) -> npt.NDArray[np.bool_]:
    """What voxels inside say, said also by those outside that they are nearest to."""
    from scipy.ndimage import distance_transform_edt

    spacing = field.grid.spacing_mm
    nearest = distance_transform_edt(
        field.values <= 0, sampling=spacing, return_distances=False, return_indices=True
    )
    return np.asarray(mask[tuple(nearest)])


def _distance_between(mask: npt.NDArray[np.bool_], field: SoftField) -> npt.NDArray[np.float32]:
    """Signed distance to the boundary of a mask, halfway between voxels, in mm."""
    from scipy.ndimage import distance_transform_edt

    spacing = field.grid.spacing_mm
    half = min(spacing) / 2
    inside = distance_transform_edt(mask, sampling=spacing) - half
    outside = distance_transform_edt(~mask, sampling=spacing) - half
    return np.asarray(np.where(mask, inside, -outside), dtype=np.float32)


def _near_surface(
    inside: npt.NDArray[np.bool_], reach_mm: float, spacing_mm: tuple[float, float, float]
) -> npt.NDArray[np.bool_]:
    from scipy.ndimage import distance_transform_edt

    within = distance_transform_edt(inside, sampling=spacing_mm)
    without = distance_transform_edt(~inside, sampling=spacing_mm)
    return np.asarray(np.maximum(within, without) <= reach_mm)


def numbers(row: Mapping[str, Any], key: str, count: int) -> Points:
    """A list of numbers of an edit."""
    values = np.asarray(row[key], dtype=float)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise ValueError(f"{key}: {count} numbers expected")
    return values
