"""The loss that counts only what a patch holds."""

from __future__ import annotations

import math

import pytest
import torch

from medrecon.train.losses import present_dice_ce


def test_a_label_that_is_not_there_has_no_part_in_the_dice() -> None:
    # Two classes of three occur, both found with certainty: nothing is left to lose.
    target = torch.tensor([0, 0, 1, 1]).reshape(1, 1, 4, 1, 1)
    logits = 50.0 * torch.nn.functional.one_hot(target[:, 0], 3).movedim(-1, 1).float()
    assert float(present_dice_ce(logits, target)) == pytest.approx(0.0, abs=1e-5)


def test_an_undecided_network_loses_what_is_worked_out_by_hand() -> None:
    # Every share is 1/4; class 1 in half of the voxels: Dice 2 · 2/4 / (1 + 2) = 1/3.
    target = torch.tensor([0, 0, 1, 1]).reshape(1, 1, 4, 1, 1)
    loss = present_dice_ce(torch.zeros(1, 4, 4, 1, 1), target)
    assert float(loss) == pytest.approx(2 / 3 + math.log(4), abs=1e-4)


def test_background_alone_is_cross_entropy_alone() -> None:
    target = torch.zeros(1, 1, 2, 2, 2, dtype=torch.int64)
    loss = present_dice_ce(torch.zeros(1, 2, 2, 2, 2), target)
    assert float(loss) == pytest.approx(math.log(2), abs=1e-6)
