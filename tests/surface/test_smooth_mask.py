"""What a mask alone says of its surface: the blur, and how often the volume is looked at."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate1d
from solids import LABEL, field_of, grid, sphere

from medrecon.core import SoftField
from medrecon.surface import smooth_mask, smooth_mask_loops
from medrecon.surface.extract import extract_surface
from medrecon.surface.from_labels import smoothest_field


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 4), (2, 30, 9), (21, 7, 70)])
@pytest.mark.parametrize(("weight", "step"), [(smooth_mask._FIRST, 1), (smooth_mask._AGAIN, 2)])
def test_the_blur_is_a_sum_along_each_axis_mirrored_at_the_border(shape, weight, step):
    given = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = np.empty_like(given)
    smooth_mask_loops.blurred(given, weight, step, found, 0, len(given))
    taps = np.zeros(2 * step * (len(weight) - 1) + 1)
    taps[::step] = np.concatenate([weight[:0:-1], weight])
    expected = given.astype(np.float64)
    for axis in range(3):
        expected = correlate1d(expected, taps, axis=axis, mode="reflect")
    assert np.allclose(found, expected, atol=1e-6)


def test_both_blurs_have_a_deviation_of_two_voxels_and_lose_nothing():
    n = np.arange(7)
    for weight, place in ((smooth_mask._FIRST, n), (smooth_mask._AGAIN, 2 * n[:3])):
        both = np.where(place > 0, 2, 1) * weight.astype(np.float64)
        assert both.sum() == pytest.approx(1, abs=1e-6)
        # A binomial filter of 16 steps of half a voxel: variance 16/4. What is left out beyond
        # six voxels would add 2 (7² · 16 + 8²) / 65536 = 0.026.
        assert (both * place**2).sum() == pytest.approx(4, abs=0.03)


def test_a_raised_field_holds_the_volume_of_its_mask_in_a_few_looks(monkeypatch):
    mask = field_of(sphere((14.2, 14.1, 14.4), 10.3), grid((29, 29, 29))).values > 0
    looks = []
    look = smooth_mask_loops.raised_volume
    monkeypatch.setattr(
        smooth_mask_loops, "raised_volume", lambda *a: looks.append(a[2]) or look(*a)
    )
    mesh = extract_surface(SoftField(LABEL, smoothest_field(mask), grid(mask.shape)))
    assert mesh.volume_mm3 == pytest.approx(np.count_nonzero(mask), rel=2e-4)
    # The first tells how far it is, the second how far that was.
    assert 1 <= len(looks) <= 4
