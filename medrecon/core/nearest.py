"""How far points lie from triangles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.boxtree import BoxTree

Floats = npt.NDArray[np.float64]


def distance_to_surface(
    points_mm: npt.NDArray[np.floating],
    vertices_mm: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
) -> Floats:
    """Distance of each point to the nearest point of a surface, in mm.

    Exact: about 2 µs a point, and 0.6 µs a face to begin with.

    Parameters
    ----------
    points_mm : ndarray, shape (n, 3)
    vertices_mm, faces
        The surface, with at least one face.
    """
    return BoxTree.of(vertices_mm, faces).distance_mm(points_mm)


def as_poly_data(vertices_mm: npt.NDArray[np.float32], faces: npt.NDArray[np.int32]) -> Any:
    """The same triangles as a `vtkPolyData`, vertices shared with the array."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    points, cells, surface = vtkPoints(), vtkCellArray(), vtkPolyData()
    points.SetData(numpy_to_vtk(vertices_mm, deep=0))
    cells.SetData(3, numpy_to_vtkIdTypeArray(faces.astype(np.int64).ravel(), deep=1))
    surface.SetPoints(points)
    surface.SetPolys(cells)
    return surface
