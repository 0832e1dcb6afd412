import numpy as np
import pytest
import trimesh

from medrecon.core import Label, Mesh
from medrecon.core.weld import weld
from medrecon.errors import UnreadableInputError
from medrecon.files.stl import TRIANGLE, read_stl, save_stl

VERTICES = np.array([[0, 0, 0], [1.25, 0, 0], [0, 2.5, 0], [0, 0, 1e-3]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
MESH = Mesh(VERTICES, FACES, Label(1, "tetrahedron"))


def test_the_header_says_frame_and_unit_and_nothing_else(tmp_path):
    save_stl(MESH, tmp_path / "a.stl")
    content = (tmp_path / "a.stl").read_bytes()
    assert content[:80].rstrip() == b"medrecon SPACE=LPS UNIT=mm"
    assert len(content) == 84 + 50 * 4


def test_what_is_read_back_is_what_was_written_bit_by_bit(tmp_path):
    save_stl(MESH, tmp_path / "a.stl")
    vertices, faces = read_stl(tmp_path / "a.stl")
    assert len(vertices) == 4
    assert (vertices[faces] == VERTICES[FACES]).all()


def test_an_independent_reader_sees_the_same_solid(tmp_path):
    save_stl(MESH, tmp_path / "a.stl")
    other = trimesh.load(tmp_path / "a.stl")
    assert other.is_watertight
    assert other.is_winding_consistent
    assert other.volume == pytest.approx(1.25 * 2.5 * 1e-3 / 6, rel=1e-5)
    assert np.array_equal(other.bounds.astype(np.float32), MESH.bounds_mm.astype(np.float32))


def test_normals_are_of_unit_length_and_point_outward(tmp_path):
    save_stl(MESH, tmp_path / "a.stl")
    rows = np.frombuffer((tmp_path / "a.stl").read_bytes()[84:], TRIANGLE)
    assert np.allclose(np.linalg.norm(rows["normal"], axis=1), 1, atol=1e-6)
    # The first face lies in the plane z = 0, below the fourth corner.
    assert rows["normal"][0].tolist() == [0, 0, -1]


def test_a_triangle_without_area_has_no_normal_and_many_blocks_follow_one_another(tmp_path):
    # Four triangles again and again, 70,000 times further along x: five blocks.
    count = 70_000
    steps = np.arange(count, dtype=np.float32)[:, None, None]
    vertices = (VERTICES + steps * np.array([2, 0, 0], np.float32)).reshape(-1, 3)
    faces = (FACES + 4 * np.arange(count, dtype=np.int32)[:, None, None]).reshape(-1, 3)
    faces[7] = (5, 6, 6)
    save_stl(Mesh(vertices, faces, MESH.label), tmp_path / "a.stl")
    rows = np.frombuffer((tmp_path / "a.stl").read_bytes()[84:], TRIANGLE)
    assert np.array_equal(rows["corners"], vertices[faces])
    assert rows["normal"][7].tolist() == [0, 0, 0]
    corners = vertices[faces].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    exact = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    # Coordinates up to 140,000 with steps of 1/64 leave nothing of a height of 0.001.
    plain = np.abs(exact[:, 2]) > 0.9
    assert np.allclose(rows["normal"][plain], exact[plain], atol=1e-5)
    assert not rows["attribute"].any()


@pytest.mark.parametrize("content", [b"", b"solid ascii\nfacet", bytes(84) + b"\0" * 49])
def test_what_is_no_binary_stl_is_refused(tmp_path, content):
    (tmp_path / "bad.stl").write_bytes(content)
    with pytest.raises(UnreadableInputError):
        read_stl(tmp_path / "bad.stl")


def test_a_count_that_the_length_contradicts_is_refused(tmp_path):
    save_stl(MESH, tmp_path / "a.stl")
    content = (tmp_path / "a.stl").read_bytes()
    (tmp_path / "b.stl").write_bytes(content[:-50])
    with pytest.raises(UnreadableInputError, match="announces 4 triangles"):
        read_stl(tmp_path / "b.stl")


def test_welding_joins_minus_zero_and_keeps_the_order_of_appearance():
    points = np.array([[3, 0, 0], [1, -0.0, 0], [1, 0, 0], [3, 0, 0], [2, 0, 0]], np.float32)
    first, index = weld(points)
    assert first.tolist() == [0, 1, 4]
    assert index.tolist() == [0, 1, 1, 0, 2]


def test_welding_agrees_with_numpys_unique_on_many_points():
    points = np.random.default_rng(0).integers(0, 9, (20000, 3)).astype(np.float32)
    first, index = weld(points)
    assert (points[first][index] == points).all()
    assert len(first) == len(np.unique(points, axis=0))


def test_points_with_colliding_hashes_stay_apart(monkeypatch):
    # A hash that sees only x: every run holds many different points.
    monkeypatch.setattr("medrecon.core.weld._hash", lambda bits: bits[:, 0].astype(np.uint64) << 32)
    points = np.random.default_rng(0).integers(0, 4, (500, 3)).astype(np.float32)
    first, index = weld(points)
    assert (points[first][index] == points).all()
    assert len(first) == 64
