"""Gap and overlap between structures that touch, as the written meshes have them.

Neighbours that shared one surface no longer do so once each has been decimated for
itself. What a printer or a simulation meets there is measured here, on both meshes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.core.nearest import as_poly_data

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SAMPLES = 4000
"""Points looked at on each of two meshes: their 95th percentile is known to 1 %, and
exact distances to them take a tenth of a second."""

# Cosine of two normals below which surfaces face one another: 60° of opposite.
_FACING = -0.5
# Cosine between a normal and the way to the other surface: 45°, or it lies aside.
_AHEAD = 0.7
# Below this a distance has no sign: float32 millimetres at a metre, sixteen times.
_ROUNDING_MM = 1e-3

# Steps of the plastic number's sequence, which fills a square evenly: points in triangles.
_SEQUENCE = (0.7548776662466927, 0.5698402909980532)


@dataclass(frozen=True, slots=True)
class Contact:
    """Where two meshes face one another closely, and by how much they miss.

    Parameters
    ----------
    names : tuple of str
        Of the two labels.
    area_mm2 : float
        Area of contact: mean of what was found from both sides.
    gap_mean_mm, gap_p95_mm, gap_max_mm : float
        Over the whole contact; where they overlap the gap is 0.
    overlap_mean_mm, overlap_p95_mm, overlap_max_mm : float
        Depth of one in the other, over the whole contact; where there is a gap it is 0.
    """

    names: tuple[str, str]
    area_mm2: float
    gap_mean_mm: float
    gap_p95_mm: float
    gap_max_mm: float
    overlap_mean_mm: float
    overlap_p95_mm: float
    overlap_max_mm: float


def contacts(
    meshes: Sequence[Mesh], *, reach_mm: float, samples: int = SAMPLES
) -> tuple[Contact, ...]:
    """Every pair of meshes that touch, in the meshes' order.

    Parameters
    ----------
    meshes : sequence of Mesh
        Closed, in one frame. A structure and what it includes (a kidney and its tumour)
        overlap on purpose: leave one of them out.
    reach_mm : float
        How far apart two surfaces may lie to count as touching. About a voxel: further
        apart than that the scan shows something between them.
    samples : int
        Points on each mesh of a pair.
    """
    found = (contact(a, b, reach_mm=reach_mm, samples=samples) for a, b in combinations(meshes, 2))
    return tuple(x for x in found if x is not None)


def contact(a: Mesh, b: Mesh, *, reach_mm: float, samples: int = SAMPLES) -> Contact | None:
    """Gap and overlap of two meshes where they touch; None if they do not.

    A point of one surface is in contact if it lies within the other solid, or if a part
    of that faces it from not more than `reach_mm` ahead.

    Examples
    --------
    >>> from medrecon.core import Label
    >>> corners = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4]], np.float32)
    >>> faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    >>> one = Mesh(corners, faces, Label(1, "one"))
    >>> below = corners * np.float32([1, 1, -1]) - np.float32([0, 0, 0.25])
    >>> two = Mesh(below, faces[:, ::-1], Label(2, "two"))
    >>> round(contact(one, two, reach_mm=0.5).gap_mean_mm, 3)
    0.25
    """
    sides = [_one_side(mine, yours, reach_mm, samples) for mine, yours in ((a, b), (b, a))]
    distance = np.concatenate([d for d, _ in sides])
    if not len(distance):
        return None
    gap, overlap = np.maximum(distance, 0), np.maximum(-distance, 0)
    return Contact(
        names=(a.label.name, b.label.name),
        area_mm2=float(np.mean([area for _, area in sides])),
        gap_mean_mm=float(gap.mean()),
        gap_p95_mm=float(np.percentile(gap, 95)),
        gap_max_mm=float(gap.max()),
        overlap_mean_mm=float(overlap.mean()),
        overlap_p95_mm=float(np.percentile(overlap, 95)),
        overlap_max_mm=float(overlap.max()),
    )


def _one_side(mesh: Mesh, other: Mesh, reach_mm: float, samples: int) -> tuple[Floats, float]:
    """Signed distances to the other (inside it negative) where in contact, and the area."""
    near = _faces_near(mesh, other, reach_mm)
    if not len(near):
        return np.zeros(0), 0.0
    points, normals, area = _spread(mesh, near, samples)
    distance = _signed_distance(points, other)
    touching = distance < -_ROUNDING_MM
    close = np.flatnonzero(~touching & (distance <= reach_mm))
    touching[close] = _faces_it(points[close], normals[close], distance[close], other)
    return distance[touching], area * float(touching.mean())


def _faces_near(mesh: Mesh, other: Mesh, reach_mm: float) -> npt.NDArray[np.int64]:
    """Faces of which the box lies within reach of the other's box."""
    if not (len(mesh.faces) and len(other.faces)):
        return np.zeros(0, np.int64)
    low, high = other.bounds_mm
    corners = mesh.vertices_mm[mesh.faces]
    apart = (corners.min(axis=1) > high + reach_mm) | (corners.max(axis=1) < low - reach_mm)
    return np.flatnonzero(~apart.any(axis=1))


def _spread(mesh: Mesh, faces: npt.NDArray[np.int64], samples: int) -> tuple[Floats, Floats, float]:
    """Points spread evenly over some faces, their unit normals, and the faces' area."""
    a, b, c = np.moveaxis(mesh.vertices_mm[mesh.faces[faces]].astype(np.float64), 1, 0)
    normal = np.cross(b - a, c - a)
    doubled = np.linalg.norm(normal, axis=1)
    total = np.cumsum(doubled)
    number = np.arange(samples)
    on = np.searchsorted(total, (number + 0.5) / samples * total[-1]).clip(max=len(faces) - 1)
    u, v = (np.mod((number + 1) * step, 1.0)[:, None] for step in _SEQUENCE)
    # The square's upper half is folded onto its lower one, a triangle.
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    points = a[on] + u * (b - a)[on] + v * (c - a)[on]
    return points, normal[on] / doubled[on, None], float(total[-1]) / 2


def _signed_distance(points_mm: Floats, mesh: Mesh) -> Floats:
    """Distance to a closed surface in mm, negative inside."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkDoubleArray
    from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

    surface = vtkImplicitPolyDataDistance()
    surface.SetInput(as_poly_data(mesh.vertices_mm, mesh.faces))
    found = vtkDoubleArray()
    surface.FunctionValue(numpy_to_vtk(np.ascontiguousarray(points_mm)), found)
    distance: Floats = vtk_to_numpy(found).copy()
    return distance


def _faces_it(points_mm: Floats, normals: Floats, distance_mm: Floats, mesh: Mesh) -> Mask:
    """Whether the part of a mesh nearest to each point lies ahead of it and looks back."""
    from vtkmodules.vtkCommonCore import mutable
    from vtkmodules.vtkCommonDataModel import vtkStaticCellLocator

    locator: Any = vtkStaticCellLocator()
    locator.SetDataSet(as_poly_data(mesh.vertices_mm, mesh.faces))
    locator.BuildLocator()
    cell, part, squared = mutable(0), mutable(0), mutable(0.0)
    nearest, way = np.zeros(len(points_mm), np.int64), np.zeros((len(points_mm), 3))
    for n, point in enumerate(points_mm.tolist()):
        where = [0.0, 0.0, 0.0]
        locator.FindClosestPoint(point, where, cell, part, squared)
        nearest[n], way[n] = int(cell), where
    a, b, c = np.moveaxis(mesh.vertices_mm[mesh.faces[nearest]].astype(np.float64), 1, 0)
    there = np.cross(b - a, c - a)
    there /= np.maximum(np.linalg.norm(there, axis=1), 1e-30)[:, None]
    ahead = ((way - points_mm) * normals).sum(axis=1) > _AHEAD * distance_mm
    faces: Mask = ((there * normals).sum(axis=1) < _FACING) & (ahead | (distance_mm < _ROUNDING_MM))
    return faces
