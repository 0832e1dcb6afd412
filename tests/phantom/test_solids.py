"""Signed fields: what they say of points whose distance is known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrecon.phantom.primitives import box, capsule, dome, ellipsoid, half_space, sphere
from medrecon.phantom.ring import half_ring, torus
from medrecon.phantom.solid import (
    REACH_MM,
    Solid,
    difference,
    distance_mm,
    intersection,
    smooth_max,
    union,
)

ORIGIN = (0.0, 0.0, 0.0)
coordinate = st.floats(-30, 30)


def _at(solid: Solid, *points: tuple[float, float, float]) -> list[float]:
    x, y, z = np.array(points, dtype=float).T
    return [float(v) for v in solid.field(x, y, z)]


def test_a_sphere_is_as_deep_as_its_radius() -> None:
    assert _at(sphere((1, 2, 3), 5), (1, 2, 3), (1, 2, 8), (1, 5, 7)) == [5, 0, 0]


def test_a_capsule_is_round_at_its_ends_and_straight_between() -> None:
    rod = capsule(ORIGIN, (0, 0, 10), 2)
    assert _at(rod, (0, 0, -3), (5, 0, 5), (0, 0, 5)) == [-1, -3, 2]


def test_a_box_is_as_far_from_a_corner_as_pythagoras_says() -> None:
    brick = box((-1, -2, -3), (1, 2, 3))
    # Outside the corner (1, 2, 3) by (2, 3, 6): √(4 + 9 + 36) = 7. Inside: nearest face x = ±1.
    assert _at(brick, (3, 5, 9), (0.25, 0, 0)) == [-7, 0.75]


def test_a_torus_and_half_a_torus_agree_above() -> None:
    whole = torus(ORIGIN, (0, 1, 0), (20, 6))
    upper = half_ring(ORIGIN, (1, 0, 0), (0, 0, -1), (20, 6))
    assert _at(whole, (20, 0, 0), (0, 0, 29)) == [6, -3]
    assert np.allclose(_at(upper, (20, 0, 0), (0, 0, 29)), [6, -3])
    # Below, the half ring ends in a round cap at (±20, 0, 0): 10 below its centre, 4 outside.
    assert np.allclose(_at(upper, (20, 0, -10)), [-4])


def test_a_dome_is_a_cylinder_below_and_closed_above() -> None:
    trunk = dome(ORIGIN, (100, 60, 80), squareness=0.3, top_squareness=0.5, taper=0.0)
    on_surface = (100, 0, -500), (0, -60, -20), (0, 0, 80)
    assert np.allclose(_at(trunk, *on_surface), 0, atol=1e-9)
    assert np.allclose(_at(trunk, (0, 61, 0)), -1, atol=0.05)


@given(coordinate, coordinate, coordinate)
def test_an_ellipsoid_with_equal_axes_is_a_sphere(x: float, y: float, z: float) -> None:
    turn = np.linalg.qr(np.array([[1.0, 2, 3], [0, 1, 4], [5, 6, 0]]))[0]
    (ball,) = _at(ellipsoid((1, 2, 3), (9, 9, 9), turn), (x, y, z))
    (true,) = _at(sphere((1, 2, 3), 9), (x, y, z))
    assert abs(ball - true) < 1e-5


def test_the_distance_to_an_ellipsoid_is_exact_near_its_surface() -> None:
    # On the axis of semi-axis 20, one mm outside and two inside.
    egg = ellipsoid(ORIGIN, (20, 10, 8), np.eye(3))
    points = np.array([[21.0, 0, 0], [18.0, 0, 0], [0, -11.0, 0]])
    assert np.allclose(distance_mm(egg, points), [-1, 2, -1], atol=1e-4)


def test_union_intersection_and_difference_are_maximum_and_minimum() -> None:
    a, b = sphere((-3, 0, 0), 5), sphere((3, 0, 0), 5)
    middle, right = (0.0, 0.0, 0.0), (6.0, 0.0, 0.0)
    assert _at(union(a, b), middle, right) == [2, 2]
    assert _at(intersection(a, b), middle, right) == [2, -4]
    assert _at(difference(a, b), middle, right) == [-2, -4]


def test_a_blend_fills_the_corner_by_a_quarter_of_its_width() -> None:
    zero = np.zeros(1)
    assert smooth_max(zero, zero, 8.0)[0] == 2.0
    assert smooth_max(zero, zero - 8, 8.0)[0] == 0.0


def test_far_parts_are_not_evaluated_and_say_so() -> None:
    seen: list[int] = []

    def field(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        seen.append(np.broadcast_shapes(x.shape, y.shape, z.shape)[0])
        return 1 - np.abs(x) + 0 * y + 0 * z

    part = Solid(field, (-1, -1, -1), (1, 1, 1))
    x = np.array([-50.0, 0.0, 50.0])
    assert part.near(x, x * 0, x * 0).tolist() == [-REACH_MM, 1.0, -REACH_MM]
    grid = part.near(x.reshape(3, 1, 1), np.zeros((1, 1, 1)), np.zeros((1, 1, 1)))
    assert grid.ravel().tolist() == [-REACH_MM, 1.0, -REACH_MM]
    assert seen == [1, 1]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_scaling_scales_distances_and_bounds(factor: float) -> None:
    ball = sphere((4, 0, 0), 2).scaled(factor).moved((1, 1, 1))
    assert np.allclose(_at(ball, (4 * factor + 1, 1, 1)), 2 * factor)
    assert ball.high_mm == (6 * factor + 1, 2 * factor + 1, 2 * factor + 1)


def test_growing_a_half_space_moves_its_face() -> None:
    assert _at(half_space((0, 0, 1), 5).offset(2), (0, 0, 6)) == [1]
