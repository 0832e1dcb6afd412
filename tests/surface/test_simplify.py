import numpy as np
import pytest
from solids import blobs, box, field_of, grid, shell, sphere

from medrecon.core import Mesh
from medrecon.core.nearest import distance_to_surface
from medrecon.core.weld import weld
from medrecon.errors import UsageError
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


def test_a_mesh_that_is_no_solid_is_refused():
    mesh = ball()
    with pytest.raises(ValueError, match="no valid solid"):
        simplify(Mesh(mesh.vertices_mm, mesh.faces[::2], mesh.label), target_faces=100)


def test_senseless_options_are_refused():
    with pytest.raises(UsageError):
        simplify(ball(), tolerance_mm=-1)
    with pytest.raises(UsageError):
        simplify(ball(), target_faces=3)
