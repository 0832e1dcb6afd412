"""A label that comes out too small is brought to its true volume, and no other suffers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medrecon.errors import ModelError
from medrecon.train.calibrate import volume_shifts, with_shifts


def test_shifts_make_every_class_win_as_many_voxels_as_it_should() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(4, (20, 20, 20), p=[0.7, 0.2, 0.08, 0.02]).astype(np.uint8)
    logits = np.stack([(truth == c) * 2.0 for c in range(4)]).astype(np.float32)
    logits += rng.normal(0, 1, logits.shape).astype(np.float32)
    logits += np.array([0, -1.0, 0.5, 2.0], np.float32)[:, None, None, None]
    halves = [logits[:, :10], logits[:, 10:]]
    shifts = volume_shifts(halves, [truth[:10], truth[10:]])
    found = (logits + shifts[:, None, None, None]).argmax(axis=0)
    # One class's shift moves the others' counts a little; four sweeps leave under 1 %.
    assert np.bincount(found.ravel()) == pytest.approx(np.bincount(truth.ravel()), rel=0.01)
    assert shifts[0] == 0


def test_a_class_without_truth_is_left_alone() -> None:
    logits = np.random.default_rng(0).normal(0, 1, (3, 6, 6, 6)).astype(np.float32)
    truth = (logits[1] > 0.5).astype(np.uint8)
    assert volume_shifts([logits], [truth])[2] == 0


def test_the_last_bias_takes_the_shifts_and_nothing_else_changes() -> None:
    weights = {"a.bias": torch.zeros(3), "b.weight": torch.ones(3), "b.bias": torch.ones(3)}
    shifted = with_shifts(weights, np.array([0.0, 0.5, -0.5]))
    assert shifted["b.bias"].tolist() == [1.0, 1.5, 0.5]
    assert all(shifted[k] is weights[k] for k in ("a.bias", "b.weight"))
    assert weights["b.bias"].tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ModelError, match="no bias"):
        with_shifts(weights, np.zeros(4))
