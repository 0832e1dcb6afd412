"""A label that comes out too small is brought to its true volume, and no other suffers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medrecon.errors import ModelError
from medrecon.models.networks import build_network
from medrecon.train.calibrate import last_bias, volume_shifts, with_shifts
from medrecon.train.plan import network_for


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


@pytest.mark.parametrize("kind", ["UNet", "DynUNet"])
def test_the_bias_that_takes_the_shifts_moves_the_logits_by_just_as_much(kind) -> None:
    spec = network_for(kind, (4, 8, 8), 3)
    torch.manual_seed(0)
    network = build_network(spec).eval()
    weights = dict(network.state_dict())
    name = last_bias(network, (16, 16, 16), 3)
    shifted = with_shifts(weights, name, np.array([0.0, 0.5, -0.5]))
    assert all(shifted[k] is weights[k] for k in weights if k != name)
    image = torch.rand(1, 1, 16, 16, 16)
    with torch.inference_mode():
        moved = build_network(spec, shifted).eval()(image) - network(image)
    for number, shift in enumerate((0.0, 0.5, -0.5)):
        assert moved[0, number].numpy() == pytest.approx(shift, abs=1e-5)


def test_a_network_without_such_a_bias_is_refused() -> None:
    with pytest.raises(ModelError, match="no bias"):
        last_bias(torch.nn.Conv3d(1, 3, 1, bias=False), (4, 4, 4), 3)
