"""Field to mesh: Flying Edges at zero, in the patient's millimetres."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkSMPTools
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

from medrecon.core import Geometry, Label, Mesh, SoftField
from medrecon.core.geometry import Shape

# A vertex lies at least this part of a voxel step from a voxel centre. Nearer ones
# come in clusters around the centre, and float32 millimetres (steps of 6e-5 mm at
# 1 m) would make one point of two of them. 1e-3 voxel moves the surface by less than
# a micrometre.
CLEARANCE_VOXELS = 1e-3


def extract_surface(field: SoftField, *, threads: bool = True) -> Mesh:
    """The closed surface where the field is zero, wound outward.

    The grid edge crossings are found by Flying Edges in index space and taken to LPS
    by the block's affine in float64, so an oblique, sheared or left-handed grid is as
    exact as any. Where the structure reaches the border of the grid it is capped at
    the voxel edge, half a voxel beyond the last centre.

    Parameters
    ----------
    field : SoftField
        int16 fields are not copied; nor are any, unless the structure touches the
        block's border.
    threads : bool
        Use VTK's thread pool. The result is the same byte by byte: every row of
        voxels knows where its vertices go before any is written.

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
    values, start = capped(field.values)
    vertices, faces = flying_edges(values, threads=threads)
    if _has_lost_edges(vertices):
        vertices, faces = flying_edges(_lifted(values), threads=threads)
    _keep_clear_of_centres(vertices)
    if start < 0:
        square_up_caps(vertices, (start,) * 3, field.values.shape)
    grid = field.geometry
    return Mesh(to_lps(vertices, grid, (start,) * 3), wound_outward(faces, grid), field.label)


def empty_mesh(label: Label) -> Mesh:
    """A mesh without triangles."""
    return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), label)


def capped(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int]:
    """The block with one voxel of outside around it, and the index of its first voxel.

    The added voxel holds ``-abs(border value)``. Beside an inside voxel that is the
    same number with the other sign, so linear interpolation puts the zero exactly
    half way: on the voxel's edge, where the scanned range ends. A constant would put
    the cap anywhere between the centre and one step beyond, by the local contrast.
    A block with nothing inside on its faces is returned as it is, without a copy.
    """
    if not _touches_border(values):
        return values, 0
    padded = np.empty(tuple(n + 2 for n in values.shape), values.dtype, order="F")
    padded[1:-1, 1:-1, 1:-1] = values
    for axis in range(3):
        face = np.moveaxis(padded, axis, 0)
        for outer, inner in ((0, 1), (-1, -2)):
            # min(v, -v) is -abs(v) and safe for the lowest int16.
            np.minimum(face[inner], -face[inner], out=face[outer])
    return padded, -1


def _touches_border(values: npt.NDArray[Any]) -> bool:
    for axis in range(3):
        face = np.moveaxis(values, axis, 0)
        if face[0].max() > 0 or face[-1].max() > 0:
            return True
    return False


def flying_edges(
    values: npt.NDArray[Any], *, threads: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Vertices in index space (block frame) and faces."""
    image = vtkImageData()
    image.SetDimensions(*values.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(order="F"), deep=0))
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.0)
    edges.ComputeNormalsOff()
    edges.ComputeGradientsOff()
    edges.ComputeScalarsOff()
    with smp_backend("STDThread" if threads else "Sequential"):
        edges.Update()
    output = edges.GetOutput()
    if output.GetNumberOfPolys() == 0:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    vertices = vtk_to_numpy(output.GetPoints().GetData()).copy()
    faces = vtk_to_numpy(output.GetPolys().GetConnectivityArray())
    return vertices, faces.reshape(-1, 3).astype(np.int32)


@contextmanager
def smp_backend(name: str) -> Iterator[None]:
    """VTK's thread pool for the duration of one call; it is a process-wide setting."""
    before = vtkSMPTools.GetBackend()
    vtkSMPTools.SetBackend(name)
    try:
        yield
    finally:
        vtkSMPTools.SetBackend(before)


def _has_lost_edges(vertices: npt.NDArray[np.float32]) -> bool:
    """Whether a vertex fell on a voxel centre in float32: its grid edge is unknown."""
    return bool((vertices == np.rint(vertices)).all(axis=1).any())


def _lifted(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The field with values next to zero moved away from it, by a part of its range."""
    lifted = values.astype(np.float32, order="F")
    least = np.float32(CLEARANCE_VOXELS * float(np.abs(lifted).max()))
    small = np.abs(lifted) < least
    lifted[small] = np.where(lifted[small] >= 0, least, -least)
    return lifted


def _keep_clear_of_centres(vertices: npt.NDArray[np.float32]) -> None:
    """Move vertices along their grid edge until they are `CLEARANCE_VOXELS` off (in place)."""
    centre = np.rint(vertices)
    offset = vertices - centre
    near = (offset != 0) & (np.abs(offset) < CLEARANCE_VOXELS)
    vertices[near] = centre[near] + np.copysign(np.float32(CLEARANCE_VOXELS), offset[near])


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
    """(n, 3) LPS mm of points in index space, where index 0 is voxel `start` of the grid."""
    affine = grid.affine_lps
    origin = affine[:3, 3] + affine[:3, :3] @ start
    lps = np.empty_like(vertices)
    # In pieces that fit the processor's cache: a float64 copy of the whole would double
    # the peak memory.
    for low in range(0, len(vertices), 65536):
        piece = vertices[low : low + 65536].astype(np.float64)
        lps[low : low + 65536] = piece @ affine[:3, :3].T + origin
    return lps


def wound_outward(faces: npt.NDArray[np.int32], grid: Geometry) -> npt.NDArray[np.int32]:
    """Flying Edges winds outward in a right-handed frame; a mirror turns it inside out."""
    return faces[:, ::-1] if grid.is_left_handed else faces
