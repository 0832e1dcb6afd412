"""Outlines of a plane's structures, their holes, and the way back to a field."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from medrecon.surface.contours import loop_area, zero_contours
from medrecon.surface.from_contours import plane_distance
from medrecon.surface.keyhole import keyholes


def radius(shape: tuple[int, int], centre: tuple[float, float]) -> np.ndarray:
    i, j = np.indices(shape)
    return np.hypot(i - centre[0], j - centre[1])


def test_a_disc_is_one_loop_with_the_inside_on_its_left() -> None:
    (loop,) = zero_contours(10 - radius((30, 26), (14.3, 12.6)))
    # Chords of a circle of 10 samples enclose a little less than 100 π.
    assert loop_area(loop) == pytest.approx(100 * np.pi, rel=0.005)
    assert np.abs(np.linalg.norm(loop - [14.3, 12.6], axis=1) - 10).max() < 0.02


def test_a_straight_edge_is_found_between_samples() -> None:
    # The field x − 3.25 on a grid of 8 × 6: everything from 3.25 to the border at 7.5,
    # where the pixel ends, and from −0.5 to 5.5 the other way.
    values = np.indices((8, 6))[0] - 3.25
    (loop,) = zero_contours(values)
    # Its corners are cut off: at the border triangles of ½ × ½, at the edge of ¾ × ½.
    cut = 2 * (0.5 * 0.5 / 2) + 2 * (0.75 * 0.5 / 2)
    assert loop_area(loop) == pytest.approx((7.5 - 3.25) * 6 - cut)
    assert loop[:, 0].min() == pytest.approx(3.25)
    assert loop[:, 0].max() == pytest.approx(7.5)


def test_a_saddle_is_joined_or_parted_by_its_middle() -> None:
    corners = np.full((6, 6), -1.0)
    corners[2, 2] = corners[3, 3] = 1.0
    for weak, loops in ((-0.5, 1), (-1.5, 2)):
        values = corners.copy()
        # Bilinear saddle: (1·1 − w·w) / (2 − 2w): inside if |w| < 1.
        values[2, 3] = values[3, 2] = weak
        assert len(zero_contours(values)) == loops


def test_a_ring_is_an_outer_loop_and_a_hole_and_one_keyhole() -> None:
    r = radius((50, 50), (24.2, 25.1))
    loops = zero_contours(np.minimum(18 - r, r - 7))
    areas = sorted(loop_area(p) for p in loops)
    assert areas == pytest.approx([-49 * np.pi, 324 * np.pi], rel=0.01)
    (joined,) = keyholes(loops)
    assert loop_area(joined) == pytest.approx(sum(areas), rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(1.0, 3.0))
def test_any_pattern_of_islands_and_holes_keeps_its_area(seed: int, grain: float) -> None:
    values = gaussian_filter(np.random.default_rng(seed).normal(size=(48, 40)), grain)
    values -= np.quantile(values, 0.4)
    loops = zero_contours(values)
    joined = keyholes(loops)
    assert len(joined) == sum(loop_area(p) > 0 for p in loops)
    assert sum(map(loop_area, joined)) == pytest.approx(sum(map(loop_area, loops)), abs=1e-6)
    # Every corner is still there: nothing was dropped on the way.
    before = {tuple(p) for loop in loops for p in loop.round(9).tolist()}
    after = {tuple(p) for loop in joined for p in loop.round(9).tolist()}
    assert before <= after


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
@example(7705)  # A side of 0.07 µm crosses a row of pixels: left out, the row ran full.
def test_contours_lead_back_to_the_side_of_every_pixel(seed: int) -> None:
    values = gaussian_filter(np.random.default_rng(seed).normal(size=(40, 36)), 2.5)
    # The rim is outside, so that no contour is closed beyond the plane.
    values[[0, -1]], values[:, [0, -1]] = -0.1, -0.1
    back = plane_distance([p * 0.5 for p in keyholes(zero_contours(values))], (40, 36), 0.5)
    clear = np.abs(values) > 1e-3
    assert np.array_equal((back > 0)[clear], (values > 0)[clear])


def test_distances_to_a_drawn_square_are_exact_near_it() -> None:
    # A square from 4 to 12 mm in samples of 0.5 mm.
    square = np.array([[4.0, 4], [12, 4], [12, 12], [4, 12]])
    back = plane_distance([square], (34, 34), 0.5)
    # Sample 9 lies at 4.5 mm: half a millimetre inside; sample 7 at 3.5: as far outside.
    assert back[9, 16] == pytest.approx(0.5, abs=1e-6)
    assert back[7, 16] == pytest.approx(-0.5, abs=1e-6)
    # Beside the corner at (4, 4): (3.5, 3.5) is √½ away.
    assert back[7, 7] == pytest.approx(-np.sqrt(0.5), abs=1e-6)


def test_a_channel_there_and_back_bounds_nothing() -> None:
    outer = np.array([[2.0, 2], [18, 2], [18, 18], [2, 18]])
    hole = np.array([[8.0, 8], [8, 12], [12, 12], [12, 8]])
    joined = np.array([*outer[:1], (2, 8), *hole, hole[0], (2, 8), *outer[:0:-1]])
    back = plane_distance([joined], (41, 41), 0.5)
    # On the channel, at (5, 8) mm: 3 mm from the outer edge and from the hole.
    assert back[10, 16] == pytest.approx(3.0, abs=0.3)
    assert back[20, 20] < 0


def test_nothing_drawn_is_all_outside() -> None:
    assert zero_contours(np.full((5, 5), -1.0)) == []
    assert keyholes([]) == []
    assert (plane_distance([], (5, 5), 1.0) < 0).all()
