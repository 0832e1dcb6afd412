"""A curved edge comes back to where it was before the scanner blurred it."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest

from medrecon.core import Geometry, Label, SoftField, away_from_zero
from medrecon.segmentation.curvature import MOST_VOXELS, without_blur_shift
from medrecon.surface.extract import extract_surface

LABEL = Label(1, "ball")
CENTRE = np.array([0.3, -0.2, 0.1])


def grid(spacing=(1.0, 1.0, 1.0), half=15.0, affine=None) -> Geometry:
    shape = tuple(int(2 * half / s) for s in spacing)
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if affine is None else affine) * spacing
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry.from_affine(matrix, shape)


def radii(geometry: Geometry) -> np.ndarray:
    index = np.indices(geometry.shape).reshape(3, -1).T
    return np.linalg.norm(geometry.mm_from_index(index) - CENTRE, axis=1).reshape(geometry.shape)


def blurred_ball(geometry: Geometry, radius: float, blur: float, contrast=1.0) -> SoftField:
    """Exactly: a ball seen through a Gaussian is, at distance r from its middle,

    ½[erf(a) + erf(b)] − σ/(r√2π) (e^(−a²) − e^(−b²)) with a, b = (R ∓ r)/(σ√2).
    """
    r = np.maximum(radii(geometry), 1e-6)
    a, b = (radius - r) / (blur * 2**0.5), (radius + r) / (blur * 2**0.5)
    error = np.vectorize(erf)
    seen = (error(a) + error(b)) / 2
    seen -= blur / (r * (2 * np.pi) ** 0.5) * (np.exp(-a * a) - np.exp(-b * b))
    values = (contrast * (seen - 0.5)).astype(np.float32)
    return SoftField(LABEL, away_from_zero(values), geometry)


def bias(field: SoftField, radius: float) -> float:
    vertices = extract_surface(field).vertices_mm
    return float((np.linalg.norm(vertices - CENTRE, axis=1) - radius).mean())


@pytest.mark.parametrize("blur", [0.6, 0.9, 1.3])
def test_a_blurred_ball_gets_its_radius_back_and_tells_the_blur(blur):
    field = blurred_ball(grid(), 9, blur)
    # Half the variance times the curvature 2/R, to first order: blur²/9.
    assert bias(field, 9) == pytest.approx(-(blur**2) / 9, rel=0.25)
    straight, found = without_blur_shift(field, 1.0)
    assert abs(bias(straight, 9)) < 0.02
    # The formula takes a voxel's own averaging (1/12) for granted; here there is none.
    assert found**2 == pytest.approx(blur**2 - 1 / 12, rel=0.15, abs=0.08)


def test_a_cavity_is_put_right_too():
    inside = blurred_ball(grid(), 9, 1.2)
    hollow = SoftField(LABEL, -inside.values, inside.grid)
    straight, _ = without_blur_shift(hollow, 1.0)
    (there,) = [np.linalg.norm(extract_surface(straight).vertices_mm - CENTRE, axis=1)]
    # The outermost surface is the grid's own border.
    assert there[there < 12].mean() == pytest.approx(9, abs=0.02)


def test_noise_of_three_percent_is_taken_away_and_adds_no_bias():
    geometry = grid()
    clean = blurred_ball(geometry, 9, 1.2)
    noise = 0.03 * np.random.default_rng(0).standard_normal(geometry.shape)
    noisy = SoftField(LABEL, away_from_zero((clean.values + noise).astype(np.float32)), geometry)
    straight, _ = without_blur_shift(noisy, 1.0)
    away = [
        np.abs(np.linalg.norm(extract_surface(f).vertices_mm - CENTRE, axis=1) - 9)
        for f in (noisy, straight)
    ]
    assert away[1].mean() < 0.04 < 0.1 < away[0].mean()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.6), (0.7, 0.7, 0.7)])
@pytest.mark.parametrize("mirror", [1, -1])
def test_millimetres_count_on_any_grid(spacing, mirror):
    turned = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, mirror]])
    field = blurred_ball(grid(spacing, affine=turned), 9, 1.0)
    straight, _ = without_blur_shift(field, 1.0)
    assert abs(bias(straight, 9)) < 0.03 < 0.09 < abs(bias(field, 9))


def test_whole_numbers_stay_whole_and_the_unit_of_the_values_does_not_matter():
    geometry = grid()
    field = blurred_ball(geometry, 9, 1.0, contrast=2000)
    whole = SoftField(LABEL, (2 * np.rint(field.values / 2) + 1).astype(np.int16), geometry)
    straight, _ = without_blur_shift(whole, 2000.0)
    assert straight.values.dtype == np.int16
    assert (straight.values != 0).all()
    one, _ = without_blur_shift(blurred_ball(geometry, 9, 1.0), 1.0)
    assert bias(straight, 9) == pytest.approx(bias(one, 9), abs=0.005)


def test_a_thin_wall_and_a_step_that_is_not_there_stay_as_they_are():
    geometry = grid()
    r = radii(geometry)
    # A wall of 1.5 voxels reaches two thirds of its height through a blur of 0.9.
    wall = (np.exp(-(((r - 9) / 1.2) ** 2)) * 0.7 - 0.45).astype(np.float32)
    thin = SoftField(LABEL, away_from_zero(wall), geometry)
    same, _ = without_blur_shift(thin, 1.0)
    assert np.array_equal(same.values, thin.values)
    ball = blurred_ball(geometry, 9, 1.0)
    for contrast in (0.0, float("nan")):
        assert without_blur_shift(ball, contrast) == (ball, None)
    nothing = SoftField(LABEL, np.full((9, 9, 9), -0.5, np.float32), grid(half=4.5))
    assert without_blur_shift(nothing, 1.0) == (nothing, None)
    assert MOST_VOXELS < 512 * 512 * 100


def test_a_level_that_is_not_half_way_between_its_sides_stays():
    ball = blurred_ball(grid(), 9, 1.0)
    high = SoftField(LABEL, away_from_zero(ball.values - np.float32(0.18)), ball.grid)
    same, _ = without_blur_shift(high, 1.0)
    assert np.array_equal(same.values, high.values)


def test_the_sign_changes_only_beside_the_surface():
    field = blurred_ball(grid(), 9, 1.0)
    straight, _ = without_blur_shift(field, 1.0)
    flipped = (field.values > 0) != (straight.values > 0)
    assert flipped.any()
    assert np.abs(radii(field.grid)[flipped] - 9).max() < 0.5
