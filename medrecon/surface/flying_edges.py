"""VTK's Flying Edges on an array, in its index space."""

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

Vertices = npt.NDArray[np.float32]
Faces = npt.NDArray[np.int32]


def flying_edges(
    values: npt.NDArray[Any], *, threads: bool, first_plane: int = 0
) -> tuple[Vertices, Faces]:
    """Where an array is zero: vertices in index space, and faces wound outward there.

    Vertices come in scan order, row by row; in each row those on its own edges first,
    then those on the edges towards the next row and towards the next plane.

    Parameters
    ----------
    values : ndarray, shape (i, j, k)
        Positive inside, never 0. Fortran order is not copied.
    threads : bool
        Use VTK's thread pool; the result is the same byte by byte.
    first_plane : int
        Index k of the array's first plane: with it a slab has its vertices where the
        whole would have them, to the last bit.

    References
    ----------
    Schroeder W., Maynard R., Geveci B. Flying Edges: a high-performance scalable
    isocontouring algorithm. LDAV 2015, DOI 10.1109/LDAV.2015.7348069.
    """
    i, j, k = values.shape
    image = vtkImageData()
    image.SetExtent(0, i - 1, 0, j - 1, first_plane, first_plane + k - 1)
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
