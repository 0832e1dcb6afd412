"""Field to mesh: where it is zero, in the patient's millimetres."""

from __future__ import annotations

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
    planes, rows, columns = values.shape
    at_once = cores() if threads and values.size > _SMALL else 1
    inside = np.zeros((planes + 2, rows + 2, (columns + 2 + 63) // 64), np.uint64)
    in_parts(lambda a, b: extract_loops.mark_inside(values, inside, a, b), planes, threads=at_once)
    row = np.empty((planes + 1, rows + 1, 4), np.int64)
    count, edges = (frozen(table, np.uint8) for table in cases())
    in_parts(
        lambda a, b: extract_loops.count_row_by_row(inside, count, row, a, b),
        planes + 1,
        threads=at_once,
    )
    vertices, triangles = extract_loops.number_rows(row)
    place = np.empty((vertices, 3), np.float32)
    faces = np.empty((triangles, 3), np.int32)
    affine = frozen(field.geometry.affine_lps[:3], np.float64)
    if field.geometry.is_left_handed:
        # Wound outward in a right-handed frame; a mirror turns triangles inside out.
        edges = _turned(edges)

    def write(first: int, stop: int) -> None:
        extract_loops.place_vertices(values, inside, row, affine, place, first, stop)
        extract_loops.join_faces(inside, row, count, edges, faces, first, stop)

    in_parts(write, planes + 1, threads=at_once)
    return Mesh(place, faces, field.label)


def empty_mesh(label: Label) -> Mesh:
    """A mesh without triangles."""
    return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), label)


def _turned(edges: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Each triangle's corners in the other order."""
    return frozen(edges.reshape(-1, 3)[:, ::-1].reshape(edges.shape), np.uint8)
