"""Values at a mesh's vertices, in mm: how far off it lies, and how sure its place is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh, SoftField
from medrecon.core.solid import Solid
from medrecon.core.trilinear import sample_with_gradient
from medrecon.quality.field_distance import signed_distance_mm

Values = npt.NDArray[np.float32]

# How far to either side an edge's contrast is looked for, in voxels: two blurs of a
# usual scan, and within the band that a kept field holds (`core.band`).
_REACH_VOXELS = 2.0
# By what part of the contrast the level may be wrong.
LEVEL_ERROR = 0.1


def deviation_from_field(mesh: Mesh, field: SoftField) -> Values:
    """Distance of each vertex to the field's surface, positive outside; shape (n,)."""
    points = mesh.vertices_mm.astype(np.float64)
    return signed_distance_mm(field, points).astype(np.float32)


def deviation_from_mesh(mesh: Mesh, reference: Mesh) -> Values:
    """Distance of each vertex to another closed mesh, positive outside it; shape (n,).

    Exact.
    """
    solid = Solid(reference.vertices_mm, reference.faces)
    return solid.distance_mm(mesh.vertices_mm).astype(np.float32)


def uncertainty_of_place(mesh: Mesh, field: SoftField) -> Values:
    """How far the surface would move if its level were wrong by a tenth of the contrast.

    The contrast is the field's difference from two voxels inside to two voxels outside,
    along the field's gradient; the slope is measured over the middle voxel. Small where
    an edge is sharp, large where it is a slow fade: it says where to look, not how wrong
    a surface is. At most two voxels.

    Returns
    -------
    ndarray of float32, shape (n,)
        mm, ≥ 0.
    """
    grid = field.geometry
    to_index = np.linalg.inv(grid.affine_lps[:3, :3])
    at = grid.index_from_mm(mesh.vertices_mm.astype(np.float64))
    _, slope = sample_with_gradient(field.values, at)
    inward_mm = slope @ to_index
    length = np.linalg.norm(inward_mm, axis=1, keepdims=True)
    inward_mm = inward_mm / np.maximum(length, 1e-30)
    voxel_mm = min(grid.spacing_mm)
    step = inward_mm * voxel_mm @ to_index.T

    def value(voxels: float) -> npt.NDArray[np.float64]:
        return sample_with_gradient(field.values, at + voxels * step)[0]

    contrast = value(_REACH_VOXELS) - value(-_REACH_VOXELS)
    per_mm = (value(0.5) - value(-0.5)) / voxel_mm
    most = _REACH_VOXELS * voxel_mm
    moved = LEVEL_ERROR * contrast / np.maximum(per_mm, 1e-30)
    sure = (contrast > 0) & (per_mm > 0)
    uncertain: Values = np.where(sure, np.minimum(moved, most), most).astype(np.float32)
    return uncertain
