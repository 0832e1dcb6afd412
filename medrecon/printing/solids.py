"""Meshes as solids for exact booleans, and back as meshes that a file can hold.

Booleans are manifold3d's: guaranteed manifold in float64. A file holds float32, and
rounding can push a sliver through its neighbour, so what comes back is judged as it will
be written and tidied until nothing crosses.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from manifold3d import Error, Manifold, Mesh64

from medrecon.core import Label, Mesh, Space
from medrecon.errors import DamagedInputError, QualityGateError
from medrecon.printing.tidy import without_slivers
from medrecon.surface.intersections import self_intersections
from medrecon.surface.topology import doubled_area_vectors
from medrecon.surface.validity import judge

Matrix = npt.NDArray[np.float64]

# How far tidying may move a surface, tried in turn: from the step of float32 at 1 m up
# to a tenth of what any printer resolves.
_TIDY_MM = (1e-5, 1e-4, 1e-3, 3e-3, 0.01)

_REACH_MM = (1e-5, 1e-4, 1e-3, 1e-2, 5e-2, 5e-2)
"""Edges up to so long are collapsed in turn, only beside faces that cross."""


def solid_of(mesh: Mesh) -> Manifold:
    """The solid that a closed mesh bounds.

    Raises
    ------
    DamagedInputError
        If the mesh bounds none: open, not two-manifold, or inside out.
    """
    solid = _taken_in(mesh)
    if solid.status() != Error.NoError or solid.volume() <= 0:
        raise DamagedInputError(
            f"{mesh.label.name} bounds no solid; medrecon check says what is wrong with it"
        )
    return solid


def mesh_of(solid: Manifold, label: Label, *, space: Space = Space.PRINT) -> Mesh:
    """The solid's surface in float32, valid and free of self-intersections.

    Slivers that rounding would fold are taken out: the surface moves by at most 0.01 mm,
    beside faces that cross by at most 0.05 mm.

    Raises
    ------
    QualityGateError
        If it cannot be had.
    """
    if solid.is_empty():
        raise QualityGateError(f"nothing is left of {label.name}")
    for tidy_mm in _TIDY_MM:
        tidy = solid.simplify(tidy_mm)
        for reach_mm in _REACH_MM:
            if tidy.is_empty():
                break
            mesh = _rounded(tidy, label, space)
            crossing = crossing_faces(mesh.vertices_mm, mesh.faces)
            if judge(mesh).valid and not len(crossing):
                return mesh
            faces = without_slivers(mesh.vertices_mm, mesh.faces, crossing, reach_mm)
            # Taken in again as rounded, faces that have lost their area are collapsed.
            tidy = _taken_in(dataclasses.replace(mesh, faces=faces)).simplify(tidy_mm)
    raise QualityGateError(
        f"{label.name} crosses itself once rounded for a file, whatever was tried within "
        f"{_TIDY_MM[-1]} mm"
    )


def crossing_faces(
    vertices_mm: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
    *,
    among: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int64]:
    """(k, 2) pairs of faces that go through each other, among those with an area.

    Parameters
    ----------
    vertices_mm : ndarray of float32, shape (n, 3)
    faces : ndarray of int32, shape (m, 3)
    among : ndarray of bool, shape (m,), or None
        Look only for pairs of which one at least is marked.
    """
    real = np.flatnonzero((doubled_area_vectors(vertices_mm, faces) != 0).any(axis=0))
    asked = None if among is None else among[real]
    return real[self_intersections(vertices_mm, faces[real], among=asked)]


def _taken_in(mesh: Mesh) -> Manifold:
    points, corners = mesh.vertices_mm.astype(np.float64), mesh.faces.astype(np.uint64)
    return Manifold(Mesh64(vert_properties=points, tri_verts=corners))


def _rounded(solid: Manifold, label: Label, space: Space) -> Mesh:
    content: Any = solid.to_mesh64()
    points = np.asarray(content.vert_properties)[:, :3].astype(np.float32)
    return Mesh(points, np.asarray(content.tri_verts).astype(np.int32), label, space=space)


def placed(solid: Manifold, matrix: Matrix) -> Manifold:
    """The solid under a 4×4 for column vectors; a mirroring one keeps it outward."""
    return solid.transform(np.asarray(matrix, np.float64)[:3, :])


def bounds_mm(solid: Manifold) -> Matrix:
    """(2, 3) lowest and highest coordinates."""
    box = solid.bounding_box()
    return np.array([box[:3], box[3:]], np.float64)
