"""Distances to a closed surface, and on which side of it points lie."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "surface"))
from solids import field_of, grid, sphere

from medrecon.core import Mesh
from medrecon.core.solid import Solid
from medrecon.surface.extract import extract_surface
from medrecon.surface.simplify import simplify

CORNERS = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), np.float32).reshape(3, -1).T
# Two triangles for each side of the cube, outward.
SIDES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ]
)


def windings(points: npt.NDArray[np.float64], mesh: Mesh) -> npt.NDArray[np.float64]:
    """How often the surface goes around each point: the sum of its faces' solid angles.

    Van Oosterom A., Strackee J. IEEE Trans Biomed Eng 1983, DOI 10.1109/TBME.1983.325207.
    """
    corners = mesh.vertices_mm[mesh.faces].astype(np.float64)
    total = np.zeros(len(points))
    for n, point in enumerate(points):
        a, b, c = np.moveaxis(corners - point, 1, 0)
        la, lb, lc = (np.linalg.norm(x, axis=1) for x in (a, b, c))
        volume = np.einsum("ij,ij->i", a, np.cross(b, c))
        below = la * lb * lc + (a * b).sum(1) * lc + (a * c).sum(1) * lb + (b * c).sum(1) * la
        total[n] = np.arctan2(volume, below).sum() / (2 * np.pi)
    return total


def rough_body() -> Mesh:
    """A hollow ball beside a lump with waves, decimated: thin and obtuse faces."""
    geometry = grid((44, 30, 30))
    x = geometry.mm_from_index(np.indices(geometry.shape).reshape(3, -1).T)
    shell = np.minimum(sphere((12, 15, 15), 9)(x), -sphere((12, 15, 15), 5)(x))
    lump = sphere((31, 15, 15), 9)(x) + 2.0 * np.sin(1.3 * x[:, 0]) * np.cos(1.1 * x[:, 1])
    field = field_of(lambda _: np.maximum(shell, lump), geometry)
    return simplify(extract_surface(field), tolerance_mm=0.3)


def test_a_cube_has_six_sides_twelve_edges_and_eight_corners():
    rng = np.random.default_rng(3)
    points = rng.uniform(-1, 2, (4000, 3))
    # On the continuations of edges and sides, where rounding decides which face is nearest.
    points[:1000] = rng.choice([-0.5, 0.0, 0.5, 1.0, 1.5], (1000, 3))
    outside = np.maximum(np.abs(points - 0.5) - 0.5, 0)
    depth = np.minimum(0.5 - np.abs(points - 0.5).max(axis=1), 0.5)
    truth = np.where(depth > 0, -depth, np.linalg.norm(outside, axis=1))
    nearest = Solid(CORNERS, SIDES).nearest(points)
    np.testing.assert_allclose(nearest.distance_mm, truth, atol=1e-12)
    way = np.linalg.norm(nearest.place_mm - points, axis=1)
    np.testing.assert_allclose(way, np.abs(truth), atol=1e-12)


def test_a_reentrant_edge_is_seen_from_the_right_side():
    # Nearest to an edge of which one face looks towards the point and one away.
    spike = CORNERS * np.float32([1, 1, 8]) - np.float32([0, 0, 4])
    spike[[1, 3, 5, 7]] *= np.float32([0.01, 0.01, 1])
    mesh_points = np.array([[0.2, 0.2, 4.5], [0.004, 0.004, 3.9], [-0.1, -0.1, 4.0], [0.5, 0.5, 3]])
    solid = Solid(spike, SIDES)
    inside = solid.distance_mm(mesh_points) < 0
    from medrecon.core import Label

    wound = windings(mesh_points, Mesh(spike, SIDES.astype(np.int32), Label(1, "spike")))
    assert inside.tolist() == (wound > 0.5).tolist()
    assert inside.any()
    assert not inside.all()


def test_the_side_is_the_one_that_the_surface_goes_around():
    body = rough_body()
    low, high = body.bounds_mm
    rng = np.random.default_rng(1)
    points = rng.uniform(low - 2, high + 2, (1500, 3))
    # Half of them close by: there the side is told by edges and corners of the faces.
    on = body.vertices_mm[rng.integers(len(body.vertices_mm), size=750)].astype(np.float64)
    points[:750] = on + rng.normal(0, 0.2, (750, 3))
    inside = Solid(body.vertices_mm, body.faces).distance_mm(points) < 0
    wound = windings(points, body)
    np.testing.assert_allclose(wound, np.round(wound), atol=1e-6)
    assert inside.tolist() == (wound > 0.5).tolist()
    assert 0.1 < inside.mean() < 0.9


@pytest.mark.parametrize("shift", [0.0, 700.0])
def test_distances_are_vtks(shift):
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkDoubleArray
    from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

    from medrecon.core.nearest import as_poly_data

    body = rough_body()
    vertices = body.vertices_mm + np.float32(shift)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    points = np.random.default_rng(2).uniform(low - 2, high + 2, (2000, 3))
    function = vtkImplicitPolyDataDistance()
    function.SetInput(as_poly_data(vertices, body.faces))
    theirs = vtkDoubleArray()
    function.FunctionValue(numpy_to_vtk(points), theirs)
    ours = Solid(vertices, body.faces).distance_mm(points)
    np.testing.assert_allclose(ours, vtk_to_numpy(theirs), atol=1e-9 + 1e-12 * shift)


def test_no_points_have_no_distances():
    assert Solid(CORNERS, SIDES).distance_mm(np.zeros((0, 3))).shape == (0,)


def test_nothing_has_no_inside():
    with pytest.raises(ValueError, match="without triangles"):
        Solid(CORNERS, SIDES[:0])
