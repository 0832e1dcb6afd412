"""Signed distance from the nodes of a grid to a closed surface."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Mesh
from medrecon.core.boxtree import BoxTree
from medrecon.core.nearest import as_poly_data


class SignedDistance:
    """Exact distance from grid nodes to a surface, negative inside.

    What is inside is told by VTK's scan conversion, a count of crossings along lines: a
    side told by the nearest face's normal (`core.solid`) fails at a boolean's slivers,
    whose normals have no meaning.

    Parameters
    ----------
    mesh : Mesh
        Closed.
    grid : Geometry
        Axis-parallel and isotropic.
    """

    def __init__(self, mesh: Mesh, grid: Geometry) -> None:
        self.grid = grid
        # Near the grid's first node float32 keeps all its digits.
        origin = np.asarray(grid.origin_mm)
        vertices = (mesh.vertices_mm.astype(np.float64) - origin).astype(np.float32)
        self._tree = BoxTree.of(vertices, mesh.faces)
        self._inside = _inside(as_poly_data(vertices, mesh.faces), grid)

    def at(self, nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(n,) distances in mm at (n, 3) node indices."""
        distance = self._tree.distance_mm(nodes * self.grid.spacing_mm[0])
        i, j, k = nodes.T
        signed: npt.NDArray[np.float64] = np.where(self._inside[i, j, k], -distance, distance)
        return signed


def _inside(surface: Any, grid: Geometry) -> npt.NDArray[np.bool_]:
    """Which nodes lie in the solid, (i, j, k); the surface is in the grid's own frame."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

    i, j, k = grid.shape
    cut = vtkPolyDataToImageStencil()
    cut.SetInputData(surface)
    cut.SetOutputSpacing(*grid.spacing_mm)
    cut.SetOutputOrigin(0, 0, 0)
    cut.SetOutputWholeExtent(0, i - 1, 0, j - 1, 0, k - 1)
    cut.SetTolerance(0)
    image = vtkImageStencilToImage()
    image.SetInputConnection(cut.GetOutputPort())
    image.SetOutputScalarTypeToUnsignedChar()
    image.Update()
    flat = vtk_to_numpy(image.GetOutput().GetPointData().GetScalars())
    inside: npt.NDArray[np.bool_] = flat.reshape(k, j, i).T > 0
    return inside
