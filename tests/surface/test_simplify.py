from itertools import pairwise

import numpy as np
import pytest
import trimesh
from solids import blobs, box, field_of, grid, shell, sphere

from medrecon.core import Label, Mesh, threads
from medrecon.core.nearest import distance_to_surface
from medrecon.core.weld import weld
from medrecon.errors import UsageError
from medrecon.surface import collapse
from medrecon.surface.extract import extract_surface
from medrecon.surface.simplify import simplify
from medrecon.surface.validity import judge


def reread(mesh):
    """What an STL reader makes of the mesh: corners joined where they are equal."""
    corners = mesh.vertices_mm[mesh.faces].reshape(-1, 3)
    first, index = weld(corners)
    return Mesh(corners[first], index.reshape(-1, 3), mesh.label)


def ball(radius=14.0):
    return extract_surface(field_of(sphere((20.3, 19.9, 20.2), radius), grid((41, 41, 41))))


@pytest.mark.parametrize("tolerance_mm", [0.02, 0.1, 0.5])
def test_no_vertex_lies_further_than_the_tolerance(tolerance_mm):
    mesh = ball()
    simple = simplify(mesh, tolerance_mm=tolerance_mm)
    away = distance_to_surface(mesh.vertices_mm, simple.vertices_mm, simple.faces)
    assert away.max() <= tolerance_mm
    assert len(simple.faces) < len(mesh.faces)
    assert judge(reread(simple)).valid


def test_a_larger_tolerance_leaves_fewer_triangles():
    mesh = ball()
    counts = [len(simplify(mesh, tolerance_mm=t).faces) for t in (0, 0.02, 0.1, 0.5)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == len(mesh.faces)


def test_a_target_is_met_within_two_percent():
    mesh = ball()
    assert len(simplify(mesh, target_faces=1000).faces) == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kept", [0.5, 0.25, 0.1])
def test_blobs_stay_solids_in_a_file_at_any_target(seed, kept):
    mesh = extract_surface(blobs((24, 25, 26), seed, threshold=0.4 * (seed % 3 - 1)))
    simple = simplify(mesh, target_faces=max(4, int(kept * len(mesh.faces))))
    before, after = judge(mesh), judge(reread(simple))
    assert after.valid, after
    assert (after.components, after.cavities) == (before.components, before.cavities)


@pytest.mark.parametrize("seed", range(4))
def test_necks_of_one_voxel_do_not_come_off_inside_out(seed):
    mesh = extract_surface(blobs((16, 17, 18), seed, smooth=0.7))
    after = judge(reread(simplify(mesh, target_faces=len(mesh.faces) // 10)))
    assert after.valid, after


@pytest.mark.parametrize("seed", range(6))
def test_blobs_stay_solids_in_a_file_at_the_default_tolerance(seed):
    mesh = extract_surface(blobs((24, 25, 26), seed))
    assert judge(reread(simplify(mesh))).valid


def test_a_thin_shell_keeps_both_its_walls():
    # Outer radius 11, inner 9.5: a wall of one and a half voxels.
    mesh = extract_surface(field_of(shell((14.2, 14.1, 14.3), 11.0, 9.5), grid((29, 29, 29))))
    result = judge(simplify(mesh))
    assert result.valid
    assert (result.components, result.cavities) == (2, 1)


def test_a_speck_is_not_lost_beside_a_large_piece():
    def both(p):
        return np.maximum(sphere((20, 20, 20), 14.2)(p), sphere((37.2, 37.1, 37.3), 0.8)(p))

    mesh = extract_surface(field_of(both, grid((41, 41, 41))))
    assert judge(simplify(mesh, target_faces=300)).components == 2


def test_a_box_needs_few_triangles():
    # Its faces are flat up to float32; the edges are bevelled by the voxels.
    mesh = extract_surface(field_of(box((3.2, 3.3, 3.1), (20.7, 20.6, 20.9)), grid((25, 25, 25))))
    assert len(simplify(mesh).faces) < 0.1 * len(mesh.faces)


def test_the_same_mesh_gives_the_same_bytes():
    mesh = extract_surface(blobs((24, 25, 26), 1))
    one, two = simplify(mesh), simplify(mesh)
    assert one.vertices_mm.tobytes() == two.vertices_mm.tobytes()
    assert one.faces.tobytes() == two.faces.tobytes()


@pytest.mark.parametrize("how", [{"target_faces": 8000}, {"tolerance_mm": 0.1}])
def test_in_parts_as_in_one_and_on_one_core_as_on_several(how, monkeypatch):
    mesh = extract_surface(blobs((40, 36, 44), 3))
    whole = simplify(mesh, **how)
    # A tenth of what makes parts of a mesh in earnest; a run holds 2,731 faces.
    monkeypatch.setattr(collapse, "_LEAST", 5_000)
    monkeypatch.setattr(collapse, "_FEW", 0.5)
    assert len(collapse._parts_of(mesh.faces.reshape(-1), len(mesh.vertices_mm), 9)[0]) == 2
    parted = simplify(mesh, **how)
    assert judge(reread(parted)).valid
    assert judge(parted).components == judge(mesh).components
    assert len(parted.faces) == pytest.approx(len(whole.faces), rel=0.03)
    away = [distance_to_surface(mesh.vertices_mm, m.vertices_mm, m.faces) for m in (whole, parted)]
    assert away[1].mean() == pytest.approx(away[0].mean(), rel=0.1)
    if "tolerance_mm" in how:
        assert away[1].max() <= how["tolerance_mm"] * (1 + 1e-6)
    monkeypatch.setattr(threads, "cores", lambda: 1)
    alone = simplify(mesh, **how)
    assert alone.vertices_mm.tobytes() == parted.vertices_mm.tobytes()
    assert alone.faces.tobytes() == parted.faces.tobytes()


def test_far_fewer_triangles_are_reached_step_by_step_and_no_piece_is_lost():
    mesh = extract_surface(blobs((40, 36, 44), 3))
    before = judge(mesh)
    for share in (0.05, 0.02):
        simple = simplify(mesh, target_faces=int(share * len(mesh.faces)))
        after = judge(reread(simple))
        assert after.valid
        assert (after.components, after.cavities) == (before.components, before.cavities)
        assert len(simple.faces) < 0.12 * len(mesh.faces)


def test_a_lower_target_does_not_leave_more_of_a_thin_shell():
    # 0.3 mm thick, radius 50: collapsed to a tenth at once its walls go through one another.
    ball = trimesh.creation.icosphere(subdivisions=4, radius=50)
    count = len(ball.vertices)
    vertices = np.concatenate([ball.vertices, ball.vertices * 0.994])
    faces = np.concatenate([ball.faces, ball.faces[:, ::-1] + count])
    mesh = Mesh(vertices.astype(np.float32), faces.astype(np.int32), Label(1, "shell"))
    left = []
    for target in (5000, 3000, 1024, 400):
        simple = simplify(mesh, target_faces=target)
        assert judge(reread(simple)).valid
        left.append(len(simple.faces))
    assert all(b <= 1.1 * a for a, b in pairwise(left)), left


@pytest.mark.parametrize("scale", [8, 64])
def test_the_unit_does_not_matter(scale):
    mesh = extract_surface(blobs((40, 36, 44), 3))
    large = Mesh(mesh.vertices_mm * np.float32(scale), mesh.faces, mesh.label)
    target = len(mesh.faces) // 5
    own = collapse.collapse_to(mesh.vertices_mm, mesh.faces, target)
    scaled = collapse.collapse_to(large.vertices_mm, large.faces, target)
    # By a power of two every number stays the same but for its exponent.
    assert (own.group == scaled.group).all()
    assert (own.place_mm * np.float32(scale) == scaled.place_mm).all()


def test_a_mesh_that_is_no_solid_is_refused():
    mesh = ball()
    with pytest.raises(ValueError, match="no valid solid"):
        simplify(Mesh(mesh.vertices_mm, mesh.faces[::2], mesh.label), target_faces=100)


def test_senseless_options_are_refused():
    with pytest.raises(UsageError):
        simplify(ball(), tolerance_mm=-1)
    with pytest.raises(UsageError):
        simplify(ball(), target_faces=3)
