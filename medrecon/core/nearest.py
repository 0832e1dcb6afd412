"""How far points lie from triangles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Vector = tuple[Floats, Floats, Floats]

# Pairs of point and triangle worked on at a time: a few MB, the processor's cache.
_BLOCK = 32768


def faces_around_vertices(
    faces: npt.NDArray[np.int32], vertex_count: int
) -> tuple[Integers, Integers]:
    """For each vertex the faces that it is a corner of.

    Returns
    -------
    start : ndarray of int64, shape (vertex_count + 1,)
    around : ndarray of int64, shape (3·m,)
        ``around[start[v]:start[v + 1]]`` are the faces of vertex v, ascending.
    """
    corner = faces.ravel()
    start = np.zeros(vertex_count + 1, np.int64)
    np.cumsum(np.bincount(corner, minlength=vertex_count), out=start[1:])
    return start, np.argsort(corner, kind="stable") // 3


def distance_to_fans(
    points_mm: npt.NDArray[np.float32],
    centre: npt.NDArray[np.integer],
    vertices_mm: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
    *,
    threads: int = 2,
) -> Floats:
    """Distance of each point to the faces around one vertex, in mm.

    An upper bound of the distance to the whole surface, and mostly equal to it where
    the vertex is the nearest one or the one that the point was joined to.

    Parameters
    ----------
    points_mm : ndarray of float32, shape (n, 3)
    centre : ndarray of integer, shape (n,)
        The vertex for each point. One without faces gives infinity.
    vertices_mm, faces
        The surface.
    """
    start, around = faces_around_vertices(faces, len(vertices_mm))
    count = start[centre + 1] - start[centre]
    cuts = np.searchsorted(
        np.cumsum(count), np.arange(_BLOCK, int(count.sum()) + 1, _BLOCK), side="right"
    )
    distance = np.full(len(points_mm), np.inf)

    def measure(part: Integers) -> None:
        n = count[part]
        if not n.any():
            return
        part, n = part[n > 0], n[n > 0]
        first = np.cumsum(n) - n
        pair = np.arange(int(n.sum())) - np.repeat(first - start[centre[part]], n)
        face = faces[around[pair]]
        point = np.repeat(points_mm[part], n, axis=0)
        squared = squared_distance(point, *(vertices_mm[face[:, c]] for c in range(3)))
        distance[part] = np.sqrt(np.minimum.reduceat(squared, first))

    parts = np.split(np.arange(len(points_mm)), np.unique(cuts))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(measure, parts))
    return distance


def squared_distance(
    point: npt.NDArray[np.float32],
    a: npt.NDArray[np.float32],
    b: npt.NDArray[np.float32],
    c: npt.NDArray[np.float32],
) -> Floats:
    """Squared distance of the n-th point to the n-th triangle, arrays of shape (n, 3)."""
    ab, ac, bc = _minus(b, a), _minus(c, a), _minus(c, b)
    ap, bp = _minus(point, a), _minus(point, b)
    normal = _cross(ab, ac)
    # Inside the prism over the triangle the plane is nearest, else one of the sides.
    u, v, w = (_dot(normal, _cross(s, t)) for s, t in ((ab, ap), (bc, bp), (ap, ac)))
    above = (u >= 0) & (v >= 0) & (w >= 0)
    length = _dot(normal, normal)
    plane = _dot(normal, ap) ** 2 / np.where(length > 0, length, 1)
    side = np.minimum(_to_segment(ap, ab), np.minimum(_to_segment(ap, ac), _to_segment(bp, bc)))
    return np.where(above & (length > 0), plane, side)


def _to_segment(from_start: Vector, along: Vector) -> Floats:
    length = _dot(along, along)
    t = np.clip(_dot(from_start, along) / np.where(length > 0, length, 1), 0, 1)
    rest = (f - t * s for f, s in zip(from_start, along, strict=True))
    x, y, z = rest
    return _dot((x, y, z), (x, y, z))


def _minus(p: npt.NDArray[np.float32], q: npt.NDArray[np.float32]) -> Vector:
    # Exact: the difference of two float32 of like size is taken in float64.
    x, y, z = (p[:, n].astype(np.float64) - q[:, n] for n in range(3))
    return x, y, z


def _cross(p: Vector, q: Vector) -> Vector:
    return (
        p[1] * q[2] - p[2] * q[1],
        p[2] * q[0] - p[0] * q[2],
        p[0] * q[1] - p[1] * q[0],
    )


def _dot(p: Vector, q: Vector) -> Floats:
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]


def distance_to_surface(
    points_mm: npt.NDArray[np.floating],
    vertices_mm: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
) -> Floats:
    """Distance of each point to the nearest point of a surface, in mm.

    Exact, and slow: about 8 µs a point.

    Parameters
    ----------
    points_mm : ndarray, shape (n, 3)
    vertices_mm, faces
        The surface, with at least one face.
    """
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkDoubleArray
    from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

    surface = vtkImplicitPolyDataDistance()
    surface.SetInput(as_poly_data(vertices_mm, faces))
    # An array of points is a sample of a function to VTK: one scalar per point.
    given = numpy_to_vtk(np.ascontiguousarray(points_mm, dtype=np.float64))
    found = vtkDoubleArray()
    surface.FunctionValue(given, found)
    distance: Floats = np.abs(vtk_to_numpy(found))
    return distance


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
