"""Field to mesh: Flying Edges at zero, in the patient's millimetres."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Label, Mesh, SoftField
from medrecon.core.geometry import Shape
from medrecon.surface.blocks import Planes, extract_in_slabs

# A vertex lies at least this part of a voxel step from a voxel centre. Nearer ones
# come in clusters around the centre, and float32 millimetres (steps of 6e-5 mm at
# 1 m) would make one point of two of them. 1e-3 voxel moves the surface by less than
# a micrometre.
CLEARANCE_VOXELS = 1e-3

# Vertices worked on at a time: in the processor's cache, and without a second copy of all.
_PIECE = 65536

SLAB_VOXELS = 1 << 24
"""Voxels looked at in one go: copies and tables of a slab stay below 100 MB."""


def extract_surface(
    field: SoftField, *, threads: bool = True, slab_voxels: int = SLAB_VOXELS
) -> Mesh:
    """The closed surface where the field is zero, wound outward.

    The grid edge crossings are found by Flying Edges in index space and taken to LPS
    by the block's affine in float64, so an oblique, sheared or left-handed grid is as
    exact as any. Where the structure reaches the border of the grid it is capped at
    the voxel edge, half a voxel beyond the last centre. A large field is worked on
    slab by slab (`blocks`).

    Parameters
    ----------
    field : SoftField
        Not copied, but for a slab at a time if the structure touches the block's border.
    threads : bool
        Use VTK's thread pool. The result is the same byte by byte: every row of
        voxels knows where its vertices go before any is written.
    slab_voxels : int
        Voxels of a slab, at least two planes of them. The result does not depend on it.

    Returns
    -------
    Mesh
        Vertices float32 in LPS mm, in scan order; empty if the field is nowhere
        positive. Closed and 2-manifold also after float32 rounding.

    References
    ----------
    Schroeder W., Maynard R., Geveci B. Flying Edges: a high-performance scalable
    isocontouring algorithm. LDAV 2015, DOI 10.1109/LDAV.2015.7348069.
    """
    planes, shape, start = _planes_of(field.values)
    each = max(1, slab_voxels // (shape[0] * shape[1]) - 1)
    found = extract_in_slabs(planes, shape[2], planes_each=each, threads=threads)
    if found is None:
        planes = _lifted(planes, field.values)
        found = extract_in_slabs(planes, shape[2], planes_each=each, threads=threads)
    # Lifted values leave every vertex half a thousandth of a voxel from a centre.
    assert found is not None
    vertices, faces = found
    _keep_clear_of_centres(vertices)
    if start < 0:
        square_up_caps(vertices, (start,) * 3, field.values.shape)
    grid = field.geometry
    return Mesh(to_lps(vertices, grid, (start,) * 3), wound_outward(faces, grid), field.label)


def empty_mesh(label: Label) -> Mesh:
    """A mesh without triangles."""
    return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), label)


def _planes_of(values: npt.NDArray[Any]) -> tuple[Planes, Shape, int]:
    """Planes to extract from, how many voxels they have, and the index of the first.

    A block with nothing inside on its faces is taken as it is, else there is one voxel
    of outside around it. The added voxel holds ``-abs(border value)``. Beside an inside
    voxel that is the same number with the other sign, so linear interpolation puts the
    zero exactly half way: on the voxel's edge, where the scanned range ends. A constant
    would put the cap anywhere between the centre and one step beyond, by the local
    contrast.
    """
    if not _touches_border(values):
        return (lambda first, stop: values[:, :, first:stop]), values.shape, 0
    i, j, k = (n + 2 for n in values.shape)
    return (lambda first, stop: _capped(values, first - 1, stop - 1)), (i, j, k), -1


def _capped(values: npt.NDArray[Any], first: int, stop: int) -> npt.NDArray[Any]:
    """Planes `first` to before `stop` of the capped block, where −1 is the added plane."""
    count = values.shape[2]
    at = np.clip(np.arange(first, stop), 0, count - 1)
    padded = np.empty((values.shape[0] + 2, values.shape[1] + 2, len(at)), values.dtype, order="F")
    inner = values[:, :, at[0] : at[-1] + 1]
    ahead = at[0] - first
    padded[1:-1, 1:-1, ahead : ahead + inner.shape[2]] = inner
    for plane in range(len(at)):
        if not 0 <= first + plane < count:
            padded[1:-1, 1:-1, plane] = _outside(values[:, :, at[plane]])
    for axis in range(2):
        face = np.moveaxis(padded, axis, 0)
        for outer, beside in ((0, 1), (-1, -2)):
            np.copyto(face[outer], _outside(face[beside]))
    return padded


def _outside(border: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # min(v, -v) is -abs(v) and safe for the lowest int16.
    outside: npt.NDArray[Any] = np.minimum(border, -border)
    return outside


def _touches_border(values: npt.NDArray[Any]) -> bool:
    for axis in range(3):
        face = np.moveaxis(values, axis, 0)
        if face[0].max() > 0 or face[-1].max() > 0:
            return True
    return False


def _lifted(planes: Planes, values: npt.NDArray[Any]) -> Planes:
    """The field with values next to zero moved away from it, by a part of its range."""
    least = np.float32(CLEARANCE_VOXELS * max(abs(float(values.max())), abs(float(values.min()))))

    def lifted(first: int, stop: int) -> npt.NDArray[Any]:
        raised = planes(first, stop).astype(np.float32, order="F")
        small = np.abs(raised) < least
        raised[small] = np.where(raised[small] >= 0, least, -least)
        return raised

    return lifted


def _keep_clear_of_centres(vertices: npt.NDArray[np.float32]) -> None:
    """Move vertices along their grid edge until they are `CLEARANCE_VOXELS` off (in place)."""
    for low in range(0, len(vertices), _PIECE):
        piece = vertices[low : low + _PIECE]
        centre = np.rint(piece)
        offset = piece - centre
        near = (offset != 0) & (np.abs(offset) < CLEARANCE_VOXELS)
        piece[near] = centre[near] + np.copysign(np.float32(CLEARANCE_VOXELS), offset[near])


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
    """Flying Edges winds outward in a right-handed frame; a mirror turns it inside out."""
    return faces[:, ::-1] if grid.is_left_handed else faces
