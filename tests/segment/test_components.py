"""Runs give the components that labelling every voxel gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medrecon.segmentation.components import components


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40)),
    share=st.floats(0.01, 0.95),
    seed=st.integers(0, 999),
)
def test_components_are_those_of_all_26_neighbours(
    shape: tuple[int, int, int], share: float, seed: int
) -> None:
    mask = np.random.default_rng(seed).random(shape) < share
    found = components(mask)
    labels, count = ndimage.label(mask, np.ones((3, 3, 3)))
    assert found.count == count
    # One component of ours for each of theirs, and the other way round.
    pairs = set(zip(labels.ravel()[found.index].tolist(), found.voxel_label.tolist(), strict=True))
    assert len(pairs) == count
    assert sorted(found.sizes.tolist()) == sorted(np.bincount(labels.ravel())[1:].tolist())


def test_an_empty_mask_has_no_components() -> None:
    found = components(np.zeros((3, 4, 5), dtype=bool))
    assert found.count == 0
    assert found.sizes.tolist() == []
    assert not found.mask(np.zeros(0, dtype=bool), (3, 4, 5)).any()


def test_only_the_named_components_are_kept() -> None:
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[0, 0, 0] = mask[4, 4, 3:] = True
    found = components(mask)
    kept = found.mask(found.sizes == 2, mask.shape)
    assert kept.sum() == 2
    assert kept[4, 4, 3]


def test_voxels_of_a_property_are_counted_by_component() -> None:
    mask = np.zeros((1, 1, 7), dtype=bool)
    mask[0, 0, [0, 1, 4, 5, 6]] = True
    found = components(mask)
    assert found.count_where(np.array([True, False, True, True, False])).tolist() == [1, 2]


def test_a_box_around_the_components_changes_only_their_indices() -> None:
    mask = np.zeros((6, 7, 8), dtype=bool)
    mask[2:4, 3:5, 4:6] = True
    box = (slice(1, 5), slice(2, 6), slice(3, 8))
    moved = components(mask).within(box, mask.shape)
    small = np.zeros((4, 4, 5), dtype=bool)
    small.reshape(-1)[moved.index] = True
    assert np.array_equal(small, mask[box])
