"""Lengths and shares of solids that have formulas."""

from __future__ import annotations

import numpy as np
import pytest

from medrecon.core import Geometry, SoftField, away_from_zero, label
from medrecon.segmentation.ellipsoid import Ellipsoid, places_mm

# Neither cubic nor upright: turned by 30° about the third axis.
TURN = ((0.75**0.5, -0.5, 0.0), (0.5, 0.75**0.5, 0.0), (0.0, 0.0, 1.0))
GRID = Geometry((83, 81, 49), (2.0, 2.0, 3.0), (-40.0, -110.0, -72.0), TURN)
POINTS = GRID.mm_from_index(np.indices(GRID.shape).reshape(3, -1).T)


def where(depth: np.ndarray) -> SoftField:
    values = depth.reshape(GRID.shape).astype(np.float32)
    return SoftField(label("brain"), away_from_zero(values), GRID)


def test_an_ellipsoid_is_its_own():
    found = Ellipsoid.of([where(1 - np.linalg.norm(POINTS / (60, 40, 50), axis=1))])
    assert found.middle_mm == pytest.approx([0, 0, 0], abs=0.3)
    assert found.length_mm == pytest.approx(120, rel=0.01)
    assert found.share_filled == pytest.approx(1, abs=0.01)
    assert found.radius(np.array([[60.0, 0, 0], [0, -20, 0], [0, 0, 0]])) == pytest.approx(
        [1, 0.5, 0], abs=0.02
    )


@pytest.mark.parametrize("inner", [30.0, 45.0])
def test_a_hollow_ball_fills_less_by_its_formula(inner: float):
    r = np.linalg.norm(POINTS, axis=1)
    found = Ellipsoid.of([where(np.minimum(60 - r, r - inner))])
    cubes, fifths = 60**3 - inner**3, 60**5 - inner**5
    assert found.share_filled == pytest.approx(cubes / (fifths / cubes) ** 1.5, rel=0.02)
    # Filled by another field it is a ball again.
    whole = Ellipsoid.of([where(np.minimum(60 - r, r - inner)), where(inner - r)])
    assert whole.share_filled == pytest.approx(1, abs=0.01)


def test_two_pieces_fill_less_than_one():
    near = [np.linalg.norm(POINTS - (x, 0, 0), axis=1) for x in (-30, 30)]
    found = Ellipsoid.of([where(25 - np.minimum(*near))])
    # Variance along the axis 25²/5 + 30², across 25²/5.
    along = (1 + 5 * 30**2 / 25**2) ** 0.5
    assert found.share_filled == pytest.approx(2 / along, rel=0.02)


def test_too_few_places_have_no_shape():
    depth = np.full(len(POINTS), -1.0)
    depth[len(POINTS) // 2] = 1.0
    found = Ellipsoid.of([where(depth)])
    assert (found.length_mm, found.share_filled) == (0, 0)
    assert len(places_mm(where(depth))) == 1
