"""Figures of segmentations, against hand-derived numbers and two other implementations."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from scipy import ndimage
from scipy.spatial import KDTree

from medrecon.core import Geometry
from medrecon.quality.scores import Presence, counts, score, summarise, summary
from medrecon.quality.surface_distances import surface_distances

Mask = npt.NDArray[np.bool_]
GRID = Geometry((20, 20, 20), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0))


def box(*sides: slice, shape: tuple[int, int, int] = (20, 20, 20)) -> Mask:
    mask = np.zeros(shape, np.bool_)
    mask[sides] = True
    return mask


def blobs(seed: int, shape: tuple[int, int, int] = (28, 24, 20)) -> Mask:
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.standard_normal(shape), 3) > 0.02


@pytest.mark.parametrize("spacing", [0.7, 0.8, 1.0, 1.3])
def test_a_tolerance_of_a_voxel_takes_a_headers_rounding(spacing: float) -> None:
    s, stored = slice(5, 15), float(np.float32(spacing))
    for size in (spacing, stored, spacing * (1 - 6e-8), spacing * (1 + 6e-8)):
        found = surface_distances(box(s, s, s), box(slice(6, 16), s, s), (size,) * 3)
        assert found is not None
        assert found.nsd(spacing) == 1
        assert found.nsd(0.99 * spacing) < 1


def test_a_box_moved_by_two_voxels() -> None:
    # 10 of 10 voxels wide, moved by 2: 8 shared. 2·8 / (10 + 10).
    s = slice(5, 15)
    found = score(box(s, s, s), box(slice(7, 17), s, s), GRID, 1.0, name=("a", "b"))
    assert found.dice == pytest.approx(0.8)
    assert found.volume_ml == pytest.approx(1000 * 6 / 1000)
    assert found.volume_error_ml == 0
    assert found.volume_error_percent == 0
    # The farthest surface voxels are the end plates, 2 mm away, 100 of 488 surface voxels:
    # more than 5 %, so the 95th percentile is theirs.
    assert found.hd95_mm == pytest.approx(2.0)


def test_distances_follow_the_voxels_shape() -> None:
    # Two single-voxel-thick plates, four voxels apart along each axis in turn.
    for axis, step_mm in enumerate(GRID.spacing_mm):
        near, far = np.zeros((2, *GRID.shape), np.bool_)
        near[tuple(5 if n == axis else slice(None) for n in range(3))] = True
        far[tuple(9 if n == axis else slice(None) for n in range(3))] = True
        found = surface_distances(near, far, GRID.spacing_mm)
        assert found is not None
        assert found.assd_mm == pytest.approx(4 * step_mm)
        assert found.hd95_mm == pytest.approx(4 * step_mm)
        assert found.nsd(4 * step_mm - 0.1) == 0
        assert found.nsd(4 * step_mm) == 1


def test_a_mask_compared_with_itself_is_perfect() -> None:
    mask = blobs(0)
    grid = Geometry(mask.shape, (0.7, 0.8, 2.5), (0.0, 0.0, 0.0))
    found = score(mask, mask, grid, 0.0, name=("a", "b"))
    assert (found.dice, found.nsd, found.hd95_mm, found.assd_mm) == (1, 1, 0, 0)


def test_two_empty_masks_say_nothing_and_one_empty_mask_says_nought() -> None:
    empty, full = np.zeros(GRID.shape, np.bool_), np.ones(GRID.shape, np.bool_)
    neither = score(empty, empty, GRID, 1.0, name=("a", "b"))
    assert neither.presence is Presence.NEITHER
    assert (neither.dice, neither.nsd, neither.hd95_mm, neither.assd_mm) == (None,) * 4
    assert neither.volume_error_percent is None
    missed = score(empty, full, GRID, 1.0, name=("a", "b"))
    assert missed.presence is Presence.MISSED
    assert (missed.dice, missed.nsd, missed.hd95_mm, missed.assd_mm) == (0, 0, None, None)
    assert missed.volume_error_percent == -100
    invented = score(full, empty, GRID, 1.0, name=("a", "b"))
    assert invented.presence is Presence.INVENTED
    assert (invented.dice, invented.nsd) == (0, 0)
    # 8000 voxels of 6 mm³.
    assert invented.volume_error_ml == pytest.approx(48.0)
    assert invented.volume_error_percent is None


def test_a_missed_structure_counts_in_the_mean_of_dice_and_not_in_that_of_distances() -> None:
    s = slice(5, 15)
    empty, full = np.zeros(GRID.shape, np.bool_), box(s, s, s)
    rows = [
        score(full, full, GRID, 1.0, name=("one", "x")),
        score(empty, full, GRID, 1.0, name=("two", "x")),
        score(empty, empty, GRID, 1.0, name=("three", "x")),
    ]
    table = summarise(rows)["x"]
    assert (table["dice"].count, table["dice"].mean) == (2, 0.5)
    assert (table["hd95_mm"].count, table["hd95_mm"].mean) == (1, 0.0)
    assert counts(rows)["x"] == {"both": 1, "missed": 1, "invented": 0, "neither": 1}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_figures_as_monai_on_oblong_voxels(seed: int) -> None:
    from monai.metrics import (
        compute_average_surface_distance,
        compute_hausdorff_distance,
        compute_surface_dice,
    )

    found, truth = blobs(seed), blobs(seed) ^ (blobs(seed + 100) & blobs(seed + 200))
    spacing = (0.8, 1.1, 2.5)
    mine = surface_distances(found, truth, spacing)
    assert mine is not None
    a, b = (torch.from_numpy(np.stack([~m, m]))[None].float() for m in (found, truth))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hd95 = compute_hausdorff_distance(a, b, percentile=95, spacing=spacing)
        assd = compute_average_surface_distance(a, b, symmetric=True, spacing=spacing)
        nsd = compute_surface_dice(a, b, class_thresholds=[1.0], spacing=spacing)
    assert mine.hd95_mm == pytest.approx(float(hd95), abs=1e-5)
    assert mine.assd_mm == pytest.approx(float(assd), abs=1e-5)
    assert mine.nsd(1.0) == pytest.approx(float(nsd), abs=1e-6)


def test_the_same_as_brute_force_and_the_same_overlap_as_simpleitk() -> None:
    found, truth = blobs(7), blobs(7) ^ (blobs(107) & blobs(207))
    grid = Geometry(found.shape, (0.8, 1.1, 2.5), (0.0, 0.0, 0.0))
    mine = surface_distances(found, truth, grid.spacing_mm)
    assert mine is not None
    edges = []
    for mask in (found, truth):
        padded = np.pad(mask, 1)
        every = [np.roll(padded, d, n)[1:-1, 1:-1, 1:-1] for n in range(3) for d in (-1, 1)]
        edges.append(np.argwhere(mask & ~np.logical_and.reduce(every)) * grid.spacing_mm)
    distances = KDTree(edges[1]).query(edges[0])[0], KDTree(edges[0]).query(edges[1])[0]
    assert np.sort(mine.from_found) == pytest.approx(np.sort(distances[0]))
    assert np.sort(mine.from_truth) == pytest.approx(np.sort(distances[1]))
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*(sitk.GetImageFromArray(m.astype(np.uint8)) for m in (truth, found)))
    assert score(found, truth, grid, 1.0, name=("a", "b")).dice == pytest.approx(
        overlap.GetDiceCoefficient()
    )


def test_the_interval_holds_the_mean_and_shrinks_with_the_number_of_cases() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.normal(0.9, 0.05, 10), rng.normal(0.9, 0.05, 1000)
    a, b = summary(few.tolist()), summary(many.tolist())
    assert a.low < a.mean < a.high
    # 1.96·σ/√n to both sides: 0.0031 for a thousand.
    assert b.high - b.low == pytest.approx(2 * 1.96 * 0.05 / np.sqrt(1000), rel=0.15)
    assert a.high - a.low > 5 * (b.high - b.low)
    assert summary([0.7]).low == summary([0.7]).high == 0.7
