import numpy as np
import pytest
from solids import blobs, field_of, grid, sphere

from medrecon.core import Mesh
from medrecon.surface.extract import extract_surface
from medrecon.surface.face_grid import face_grid
from medrecon.surface.intersections import self_intersections
from medrecon.surface.predicates import side_of_plane
from medrecon.surface.simplify import simplify


def crossings(points, faces):
    return self_intersections(np.array(points, np.float32), np.array(faces, np.int32)).tolist()


FLAT = [[0, 0, 0], [4, 0, 0], [0, 4, 0]]


@pytest.mark.parametrize(
    ("other", "hit"),
    [
        ([[1, 1, -1], [1, 1, 1], [5, 5, 1]], True),  # an edge goes through
        ([[1, 1, 1], [1, 2, 1], [2, 1, 2]], False),  # above
        ([[1, 1, 0], [1, 1, 1], [5, 5, 1]], True),  # a corner rests on the face
        ([[5, 5, 0], [6, 5, 0], [5, 6, 0]], False),  # in the plane, beside
        ([[1, 1, 0], [6, 5, 0], [5, 6, 0]], True),  # in the plane, over it
        ([[0.5, 0.5, 0], [1, 0.5, 0], [0.5, 1, 0]], True),  # in the plane, within
        ([[2, 2, 0], [5, 5, 0], [5, 2, 0]], True),  # in the plane, touching the long side
        ([[3, 3, -1], [3, 3, 1], [5, 5, 0]], False),  # through the plane, past the face
    ],
)
def test_two_faces_without_a_common_corner(other, hit):
    assert bool(crossings(FLAT + other, [[0, 1, 2], [3, 4, 5]])) is hit
    assert bool(crossings(other + FLAT, [[0, 1, 2], [3, 4, 5]])) is hit


@pytest.mark.parametrize(
    ("two_more", "hit"),
    [
        ([[-4, 0, 0], [0, -4, 0]], False),  # the opposite sector of the plane
        ([[4, 4, 0], [1, 4, 0]], True),  # a sector over the face
        ([[4, -1, 0], [2, 0, 0]], True),  # along one of its sides
        ([[2, 2, 1], [2, 2, -1]], True),  # its far side goes through the face
        ([[9, 9, 1], [9, 9, -1]], True),  # a blade through corner and face
        ([[-1, 2, 1], [-1, 2, -1]], False),  # a blade that touches the corner only
        ([[2, 2, 1], [1, 2, 1]], False),  # rising from the corner
    ],
)
def test_two_faces_with_one_common_corner(two_more, hit):
    assert bool(crossings(FLAT + two_more, [[0, 1, 2], [0, 3, 4]])) is hit


@pytest.mark.parametrize(
    ("apex", "hit"), [([1, 3, 0], True), ([1, -3, 0], False), ([1, 3, 1e-6], False)]
)
def test_two_faces_with_a_common_edge_intersect_only_if_folded_flat(apex, hit):
    assert bool(crossings([*FLAT, apex], [[0, 1, 2], [1, 0, 3]])) is hit


def test_sides_are_exact_where_float64_is_not():
    # d is off the plane x + y + z = 1 by one float32 step at 2^-24 in z.
    a, b, c = (np.eye(3, dtype=np.float32)[n : n + 1] for n in range(3))
    third = np.float32(1 / 3)
    for z, side in ((np.float32(1) - third - third, 0), (np.float32(0.25), -1)):
        d = np.array([[third, third, z]], np.float32)
        exact = float(third) + float(third) + float(z) - 1
        assert side_of_plane(a, b, c, d)[0] == np.sign(exact)
        assert np.sign(exact) == side or side == 0


def test_two_balls_that_overlap_cross_and_the_pairs_are_those_of_brute_force():
    mesh = extract_surface(field_of(sphere((6.2, 6.1, 6.3), 4), grid((13, 13, 13))))
    moved = mesh.vertices_mm + np.float32(1.37)
    vertices = np.concatenate([mesh.vertices_mm, moved])
    faces = np.concatenate([mesh.faces, mesh.faces + len(moved)])
    pairs = self_intersections(vertices, faces)
    low, high = vertices[faces].min(axis=1), vertices[faces].max(axis=1)
    # Everything the boxes allow, tested one by one.
    slow = []
    for a in range(len(mesh.faces)):
        near = ((low[a] <= high) & (low <= high[a])).all(axis=1)
        others = np.flatnonzero(near[len(mesh.faces) :]) + len(mesh.faces)
        slow += [[a, b] for b in others if len(self_intersections(vertices, faces[[a, b]]))]
    assert len(pairs) > 50
    assert pairs.tolist() == slow


def as_one_by_one(vertices, faces, marked):
    """The pairs, found as they are when each pair of faces is tested alone."""
    slow = [
        [a, b]
        for a in range(len(faces))
        for b in range(a + 1, len(faces))
        if len(self_intersections(vertices, faces[[a, b]]))
    ]
    assert self_intersections(vertices, faces).tolist() == slow
    some = [pair for pair in slow if marked[pair].any()]
    assert self_intersections(vertices, faces, among=marked).tolist() == some
    return slow


def test_a_few_huge_faces_among_small_ones_are_found():
    # Small faces scattered at random, and large ones across them all: every pair tested.
    rng = np.random.default_rng(1)
    size = np.repeat([0.5, 8.0], [60, 8])[:, None, None]
    corners = (rng.uniform(0, 10, (68, 1, 3)) + rng.uniform(-1, 1, (68, 3, 3)) * size).astype("f4")
    vertices, faces = corners.reshape(-1, 3), np.arange(204, dtype=np.int32).reshape(-1, 3)
    assert len(as_one_by_one(vertices, faces, marked=np.arange(68) % 5 == 0)) > 8


def test_faces_of_all_sizes_find_one_another_on_their_different_grids():
    # Their mean length is a quarter: the finest grid is for up to a half, the next for up to 2,
    # then 8 and 32.
    rng = np.random.default_rng(2)
    size = np.repeat([0.04, 0.5, 8.0], [70, 16, 1])[:, None, None]
    middle = rng.uniform(0, 0.4, (87, 1, 3))
    corners = (middle + rng.uniform(-1, 1, (87, 3, 3)) * size).astype("f4")
    corners[-1] = [[-8, -8, 0.2], [8, -8, 0.2], [0, 8, 0.21]]
    vertices, faces = corners.reshape(-1, 3), np.arange(261, dtype=np.int32).reshape(-1, 3)
    grid = face_grid(vertices, faces)
    assert len(grid.levels) > 2
    assert sorted(grid.number.tolist()) == list(range(87))
    assert len(as_one_by_one(vertices, faces, marked=np.arange(87) % 7 == 0)) > 20


@pytest.mark.parametrize("seed", range(3))
def test_surfaces_do_not_cross_themselves_before_or_after_decimation(seed):
    mesh = extract_surface(blobs((22, 23, 24), seed))
    assert len(self_intersections(mesh.vertices_mm, mesh.faces)) == 0
    for options in ({}, {"target_faces": len(mesh.faces) // 10}):
        simple = simplify(mesh, **options)
        assert len(self_intersections(simple.vertices_mm, simple.faces)) == 0


def test_only_pairs_among_the_marked_faces_are_given():
    mesh = extract_surface(field_of(sphere((6.2, 6.1, 6.3), 4), grid((13, 13, 13))))
    vertices = np.concatenate([mesh.vertices_mm, mesh.vertices_mm + np.float32(1.37)])
    faces = np.concatenate([mesh.faces, mesh.faces + len(mesh.vertices_mm)])
    both = Mesh(vertices, faces, mesh.label)
    every = self_intersections(both.vertices_mm, both.faces)
    marked = np.zeros(len(faces), bool)
    marked[every[0, 0]] = True
    some = self_intersections(both.vertices_mm, both.faces, among=marked)
    assert some.tolist() == every[(every == every[0, 0]).any(axis=1)].tolist()
