"""How a surface runs through one cell of eight voxels, by which of them are inside.

The triangles are those of VTK's Flying Edges, asked for once: all 256 cells in a row.
Each face of a cell is cut by its own four corners alone, so that the cell on its other
side cuts it alike, and inside corners that lie crosswise are parted.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

EDGES = tuple((n, n | 1 << axis) for axis in range(3) for n in range(8) if not n >> axis & 1)
"""The two corners of each edge, the lower first; corner n lies at (n & 1, n >> 1 & 1, n >> 2)."""

EDGE_OF = {edge: number for number, edge in enumerate(EDGES)}


class Cases(NamedTuple):
    """The triangles of each of the 256 cases; bit n of a case: corner n is inside.

    `triangles` (256,) uint8, how many, and `edges` (256, 15) uint8: three edges for each
    triangle, wound so that its normal looks away from the inside.
    """

    triangles: npt.NDArray[np.uint8]
    edges: npt.NDArray[np.uint8]


@cache
def face_nodes(face: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The corners of a face, counter-clockwise seen from outside, and the edges after each."""
    axis, side = divmod(face, 2)
    u, v = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
    around = [base + side * (1 << axis) for base in (0, u, u | v, v)]
    if side == 0:
        around.reverse()
    edges = [
        EDGE_OF[min(a, b), max(a, b)] for a, b in zip(around, around[1:] + around[:1], strict=True)
    ]
    return tuple(around), tuple(edges)


@cache
def cases() -> Cases:
    """All of them.

    References
    ----------
    Schroeder W., Maynard R., Geveci B. Flying Edges: a high-performance scalable
    isocontouring algorithm. LDAV 2015, DOI 10.1109/LDAV.2015.7348069.
    """
    corner = np.arange(8)
    values = np.full((512, 2, 2), -1, np.float32, order="F")
    for case in range(256):
        inside = case >> corner & 1
        values[2 * case + (corner & 1), corner >> 1 & 1, corner >> 2] = 2 * inside - 1
    vertices, faces = _flying_edges(values)
    # Between two cells of the row is one of no interest. No triangle lies in a face.
    low = vertices[faces][:, :, 0].min(axis=1)
    case, beside = np.divmod(np.floor(low).astype(int), 2)
    found = Cases(np.zeros(256, np.uint8), np.zeros((256, 15), np.uint8))
    for number in np.flatnonzero(beside == 0).tolist():
        at = int(case[number])
        first = 3 * int(found.triangles[at])
        places = vertices[faces[number]] - (2 * at, 0, 0)
        found.edges[at, first : first + 3] = [_edge(place) for place in places]
        found.triangles[at] += 1
    return found


def _edge(place: npt.NDArray[np.float32]) -> int:
    """The edge whose middle a point is."""
    bits = np.array([1, 2, 4])
    return EDGE_OF[int(np.floor(place) @ bits), int(np.ceil(place) @ bits)]


def _flying_edges(
    values: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Vertices in index space and faces where an array in Fortran order is zero."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

    image = vtkImageData()
    image.SetDimensions(*values.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(order="F"), deep=1))
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.0)
    edges.ComputeNormalsOff()
    edges.ComputeGradientsOff()
    edges.ComputeScalarsOff()
    edges.Update()
    output = edges.GetOutput()
    faces = vtk_to_numpy(output.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return vtk_to_numpy(output.GetPoints().GetData()).copy(), faces.astype(np.int64)
