"""Crumbs and pin-holes: what joins, what is too small, what must stay."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label as connected

from medrecon.core import (
    Acquisition,
    Geometry,
    HuStatus,
    Label,
    Modality,
    SoftField,
    Volume,
    away_from_zero,
)
from medrecon.segmentation.crumbs import gone, sweep
from medrecon.segmentation.refine import RefineOptions, refine_field
from medrecon.surface.extract import extract_surface
from medrecon.surface.validity import judge

SHAPE = (12, 14, 16)


def block(dtype=np.float32):
    """A cube of 5³ voxels, one voxel at its corner, one piece of two far away."""
    values = np.full(SHAPE, -3, dtype)
    values[3:8, 3:8, 3:8] = 3
    values[8, 8, 8] = 3
    values[3, 11, 12:14] = 3
    return values


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_what_meets_at_a_corner_is_a_crumb_and_a_part_of_its_own_stays(dtype):
    values = block(dtype)
    was = values > 0
    # The voxel at the corner was joined to the cube before; the far piece was alone.
    was[7:9, 7:9, 8] = True
    swept = sweep(values, was, 8)
    assert (swept.count, swept.voxels) == (1, 1)
    assert values[8, 8, 8] == -3
    assert (values[3, 11, 12:14] == 3).all()
    assert (values[3:8, 3:8, 3:8] == 3).all()


def test_what_was_not_there_goes_however_large():
    values = block()
    was = values > 0
    was[3, 11, 12:14] = False
    values[3, 9:13, 10:16] = 3
    swept = sweep(values, was, 8)
    assert not (values[3, 9:13, 10:16] > 0).any()
    assert swept.voxels == 4 * 6
    assert values[8, 8, 8] == 3


def test_pin_holes_are_filled_and_holes_that_were_there_stay():
    values = np.full(SHAPE, 3, np.float32)
    values[0] = -3
    values[4, 4, 4] = values[8, 8, 8] = -3
    outside = values <= 0
    outside[8, 8, 8] = False
    sweep(values, outside, 8, holes=True)
    assert values[8, 8, 8] == 3
    assert values[4, 4, 4] == -3
    assert (values[0] == -3).all()


def test_a_part_of_which_nothing_is_left_is_told():
    values = block()
    was = values > 0
    values[3, 11, 12:14] = -1
    lost = gone(values, was)
    assert lost.sum() == 2
    assert lost[3, 11, 12:14].all()


@pytest.mark.parametrize("name", ["bone", "lung_left"])
def test_a_threshold_in_noise_gives_one_solid(name):
    grid = Geometry((48, 48, 48), (0.8, 0.8, 0.8), (0.0, 0.0, 0.0))
    mm = grid.mm_from_index(np.indices(grid.shape).reshape(3, -1).T)
    r = np.linalg.norm(mm - 19.0, axis=1).reshape(grid.shape)
    inside, outside = (900.0, 40.0) if name == "bone" else (-850.0, 40.0)
    hu = outside + (inside - outside) * np.clip((14 - r) / 3.0 + 0.5, 0, 1)
    hu += np.random.default_rng(3).normal(0, 150, hu.shape)
    level, sign = (300.0, 1) if name == "bone" else (-400.0, -1)
    field = SoftField(
        Label(1, name), away_from_zero((sign * (hu - level)).astype(np.float32)), grid
    )
    volume = Volume(hu.astype(np.int16), grid, Acquisition(Modality.CT, HuStatus.VERIFIED, "so"))
    assert connected(field.values > 0)[1] > 10
    moved, findings = refine_field(field, volume, RefineOptions())
    assert connected(moved.values > 0)[1] == 1
    found = judge(extract_surface(moved))
    # Small dark places in a bone are not filled: they may be marrow.
    assert found.components - found.cavities == 1
    assert name == "bone" or found.cavities == 0
    assert any("crumbs" in f for f in findings)
