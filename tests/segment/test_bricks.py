"""A filter near some voxels gives what a filter of the whole grid gives there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from medrecon.segmentation.bricks import EDGE, Bricks

SHAPES = [(70, 33, 40), (5, 3, 2), (1, 64, 17), (32, 16, 16)]


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def some_points(shape, count=40, seed=1):
    rng = np.random.default_rng(seed)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
    return np.concatenate((rng.integers(0, np.array(shape)[:, None], (3, count)), corners), axis=1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sigma", [(1.0, 0.7, 2.5), (0.1, 3.0, 1.3)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_at_the_points_it_is_the_filter_of_the_whole(shape, sigma, order):
    field = np.asarray(noise(shape), order=order)
    points = some_points(shape)
    found = Bricks(shape, points).gaussian(field, sigma, truncate=3.0)
    expected = gaussian_filter(field.astype(float), sigma, truncate=3.0)
    at = tuple(points)
    assert np.abs(found[at] - expected[at]).max() < 2e-6


def test_what_lies_before_and_behind_a_point_counts_as_far_as_was_asked():
    shape, point = (100, 60, 60), np.array([[40], [20], [30]])
    below, above = (9, 5, 0), (24, 0, 3)
    found = Bricks(shape, point, below, above).gaussian(noise(shape), (1.0, 1.0, 1.0))
    expected = gaussian_filter(noise(shape), 1.0, truncate=2.5)
    near = (slice(31, 65), slice(15, 21), slice(30, 34))
    assert np.abs(found[near] - expected[near]).max() < 2e-6
    assert 0 < np.count_nonzero(found) < found.size / 3


def test_where_no_point_is_nothing_is_done():
    shape = (80, 40, 40)
    assert not Bricks(shape, np.zeros((3, 0), int)).gaussian(noise(shape), (1, 1, 1)).any()
    one = Bricks(shape, np.array([[79], [39], [39]])).gaussian(noise(shape), (1, 1, 1))
    k, j, i = EDGE
    assert not one[: 80 - 80 % i].any()
    assert not one[:, : 40 - 40 % j].any()
    assert not one[..., : 40 - 40 % k].any()


@pytest.mark.parametrize("shape", [(40, 50, 30), (18, 5, 33)])
def test_tensors_are_averaged_products_of_slopes(shape):
    smooth = gaussian_filter(noise(shape), 1.0)
    spacing, sigma = (0.5, 0.8, 2.0), (2.0, 1.5, 0.7)
    points = some_points(shape).T
    found = Bricks(shape, points.T).tensors(smooth, points, sigma, spacing)
    slope = np.gradient(smooth.astype(float), *spacing)
    at = tuple(points.T)
    for a in range(3):
        for b in range(3):
            expected = gaussian_filter(slope[a] * slope[b], sigma, truncate=2.5)[at]
            assert np.abs(found[:, a, b] - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_field_of_one_value_keeps_it():
    shape = (37, 21, 18)
    flat = np.full(shape, 1234.5, np.float32)
    found = Bricks(shape, np.indices(shape).reshape(3, -1)).gaussian(flat, (4.0, 2.0, 9.0))
    assert np.allclose(found, 1234.5, rtol=1e-6)
