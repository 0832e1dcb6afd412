"""Smoothing: bounded, the same volume, the same triangles, and measured."""

from __future__ import annotations

import numpy as np
import pytest
from solids import LABEL, blobs, field_of, grid, shell, sphere, torus

from medrecon.core import Mesh, SoftField, away_from_zero
from medrecon.errors import UsageError
from medrecon.surface.extract import extract_surface
from medrecon.surface.intersections import self_intersections
from medrecon.surface.smooth import Smoothing, smooth_surface
from medrecon.surface.validity import judge

BOTH = pytest.mark.parametrize("method", [Smoothing.SINC, Smoothing.TAUBIN])


def noisy(function, shape, noise=0.25, seed=0):
    field = field_of(function, grid(shape))
    values = field.values + noise * np.random.default_rng(seed).standard_normal(shape)
    return extract_surface(SoftField(LABEL, away_from_zero(values.astype(np.float32)), field.grid))


@BOTH
def test_a_noisy_ball_becomes_rounder_keeps_its_volume_and_no_vertex_goes_too_far(method):
    centre = np.array([15.3, 15.1, 14.8])
    rough = noisy(sphere(centre, 12), (31, 31, 31))
    smooth, effect = smooth_surface(rough, method, limit_mm=0.5)
    off = [np.abs(np.linalg.norm(m.vertices_mm - centre, axis=1) - 12) for m in (rough, smooth)]
    assert off[1].mean() < 0.75 * off[0].mean()
    way = np.linalg.norm(smooth.vertices_mm - rough.vertices_mm, axis=1)
    assert way.max() <= 0.5
    assert effect.max_mm == pytest.approx(way.max(), abs=1e-5)
    assert effect.mean_mm == pytest.approx(way.mean(), abs=1e-5)
    assert abs(effect.volume_change) < 1e-3
    assert smooth.volume_mm3 == pytest.approx(rough.volume_mm3 * (1 + effect.volume_change))
    assert smooth.area_mm2 == pytest.approx(rough.area_mm2 * (1 + effect.area_change))
    assert effect.area_change < -0.05


@BOTH
def test_the_roughest_surface_keeps_its_triangles_its_topology_and_does_not_cross_itself(method):
    rough = extract_surface(blobs((26, 25, 24), 0, threshold=0.3, smooth=0.8))
    smooth, effect = smooth_surface(rough, method, limit_mm=0.5)
    assert np.array_equal(smooth.faces, rough.faces)
    assert judge(smooth).valid
    assert judge(smooth).euler == judge(rough).euler
    assert len(self_intersections(smooth.vertices_mm, smooth.faces)) == 0
    # Without taking it back here and there it would have.
    assert effect.held_back > 0


def test_each_piece_keeps_its_own_volume_also_a_cavity():
    rough = noisy(shell((16, 16, 16), 12, 7), (33, 33, 33), noise=0.1)
    smooth, effect = smooth_surface(rough, Smoothing.SINC, limit_mm=0.5)
    assert abs(effect.volume_change) < 1e-3
    inner = np.linalg.norm(rough.vertices_mm[rough.faces[:, 0]] - 16, axis=1) < 9.5
    for part in (inner, ~inner):
        one, two = (Mesh(m.vertices_mm, m.faces[part], LABEL).volume_mm3 for m in (rough, smooth))
        assert two == pytest.approx(one, rel=2e-3)


@BOTH
def test_shifts_flips_and_scales_change_nothing_but_place_and_size(method):
    rough = noisy(torus((14, 14, 8), 8, 4), (29, 29, 17))
    smooth, effect = smooth_surface(rough, method, limit_mm=0.4)
    moved = Mesh(rough.vertices_mm * 2 + np.float32([10, -20, 30]), rough.faces, LABEL)
    there, twice = smooth_surface(moved, method, limit_mm=0.8)
    assert np.allclose(there.vertices_mm, smooth.vertices_mm * 2 + [10, -20, 30], atol=2e-3)
    assert twice.max_mm == pytest.approx(2 * effect.max_mm, rel=1e-3)
    flipped = Mesh(rough.vertices_mm * np.float32([-1, 1, 1]), rough.faces[:, ::-1], LABEL)
    mirror, _ = smooth_surface(flipped, method, limit_mm=0.4)
    assert np.allclose(mirror.vertices_mm, smooth.vertices_mm * [-1, 1, 1], atol=1e-3)


def test_none_and_a_limit_of_0_return_the_mesh_and_less_than_0_is_refused():
    mesh = extract_surface(field_of(sphere((8, 8, 8), 5), grid((17, 17, 17))))
    for method, limit in ((Smoothing.NONE, 1.0), (Smoothing.SINC, 0.0)):
        same, effect = smooth_surface(mesh, method, limit_mm=limit)
        assert same is mesh
        assert (effect.max_mm, effect.volume_change, effect.held_back) == (0, 0, 0)
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), LABEL)
    assert smooth_surface(empty, Smoothing.SINC, limit_mm=1.0)[0] is empty
    with pytest.raises(UsageError, match="limit"):
        smooth_surface(mesh, Smoothing.SINC, limit_mm=-1)
