"""Points of a surface in indices of the grid, and in the patient's millimetres."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry
from medrecon.core.geometry import Shape

# A vertex lies at least this part of a voxel step from a voxel centre. Nearer ones
# come in clusters around the centre, and float32 millimetres (steps of 6e-5 mm at
# 1 m) would make one point of two of them. 1e-3 voxel moves the surface by less than
# a micrometre.
CLEARANCE_VOXELS = 1e-3

# Vertices worked on at a time: in the processor's cache, and without a second copy of all.
_PIECE = 65536


def square_up_caps(vertices: npt.NDArray[Any], start: Shape, shape: Shape) -> None:
    """Draw the walls in the outermost slices out to the caps (in place).

    Between the last centres and the cap half a voxel further on, the surface would be
    bevelled: half a voxel of a structure's rim would be missing at each end. The field
    is continued unchanged to the voxel's edge, so the vertices *in* the outermost
    slices belong at the edge too. A thousandth short of it, for where two caps meet
    the same place would be named twice.

    Parameters
    ----------
    vertices : ndarray, shape (n, 3)
        Indices from voxel `start` of the grid.
    start, shape
        Where the vertices' index 0 lies, and the size of the grid.
    """
    for axis, (first, size) in enumerate(zip(start, shape, strict=True)):
        along = vertices[:, axis]
        along[along == -first] = -first - 0.5 + CLEARANCE_VOXELS
        along[along == size - 1 - first] = size - first - 0.5 - CLEARANCE_VOXELS


def to_lps(
    vertices: npt.NDArray[np.float32], grid: Geometry, start: Shape
) -> npt.NDArray[np.float32]:
    """LPS mm of points in index space, where index 0 is voxel `start` of the grid (in place)."""
    affine = grid.affine_lps
    origin = affine[:3, 3] + affine[:3, :3] @ start
    for low in range(0, len(vertices), _PIECE):
        piece = vertices[low : low + _PIECE].astype(np.float64)
        vertices[low : low + _PIECE] = piece @ affine[:3, :3].T + origin
    return vertices


def wound_outward(faces: npt.NDArray[np.int32], grid: Geometry) -> npt.NDArray[np.int32]:
    """Cells are wound outward in a right-handed frame; a mirror turns them inside out."""
    return faces[:, ::-1] if grid.is_left_handed else faces
