"""Field to mesh: where it is zero, in the patient's millimetres."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medrecon.core import Label, Mesh, SoftField
from medrecon.core.compiled import frozen
from medrecon.core.threads import cores, in_parts
from medrecon.surface import extract_loops
from medrecon.surface.cell_cases import cases

_SMALL = 1 << 18
"""Voxels below which a second thread costs more than it saves."""


def extract_surface(field: SoftField, *, threads: bool = True) -> Mesh:
    """The closed surface where the field is zero, wound outward.

    Crossings of the grid's edges are found by the sides of the voxels alone and taken to
    LPS by the block's affine in float64, so an oblique, sheared or left-handed grid is as
    exact as any. Where the structure reaches the border of the grid it is capped at
    the voxel edge, half a voxel beyond the last centre.

    Parameters
    ----------
    field : SoftField
        Not copied. In between a bit a voxel is held, and four numbers a row.
    threads : bool
        Work on several cores. The result is the same byte by byte: every row of
        voxels knows where its vertices go before any is written.

    Returns
    -------
    Mesh
        Vertices float32 in LPS mm, in scan order: row by row those along the row, then
        those towards the next row and the next plane. Empty if the field is nowhere
        positive. Closed and 2-manifold also after float32 rounding: no vertex is nearer
        to a voxel centre than `grid_places.CLEARANCE_VOXELS`.

    References
    ----------
    Lorensen W., Cline H. Marching cubes: a high resolution 3D surface construction
    algorithm. SIGGRAPH 1987, DOI 10.1145/37401.37422. Schroeder W., Maynard R., Geveci B.
    Flying Edges: a high-performance scalable isocontouring algorithm. LDAV 2015, DOI
    10.1109/LDAV.2015.7348069 (rows counted first, then each at its own place).
    """
    values = frozen(field.values.T, field.values.dtype)
    geometry = field.geometry
    outline = outline_of(values, threads=threads, turned=geometry.is_left_handed)
    place = places(values, outline, geometry.affine_lps, threads=threads)
    return Mesh(place, outline.faces, field.label)


class Outline(NamedTuple):
    """What the sides of the voxels say about a surface; the values only say where it lies.

    Parameters
    ----------
    inside : ndarray of uint64
        A bit a voxel (`extract_loops`).
    row : ndarray of int64, shape (k + 1, j + 1, 4)
        Where the vertices of each row begin in the list, along three axes, and its faces.
    vertices : int
        How many.
    faces : ndarray of int32, shape (m, 3)
    """

    inside: npt.NDArray[np.uint64]
    row: npt.NDArray[np.int64]
    vertices: int
    faces: npt.NDArray[np.int32]


def outline_of(values: npt.NDArray[Any], *, threads: bool = True, turned: bool = False) -> Outline:
    """Which edges of the grid the surface crosses, and the faces between them.

    Parameters
    ----------
    values : ndarray of float32 or int16, shape (k, j, i)
        C order, read-only, never 0.
    threads : bool
    turned : bool
        Wind faces the other way: the indices are those of a mirror.
    """
    planes, rows, columns = values.shape
    at_once = _at_once(values, threads)
    inside = np.zeros((planes + 2, rows + 2, (columns + 2 + 63) // 64), np.uint64)
    in_parts(partial(extract_loops.mark_inside, values, inside), planes, threads=at_once)
    row = np.empty((planes + 1, rows + 1, 4), np.int64)
    each, edges = (frozen(table, np.uint8) for table in cases())
    work = partial(extract_loops.count_row_by_row, inside, each, row)
    in_parts(work, planes + 1, threads=at_once)
    vertices, triangles = extract_loops.number_rows(row)
    faces = np.empty((triangles, 3), np.int32)
    work = partial(
        extract_loops.join_faces, inside, row, each, _turned(edges) if turned else edges, faces
    )
    in_parts(work, planes + 1, threads=at_once)
    return Outline(inside, row, int(vertices), faces)


def places(
    values: npt.NDArray[Any],
    outline: Outline,
    affine: npt.NDArray[np.float64],
    *,
    threads: bool = True,
) -> npt.NDArray[np.float32]:
    """Where the values, with the signs of the outline, put its vertices by a 4×4 affine."""
    place = np.empty((outline.vertices, 3), np.float32)
    work = partial(
        extract_loops.place_vertices,
        values, outline.inside, outline.row, frozen(affine[:3], np.float64), place,
    )  # fmt: skip
    in_parts(work, values.shape[0] + 1, threads=_at_once(values, threads))
    return place


def crossed_edges(values: npt.NDArray[np.float32], outline: Outline) -> npt.NDArray[np.float32]:
    """(n, 7) of each vertex the edge it lies on and the values at its ends (see the loop)."""
    edge = np.empty((outline.vertices, 7), np.float32)
    extract_loops.crossed_edges(values, outline.inside, outline.row, edge)
    return edge


def _at_once(values: npt.NDArray[Any], threads: bool) -> int:
    return cores() if threads and values.size > _SMALL else 1


def empty_mesh(label: Label) -> Mesh:
    """A mesh without triangles."""
    return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), label)


def _turned(edges: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Each triangle's corners in the other order."""
    return frozen(edges.reshape(-1, 3)[:, ::-1].reshape(edges.shape), np.uint8)
