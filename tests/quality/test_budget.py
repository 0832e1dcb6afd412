import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "surface"))
from solids import LABEL, box, field_of, grid, sphere

from medrecon.core import Mesh, SoftField
from medrecon.quality.budget import FullSurface, measure
from medrecon.quality.field_distance import signed_distance_mm
from medrecon.quality.gate import Verdict, acquisition_limit_mm, verdict
from medrecon.quality.volume import field_volume_ml
from medrecon.surface.extract import extract_surface


def ball(radius=12.0):
    field = field_of(sphere((16.3, 15.9, 16.2), radius), grid((33, 33, 33)))
    return field, extract_surface(field)


def grown(mesh, by_mm, centre=(16.3, 15.9, 16.2)):
    away = mesh.vertices_mm - np.asarray(centre, np.float32)
    longer = 1 + by_mm / np.linalg.norm(away, axis=1, keepdims=True)
    return Mesh((np.asarray(centre) + away * longer).astype(np.float32), mesh.faces, LABEL)


def test_the_full_surface_has_next_to_no_processing_error():
    field, mesh = ball()
    budget = measure(field, mesh, reference=FullSurface.of(mesh))
    # Vertices are exact; a facet's centre lies inside by the sagitta of a one-voxel
    # chord on 12 voxels: up to 0.7²/(2·12) = 0.02 mm.
    assert budget.max_mm < 0.025
    assert budget.field_to_mesh.max_mm < 1e-5
    assert budget.volume_change == 0


@pytest.mark.parametrize("by_mm", [0.3, -0.4])
def test_a_surface_moved_along_its_normals_is_that_far_away_and_on_that_side(by_mm):
    field, mesh = ball()
    budget = measure(field, grown(mesh, by_mm), reference=FullSurface.of(mesh))
    assert budget.mesh_to_field.signed_mean_mm == pytest.approx(by_mm, abs=0.02)
    assert budget.field_to_mesh.mean_mm == pytest.approx(abs(by_mm), abs=0.02)
    # (12 + d)³ / 12³ − 1 is 3 d / 12 to first order.
    assert budget.volume_change == pytest.approx((1 + by_mm / 12) ** 3 - 1, abs=5e-3)


def test_distances_are_millimetres_on_an_anisotropic_oblique_grid():
    c, s = np.cos(0.5), np.sin(0.5)
    geometry = grid((40, 40, 20), (0.5, 0.6, 1.7), (9, -8, 7), [[c, -s, 0], [s, c, 0], [0, 0, 1]])
    centre = geometry.mm_from_index([[19.5, 19.5, 9.5]])[0]
    field = field_of(sphere(centre, 8), geometry)
    rays = np.random.default_rng(0).standard_normal((200, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    found = signed_distance_mm(field, centre + rays * 8.5)
    # Linear interpolation over 1.7 mm on a radius of 8 mm: 1.7²/(8·8) = 0.045 mm.
    assert np.abs(found - 0.5).max() < 0.06


def test_where_the_scan_ends_nothing_is_measured():
    field = field_of(box((3.2, 3.3, -5), (8.7, 8.6, 50)), grid((12, 12, 9)))
    mesh = extract_surface(field)
    budget = measure(field, mesh, reference=FullSurface.of(mesh))
    assert budget.vertices_at_caps > 0
    lower = mesh.vertices_mm.copy()
    lower[lower[:, 2] < -0.25, 2] -= 3
    moved = measure(field, replace(mesh, vertices_mm=lower), reference=FullSurface.of(mesh))
    assert moved.max_mm == pytest.approx(budget.max_mm, abs=1e-6)


def test_volume_of_a_field_is_that_of_its_solid():
    for radius, relative in ((5, 0.025), (10, 0.006), (14, 0.003)):
        # A distance field interpolated linearly loses about 0.6 / R² of a sphere.
        field = field_of(sphere((16.3, 15.9, 16.2), radius), grid((33, 33, 33)))
        exact_ml = 4 / 3 * np.pi * radius**3 / 1000
        assert field_volume_ml(field) == pytest.approx(exact_ml, rel=relative)
        mesh_ml = extract_surface(field).volume_mm3 / 1000
        assert field_volume_ml(field) == pytest.approx(mesh_ml, rel=0.004)


def test_volume_of_a_full_scan_counts_whole_voxels_and_no_more():
    field = SoftField(LABEL, np.full((5, 6, 17), 3, np.int16), grid((5, 6, 17), (1, 2, 0.5)))
    assert field_volume_ml(field) == pytest.approx(5 * 6 * 17 / 1000)


def test_volume_scales_with_the_voxel():
    values = ball()[0].values
    one = field_volume_ml(SoftField(LABEL, values, grid((33, 33, 33))))
    two = field_volume_ml(SoftField(LABEL, values, grid((33, 33, 33), (2, 2, 2))))
    assert two == pytest.approx(8 * one)


def test_the_gate_speaks_of_the_segmentation_and_passes_a_faithful_solid():
    field, mesh = ball()
    gate = verdict(measure(field, mesh, reference=FullSurface.of(mesh)), is_solid=True)
    assert gate.passed
    assert gate.statement == "faithful to the segmentation within 0.01 mm"
    assert gate.segmentation_error == "unknown for this patient"
    assert "accurate" not in gate.statement


def test_the_gate_refuses_what_strays_what_is_open_and_what_the_scan_cannot_tell():
    field, mesh = ball()
    good = measure(field, mesh, reference=FullSurface.of(mesh))
    strayed = measure(field, grown(mesh, 0.6), reference=FullSurface.of(mesh))
    assert verdict(strayed, is_solid=True).verdict is Verdict.NOT_FOR_PRINT
    assert verdict(good, is_solid=False).verdict is Verdict.NOT_FOR_PRINT
    assert verdict(good, is_solid=True, accept_mm=0.001).verdict is Verdict.NOT_FOR_PRINT
    thick = acquisition_limit_mm((0.7, 0.7, 5.0), 5.0)
    assert thick == 2.5
    assert verdict(good, is_solid=True, acquisition_mm=thick).verdict is Verdict.NOT_FOR_PRINT
    assert not verdict(good, is_solid=True, concerns=("a filled gap",)).passed


def test_what_drawing_on_finer_voxels_did_is_measured_both_ways_and_held_to_a_voxel():
    field, mesh = ball()
    reference = FullSurface.of(mesh)
    assert measure(field, mesh, reference=reference).finer_voxels is None
    same = measure(field, mesh, reference=reference, given=mesh)
    assert same.finer_voxels.max_mm < 1e-5
    assert verdict(same, is_solid=True).passed
    # A crumb 5 mm away, in one of the two only: on the one way or on the other.
    small = field_of(sphere((16.3, 15.9, 30), 1.2), grid((33, 33, 33)))
    crumb = extract_surface(small)
    faces = np.concatenate([mesh.faces, crumb.faces + len(mesh.vertices_mm)])
    both = Mesh(np.concatenate([mesh.vertices_mm, crumb.vertices_mm]), faces, LABEL)
    for budget in (
        measure(field, mesh, reference=reference, given=both),
        measure(field, mesh, reference=FullSurface.of(both), given=mesh),
    ):
        # From the ball's top at 28.2 to the crumb's at 31.2.
        assert budget.finer_voxels.max_mm == pytest.approx(3.0, abs=0.1)
        gate = verdict(budget, is_solid=True, accept_mm=5.0)
        assert gate.passed
        gate = verdict(budget, is_solid=True, voxel_mm=2.5)
        assert [r for r in gate.reasons if "finer voxels" in r and "more than a voxel" in r]
        assert not [r for r in verdict(budget, is_solid=True, voxel_mm=3.5).reasons if "finer" in r]
