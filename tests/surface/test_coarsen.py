"""Half the resolution, the same place."""

from __future__ import annotations

import numpy as np
import pytest

from medrecon.core import Geometry, Label, SoftField
from medrecon.surface.coarsen import coarsened, surface_for_target
from medrecon.surface.extract import extract_surface

BALL = Label(1, "ball")


def ball(radius_mm: float, shape=(41, 40, 39), dtype=np.float32) -> SoftField:
    """A ball on an oblique, anisotropic grid with odd and even sizes."""
    q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = q * (0.7, 0.8, 0.9), (5, -4, 3)
    grid = Geometry.from_affine(affine, shape)
    centre = grid.mm_from_index([(np.array(shape) - 1) / 2 + 0.3])[0]
    mm = grid.mm_from_index(np.indices(shape).reshape(3, -1).T)
    distance = radius_mm - np.linalg.norm(mm - centre, axis=1)
    values = distance.reshape(shape) * (100 if dtype == np.int16 else 1)
    values = 2 * np.rint(values) + 1 if dtype == np.int16 else values
    return SoftField(BALL, values.astype(dtype), grid)


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_a_ball_stays_where_it_is_and_keeps_its_volume(dtype):
    field = ball(11.0, dtype=dtype)
    fine, coarse = extract_surface(field), extract_surface(coarsened(field))
    assert np.linalg.norm(fine.centroid_mm - coarse.centroid_mm) < 0.02
    # Averaging a distance to a sphere over a cell of side h adds about h²/(12 R) · 2 ≈ 0.04 mm
    # of 11 mm inwards: 1 % of the volume.
    assert coarse.volume_mm3 == pytest.approx(fine.volume_mm3, rel=0.015)
    assert len(coarse.faces) < len(fine.faces) / 3


def test_a_field_is_the_mean_of_its_eight_voxels():
    values = np.arange(1, 28, dtype=np.float32).reshape(3, 3, 3)
    field = SoftField(BALL, values, Geometry((3, 3, 3), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    result = coarsened(field)
    assert result.values[0, 0, 0] == values[:2, :2, :2].mean()
    # The odd last layer is averaged with itself: here the corner voxel alone.
    assert result.values[1, 1, 1] == values[2, 2, 2]
    assert result.grid.origin_mm == (0.5, 0.5, 0.5)
    assert result.grid.spacing_mm == (2.0, 2.0, 2.0)


def test_a_target_near_the_full_surface_is_served_by_the_full_surface():
    field = ball(11.0)
    surface = extract_surface(field)
    assert surface_for_target(field, surface, len(surface.faces) // 2) is surface
    assert surface_for_target(field, surface, None) is surface
    assert surface_for_target(field, surface, 400) is not surface
