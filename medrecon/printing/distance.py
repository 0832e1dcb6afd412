"""Signed distance from the nodes of a grid to a closed surface."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Mesh
from medrecon.core.nearest import as_poly_data


class SignedDistance:
    """Exact distance from grid nodes to a surface, negative inside; about 20 µs a node.

    What is inside is told by VTK's scan conversion, a count of crossings along lines: the
    sign of VTK's distance comes from the nearest face's normal, and a boolean's slivers
    have normals of no meaning.

    Parameters
    ----------
    mesh : Mesh
        Closed.
    grid : Geometry
        Axis-parallel and isotropic.
    """

    def __init__(self, mesh: Mesh, grid: Geometry) -> None:
        from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

        self.grid = grid
        # Near the grid's first node float32 keeps all its digits.
        origin = np.asarray(grid.origin_mm)
        self._vertices = (mesh.vertices_mm.astype(np.float64) - origin).astype(np.float32)
        self._surface: Any = as_poly_data(self._vertices, mesh.faces)
        self._function: Any = vtkImplicitPolyDataDistance()
        self._function.SetInput(self._surface)
        self._inside = _inside(self._surface, grid)

    def at(self, nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(n,) distances in mm at (n, 3) node indices."""
        from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkDoubleArray

        if not len(nodes):
            return np.zeros(0)
        points = np.ascontiguousarray(nodes * self.grid.spacing_mm[0], dtype=np.float64)
        given = numpy_to_vtk(points)
        found = vtkDoubleArray()
        self._function.FunctionValue(given, found)
        distance = np.abs(vtk_to_numpy(found))
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
