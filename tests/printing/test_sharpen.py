"""Creases of hollows and of grown solids, where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from manifold3d import Manifold
from printing_shapes import ball, block

from medrecon.core import Label, Mesh
from medrecon.core.nearest import distance_to_surface
from medrecon.printing.cut import Pins, Plane, add_pins, cut_in_two
from medrecon.printing.hollow import hollows_of
from medrecon.printing.measure import wall_figures
from medrecon.printing.offset import offset_solid
from medrecon.printing.solids import crossing_faces, mesh_of, solid_of
from medrecon.printing.split_faces import edges_of, split_faces

LABEL = Label(1, "part")


def places(solid: Manifold) -> np.ndarray:
    """Vertices, middles of edges and of faces: a chamfer shows between its vertices."""
    content = solid.to_mesh64()
    v = np.asarray(content.vert_properties)[:, :3]
    a, b, c = (v[corner] for corner in np.asarray(content.tri_verts).astype(int).T)
    return np.concatenate([v, (a + b) / 2, (b + c) / 2, (c + a) / 2, (a + b + c) / 3])


def crossings(solid: Manifold) -> int:
    mesh = mesh_of(solid, LABEL)
    return len(crossing_faces(mesh.vertices_mm, mesh.faces))


@pytest.mark.parametrize("turned_deg", [(0, 0, 0), (20, 33, 51)])
def test_a_hollow_cube_has_sharp_edges_and_corners_inside(turned_deg):
    # 30 mm with walls of 2 mm: the hollow is the cube of 26 mm, wherever it is turned to.
    turn = Manifold.cube((30, 30, 30), True).rotate(turned_deg)
    (hollow,) = hollows_of(mesh_of(turn, LABEL), 2.0)
    x, y, z = np.radians(turned_deg)
    cos, sin = np.cos, np.sin
    around_x = np.array([[1, 0, 0], [0, cos(x), -sin(x)], [0, sin(x), cos(x)]])
    around_y = np.array([[cos(y), 0, sin(y)], [0, 1, 0], [-sin(y), 0, cos(y)]])
    around_z = np.array([[cos(z), -sin(z), 0], [sin(z), cos(z), 0], [0, 0, 1]])
    back = places(hollow) @ (around_z @ around_y @ around_x)
    assert np.abs(np.abs(back).max(axis=1) - 13).max() < 0.05
    corners = np.array(np.meshgrid(*[(-13, 13)] * 3)).reshape(3, -1).T
    nearest = np.linalg.norm(back[:, None] - corners[None], axis=2).min(axis=0)
    assert nearest.max() < 0.1
    assert hollow.volume() == pytest.approx(26**3, rel=1e-3)
    assert crossings(hollow) == 0


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.0, 0.6, 0.8), (0.48, 0.6, 0.64)])
def test_the_wall_behind_the_rim_of_a_cut_ball_is_as_thick_as_elsewhere(normal):
    # Both halves' hollows: the ball of 13 mm up to 2 mm before the cut. Facets of the ball
    # lie up to 15·(1 − cos 1.7°) = 0.02 mm inside its sphere (icosphere of 5,120 faces).
    for half, side in zip(
        cut_in_two(solid_of(ball(15.0)), Plane(normal, 3.0)), (-1, 1), strict=True
    ):
        (hollow,) = hollows_of(mesh_of(half, LABEL), 2.0)
        points = places(hollow)
        before_cut = side * (points @ normal - 3.0) + 2.0
        off = np.maximum(np.linalg.norm(points, axis=1) - 13, before_cut)
        assert np.abs(off).max() < 0.1
        assert crossings(hollow) == 0


def test_hollows_beside_pins_and_sockets_are_free_of_crossings_and_never_thin():
    plane = Plane((0.0, 0.0, 1.0), 1.0)
    halves = cut_in_two(solid_of(ball(14.0)), plane)
    for half in add_pins(*halves, plane, Pins(clearance_mm=0.3, wall_mm=0.8))[:2]:
        outer = mesh_of(half, LABEL)
        hollows = hollows_of(outer, 2.0)
        figures = wall_figures(outer, hollows)
        assert figures["least"] >= 1.9
        assert figures["greatest"] <= 2.1
        assert [crossings(h) for h in hollows] == [0] * len(hollows)


def test_a_grown_corner_keeps_its_crease():
    # Two blocks at a right angle, grown by 1 mm, meet in a crease 1 mm out of both.
    angle = solid_of(block((20, 20, 4), (0, 0, -2))) + solid_of(block((4, 20, 20), (-8, 0, 6)))
    source = mesh_of(angle.rotate((13, 29, 7)), LABEL)
    grown = offset_solid(source, 1.0, spacing_mm=0.4)
    apart = distance_to_surface(places(grown), source.vertices_mm, source.faces)
    assert np.abs(apart - 1.0).max() < 0.06


def test_a_wall_is_measured_between_vertices_too():
    # All corners of this hollow are 2.0 mm from the cube; its edges are cut off by 0.4 mm
    # at 45°: in their middle it is 2.2 mm deep.
    outer = block((30, 30, 30))
    signs = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1).T
    rows = [signs * np.roll((13.0, 12.6, 12.6), n) for n in range(3)]
    hollow = Manifold.hull_points(np.concatenate(rows))
    figures = wall_figures(outer, [hollow])
    assert figures["least"] == pytest.approx(2.0, abs=1e-4)
    assert figures["greatest"] >= 2.2


def test_faces_split_anywhere_bound_the_same_solid():
    rng = np.random.default_rng(11)
    whole = ball(10.0)
    edges = edges_of(whole.faces)
    assert len(edges.ends) == len(whole.faces) * 3 // 2
    cut = np.flatnonzero(rng.random(len(edges.ends)) < 0.5)
    open_ = np.flatnonzero(rng.random(len(whole.faces)) < 0.1)
    v = whole.vertices_mm.astype(np.float64)
    points = np.concatenate(
        [v, v[edges.ends[cut]].mean(axis=1), v[whole.faces[open_]].mean(axis=1)]
    )
    on_edge, inside = np.full(len(edges.ends), -1), np.full(len(whole.faces), -1)
    on_edge[cut] = len(v) + np.arange(len(cut))
    inside[open_] = len(v) + len(cut) + np.arange(len(open_))
    faces = split_faces(points, whole.faces, on_edge[edges.of_face], inside)
    split = Mesh(points, faces, LABEL)
    # Each edge's point adds two faces, each face's point two.
    assert len(faces) == len(whole.faces) + 2 * len(cut) + 2 * len(open_)
    assert split.volume_mm3 == pytest.approx(whole.volume_mm3, rel=1e-6)
    assert len(edges_of(faces).ends) == len(faces) * 3 // 2
    solid_of(split)
