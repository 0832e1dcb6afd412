import numpy as np
import pytest

from medrecon.core import Label, Mesh
from medrecon.surface.validity import judge

LABEL = Label(1, "shape")
CUBE = np.array(list(np.ndindex(2, 2, 2)), np.float32)
# Two triangles a side, counter-clockwise seen from outside; corner n is n in binary.
SIDES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


def cube(size=1.0, at=(0.0, 0.0, 0.0), inward=False):
    return CUBE * size + np.asarray(at, np.float32), SIDES[:, ::-1] if inward else SIDES


def joined(*pieces):
    vertices = np.concatenate([v for v, _ in pieces])
    offset = np.cumsum([0] + [len(v) for v, _ in pieces])
    faces = np.concatenate([f + o for (_, f), o in zip(pieces, offset, strict=False)])
    return Mesh(vertices, faces, LABEL)


def test_a_cube_is_a_solid():
    found = judge(joined(cube()))
    assert found.valid
    assert (found.components, found.cavities, found.euler) == (1, 0, 2)
    assert found.volume_mm3 == pytest.approx(1)


def test_a_missing_face_leaves_three_open_edges():
    found = judge(Mesh(CUBE, SIDES[1:], LABEL))
    assert (found.open_edges, found.closed, found.valid) == (3, False, False)


def test_an_inside_out_cube_is_not_outward():
    found = judge(joined(cube(inward=True)))
    assert found.manifold
    assert not found.outward


def test_one_turned_face_is_inconsistent():
    faces = SIDES.copy()
    faces[0] = faces[0, ::-1]
    found = judge(Mesh(CUBE, faces, LABEL))
    assert (found.flipped_edges, found.consistent, found.valid) == (3, False, False)


def test_a_cavity_may_face_inward():
    found = judge(joined(cube(4), cube(1, (1.3, 1.2, 1.1), inward=True)))
    assert found.valid
    assert found.cavities == 1
    assert found.volume_mm3 == pytest.approx(63)


def test_an_inward_piece_outside_every_solid_is_wrong():
    found = judge(joined(cube(4), cube(1, (6, 1, 1), inward=True)))
    assert (found.wrong_components, found.valid) == (1, False)


def test_a_solid_inside_a_solid_is_wrong():
    found = judge(joined(cube(4), cube(1, (1.3, 1.2, 1.1))))
    assert (found.wrong_components, found.valid) == (1, False)


def test_an_island_in_a_cavity_is_right():
    island = cube(0.5, (1.6, 1.5, 1.4))
    assert judge(joined(cube(4), cube(1.5, (1.3, 1.2, 1.1), inward=True), island)).valid


def test_two_cubes_that_share_a_corner_are_pinched_there():
    vertices = np.concatenate([CUBE, CUBE[1:] + 0])
    vertices[8:] = -CUBE[1:]
    # The second cube is the first seen in a point mirror: its winding turns.
    second = np.where(SIDES == 0, 0, SIDES + 7)[:, ::-1]
    found = judge(Mesh(vertices, np.concatenate([SIDES, second]), LABEL))
    assert (found.nonmanifold_edges, found.pinched_vertices) == (0, 1)
    assert not found.manifold


def test_two_cubes_that_share_an_edge_have_one_edge_of_four_faces():
    apart = joined(cube(), cube(1, (1, 1, 0)))
    # Corners (1,1,0) and (1,1,1) of the first are (0,0,0) and (0,0,1) of the second.
    faces = apart.faces.copy()
    faces[faces == 8], faces[faces == 9] = 6, 7
    assert judge(Mesh(apart.vertices_mm, faces, LABEL)).nonmanifold_edges == 1


def test_faces_without_area_and_twice_the_same_face_are_counted():
    flat = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], np.float32)
    found = judge(Mesh(flat, np.array([[0, 1, 2], [2, 1, 0]]), LABEL))
    assert (found.degenerate_faces, found.duplicate_faces, found.valid) == (2, 1, False)


def test_an_empty_mesh_is_no_solid():
    nothing = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), LABEL)
    assert not judge(nothing).valid
