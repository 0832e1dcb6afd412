"""The network's grid lies exactly where the image lies, whatever way it is turned."""

from __future__ import annotations

import numpy as np
import pytest

from medrecon.core import Geometry
from medrecon.models.grid import network_grid
from medrecon.models.intensity import normalise
from medrecon.models.manifest import Intensity, IntensityKind, Sampling


def tilted(degrees: float = 10.0) -> Geometry:
    """A grid turned about x, as (i, j, k) along L, nearly P and nearly S."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Geometry(
        (20, 30, 12), (0.8, 0.8, 2.5), (-8.0, 5.0, 100.0), ((1, 0, 0), (0, c, -s), (0, s, c))
    )


def test_native_spacing_and_orientation_is_the_same_grid() -> None:
    assert network_grid(tilted(), Sampling(None, "LPS", (8, 8, 8))).is_close(tilted(), 1e-9)


def test_ras_turns_the_first_two_axes_and_keeps_every_centre() -> None:
    g = tilted()
    n = network_grid(g, Sampling(None, "RAS", (8, 8, 8)))
    # Voxel (0, 0, 0) of the turned grid is the last along i and j, the first along k.
    assert np.allclose(n.mm_from_index([[0, 0, 0]]), g.mm_from_index([[19, 29, 0]]))
    assert np.allclose(n.mm_from_index([[19, 29, 11]]), g.mm_from_index([[0, 0, 11]]))


def test_axes_are_permuted_to_the_nearest_direction() -> None:
    # A sagittal acquisition: i runs posterior, j inferior, k to the left.
    g = Geometry((16, 18, 20), (1.0, 1.0, 3.0), (0, 0, 0), ((0, 0, 1), (1, 0, 0), (0, -1, 0)))
    n = network_grid(g, Sampling(None, "LPS", (8, 8, 8)))
    assert n.shape == (20, 16, 18)
    assert n.spacing_mm == pytest.approx((3.0, 1.0, 1.0))
    assert np.allclose(n.direction, np.eye(3))
    # Index (0, 0, 0) of LPS is lowest left, anterior, inferior: j at its last voxel.
    assert np.allclose(n.mm_from_index([[0, 0, 0]]), g.mm_from_index([[0, 17, 0]]))


def test_a_new_spacing_covers_the_old_edges_and_keeps_the_middle() -> None:
    g = tilted()
    n = network_grid(g, Sampling((3.0, 3.0, 3.0), "LPS", (8, 8, 8)))
    # Edges: 20·0.8 = 16 mm → 6 voxels of 3 mm; 30·0.8 = 24 → 8; 12·2.5 = 30 → 10.
    assert n.shape == (6, 8, 10)
    middle_g = g.mm_from_index([(np.array(g.shape) - 1) / 2])
    middle_n = n.mm_from_index([(np.array(n.shape) - 1) / 2])
    assert np.allclose(middle_g, middle_n)
    inside = n.index_from_mm(g.corners_mm)
    assert inside.min() > -0.5
    assert (inside < np.array(n.shape) - 0.5).all()


def test_a_window_maps_its_ends_to_zero_and_one() -> None:
    window = Intensity(IntensityKind.WINDOW, -100.0, 300.0)
    got = normalise(np.array([-1000, -100, 100, 300, 900], np.int16), window)
    assert got.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_a_fixed_z_score_clips_before_it_scales() -> None:
    # (clip(500, -50, 250) − 50) / 100 = 2
    fixed = Intensity(IntensityKind.FIXED_ZSCORE, -50.0, 250.0, 50.0, 100.0)
    assert normalise(np.array([500.0, 50.0]), fixed).tolist() == [2.0, 0.0]


def test_a_z_score_has_mean_zero_and_deviation_one_and_can_leave_zeros_out() -> None:
    x = np.array([0, 0, 2, 4], np.float32)
    assert normalise(x, Intensity(IntensityKind.ZSCORE)).std() == pytest.approx(1)
    # Of 2 and 4 alone: mean 3, deviation 1; zeros stay zero.
    nonzero = normalise(x, Intensity(IntensityKind.ZSCORE, nonzero=True))
    assert nonzero.tolist() == [0, 0, -1, 1]


def test_a_constant_image_becomes_zeros_and_no_warning() -> None:
    flat = np.full(8, 7.0, np.float32)
    assert not normalise(flat, Intensity(IntensityKind.ZSCORE)).any()
    assert not normalise(flat, Intensity(IntensityKind.PERCENTILE, 1, 99)).any()


def test_percentiles_are_the_images_own() -> None:
    # 0..100: the 10th percentile is 10, the 90th 90; 50 lies half-way.
    got = normalise(np.arange(101), Intensity(IntensityKind.PERCENTILE, 10, 90))
    assert got[[0, 10, 50, 90, 100]].tolist() == [0, 0, 0.5, 1, 1]


def test_equalising_keeps_the_order_and_parts_what_is_close_and_frequent() -> None:
    # A CT of the head: air, two soft tissues 30 HU apart with a noise of 5 HU, few voxels of bone.
    rng = np.random.default_rng(0)
    means, counts = (-1000.0, 5.0, 35.0, 1200.0), (20_000, 2_000, 15_000, 1_500)
    ct = np.concatenate([rng.normal(m, 5, n) for m, n in zip(means, counts, strict=True)])
    plain = normalise(ct, Intensity(IntensityKind.PERCENTILE, 0.5, 99.5))
    found = normalise(ct, Intensity(IntensityKind.EQUALISED, 0.5, 99.5))
    assert found.dtype == np.float32
    order = np.argsort(ct)
    assert (np.diff(found[order]) >= -1e-6).all()
    assert (found.min(), found.max()) == (0.0, pytest.approx(1.0, abs=1e-6))
    ends = np.cumsum((0, *counts))
    stretched, linear = ((v[ends[1] : ends[2]], v[ends[2] : ends[3]]) for v in (found, plain))
    # 30 of 2,200 HU are 0.014 of the plain range.
    assert linear[1].mean() - linear[0].mean() == pytest.approx(30 / 2200, abs=0.002)
    assert stretched[1].mean() - stretched[0].mean() > 0.1


def test_equalising_does_not_see_a_gamma_and_flat_images_become_zeros() -> None:
    image = np.linspace(0.0, 1.0, 5000) ** 2
    how = Intensity(IntensityKind.EQUALISED, 0, 100)
    once, bent = normalise(image, how), normalise(image**1.5, how)
    # Half of what a gamma does is undone: the slope is the root of the histogram's.
    assert np.abs(once - bent).mean() < np.abs(image - image**1.5).mean()
    assert not normalise(np.full((3, 3, 3), 7.0), how).any()
