"""What a coarse grid leaves out is never within reach, and never inside."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "surface"))
from solids import field_of, grid, sphere

from medrecon.core.solid import Solid
from medrecon.quality.vicinity import Vicinity
from medrecon.surface.extract import extract_surface


@pytest.mark.parametrize("reach_mm", [0.3, 1.0, 4.0, 60.0])
def test_what_is_left_out_is_out_of_reach_and_outside(reach_mm):
    geometry = grid((44, 30, 30))
    x = geometry.mm_from_index(np.indices(geometry.shape).reshape(3, -1).T)
    # A hollow ball, whose inside is outside, and a full one.
    shell = np.minimum(sphere((12, 15, 15), 11)(x), -sphere((12, 15, 15), 8)(x))
    body = extract_surface(
        field_of(lambda _: np.maximum(shell, sphere((33, 15, 15), 9)(x)), geometry)
    )
    solid = Solid(body.vertices_mm, body.faces)
    low, high = body.bounds_mm
    points = np.random.default_rng(4).uniform(low - 12, high + 12, (20_000, 3))
    held = Vicinity(body, solid, reach_mm).holds(points)
    distance = solid.distance_mm(points)
    assert held[distance <= reach_mm].all()
    if reach_mm <= 1:
        # Both outside and in the hollow most points are left out.
        assert held[distance > 4 * reach_mm + 0.5].mean() < 0.02
        hollow = np.linalg.norm(points - geometry.mm_from_index([[12, 15, 15]]), axis=1) < 4
        assert hollow.sum() > 20
        assert not held[hollow].any()
