"""What training makes small."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.losses.dice import DiceCELoss
from torch.nn.functional import cross_entropy, one_hot

from medrecon.train.options import TrainOptions

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Logits (batch, class, i, j, k) and their classes (batch, 1, i, j, k) to a scalar."""


def present_dice_ce(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, and one minus the mean Dice of the labels that a patch holds.

    The Dice of a label that is not there is 0 however little of it is found, with a
    gradient that grows as less is found: noise in patches of which most hold no eye.
    Cross-entropy alone keeps such a label away.

    Parameters
    ----------
    logits : Tensor, shape (batch, class, i, j, k)
    target : Tensor of int64, shape (batch, 1, i, j, k)
    """
    classes = logits.shape[1]
    share = logits.softmax(1).flatten(2)[:, 1:]
    truth = one_hot(target.flatten(1), classes).movedim(-1, 1)[:, 1:].to(share)
    there = truth.sum(2)
    dice = 2 * (share * truth).sum(2) / (share.sum(2) + there + 1e-5)
    present = there > 0
    missed = ((1 - dice) * present).sum() / present.sum().clamp(min=1)
    return missed + cross_entropy(logits, target[:, 0])


def loss_for(options: TrainOptions) -> Loss:
    """The loss that the options ask for."""
    if options.present_only:
        return present_dice_ce
    both: Loss = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False)
    return both
