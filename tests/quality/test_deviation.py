"""Values at vertices: distance to a field, and how far a wrong level would move a surface."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.special import erf

from medrecon.core import Geometry, Label, Mesh, SoftField
from medrecon.quality.deviation import deviation_from_field, uncertainty_of_place

RADIUS_MM = 15.0


def blurred_ball(sigma_mm: float) -> SoftField:
    """A ball of 1000 HU over its surroundings, seen with a blur of σ."""
    grid = Geometry((48, 48, 48), (1.0, 1.0, 1.0), (-23.5, -23.5, -23.5))
    centres = grid.mm_from_index(np.argwhere(np.ones(grid.shape)))
    depth = RADIUS_MM - np.linalg.norm(centres, axis=1).reshape(grid.shape)
    values = 500 * erf(depth / (sigma_mm * np.sqrt(2)))
    return SoftField(Label(1, "ball"), values.astype(np.float32), grid)


def ball(radius_mm: float) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=radius_mm)
    return Mesh(sphere.vertices, sphere.faces, Label(1, "ball"))


def test_a_ball_half_a_millimetre_too_large_lies_that_far_outside():
    deviation = deviation_from_field(ball(RADIUS_MM + 0.5), blurred_ball(1.0))
    assert deviation == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("sigma_mm", [0.8, 1.2])
def test_a_blurred_edge_is_as_uncertain_as_its_blur_says(sigma_mm):
    # Contrast from two voxels inside to two outside: erf(2/(σ√2)) of the whole; slope over
    # the middle voxel: erf(0.5/(σ√2)) of it. A tenth of the one over the other.
    expected = 0.1 * erf(2 / (sigma_mm * 2**0.5)) / erf(0.5 / (sigma_mm * 2**0.5))
    found = uncertainty_of_place(ball(RADIUS_MM), blurred_ball(sigma_mm))
    assert np.median(found) == pytest.approx(expected, rel=0.12)


def test_a_softer_edge_is_less_certain():
    sharp, soft = (uncertainty_of_place(ball(RADIUS_MM), blurred_ball(s)) for s in (0.6, 1.5))
    assert np.median(soft) > 1.3 * np.median(sharp)


def test_where_there_is_no_edge_the_place_is_as_uncertain_as_can_be():
    # 6 mm inside a ball with a blur of 0.6 mm the field is flat.
    found = uncertainty_of_place(ball(RADIUS_MM - 6), blurred_ball(0.6))
    assert np.median(found) == pytest.approx(2.0)
