"""A field at half its resolution, for a surface of few triangles.

A surface has about as many triangles as the grid can carry, noise and pores included.
Where far fewer are wanted, averaging the field first removes what so few triangles
could not show anyway, and what is left collapses cleanly. How far the result lies
from the full field is measured afterwards like every other deviation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Mesh, SoftField, away_from_zero
from medrecon.surface.extract import extract_surface

# A coarsened field's surface has a fifth to a quarter of the triangles. Where fewer than
# a tenth are wanted, that is still twice as many as needed.
FAR_ABOVE = 10


def surface_for_target(field: SoftField, surface: Mesh, target_faces: int | None) -> Mesh:
    """The surface to decimate to so many triangles: the field's own, or a coarser one.

    Parameters
    ----------
    field : SoftField
    surface : Mesh
        Its full surface.
    target_faces : int or None
        None keeps the full surface.
    """
    if target_faces is None or len(surface.faces) < FAR_ABOVE * target_faces:
        return surface
    coarse = extract_surface(coarsened(field))
    return coarse if len(coarse.faces) > target_faces else surface


def coarsened(field: SoftField) -> SoftField:
    """The means of 2×2×2 voxels, on a grid of twice the spacing.

    The centre of a new voxel is the middle of the eight old ones, so nothing moves.
    An odd last layer is averaged with itself.
    """
    total: npt.NDArray[Any] = field.values
    # Slices first: neighbours in memory stay neighbours until the array is small.
    for axis in (2, 1, 0):
        total = _pair_sums(total, axis)
    mean = np.asfortranarray(total, dtype=np.float32)
    mean /= 8
    values = away_from_zero(mean)
    affine = field.geometry.affine_lps
    affine[:3, 3] += affine[:3, :3] @ (0.5, 0.5, 0.5)
    affine[:3, :3] *= 2
    return SoftField(field.label, values, Geometry.from_affine(affine, values.shape))


def _pair_sums(values: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """Sums of neighbours along an axis, wide enough for eight int16."""
    size = values.shape[axis]
    ends = [slice(None)] * 3
    ends[axis] = slice(0, size, 2)
    first = values[tuple(ends)]
    ends[axis] = slice(1, size, 2)
    second = values[tuple(ends)]
    wide = np.int32 if values.dtype.kind == "i" else np.float32
    total = first.astype(wide, order="F")
    ends[axis] = slice(0, second.shape[axis])
    total[tuple(ends)] += second
    if size % 2:
        ends[axis] = slice(-1, None)
        total[tuple(ends)] *= 2
    return total
