"""Test-time flips: the mean of a network's answers to an image and its mirror images.

A model says which axes it was trained to be flipped along. If it says none, the only
flip that makes sense is left to right, and only if every label that has a side has its
twin: the two then change places with the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from medrecon.core import Geometry
from medrecon.errors import UsageError
from medrecon.models.manifest import Manifest
from medrecon.models.networks import finest
from medrecon.segmentation.sides import twin_of


@dataclass(frozen=True, slots=True)
class Flip:
    """One mirror image: the axes that are turned, and where each output channel comes from."""

    axes: tuple[int, ...]
    channels: tuple[int, ...] | None = None


def flips_of(manifest: Manifest, grid: Geometry) -> tuple[Flip, ...]:
    """The flips that a model may be tested with, on its own grid.

    Raises
    ------
    UsageError
        If it declares none and its labels have no sides.
    """
    declared = manifest.mirror_axes
    if declared:
        return tuple(
            Flip(axes) for n in range(len(declared)) for axes in combinations(declared, n + 1)
        )
    swapped = _swapped_channels(manifest)
    if swapped is None:
        raise UsageError(
            f"--tta: model {manifest.identity} declares no axes to be flipped along and its labels "
            "are not pairs of left and right; run it without --tta"
        )
    sideways = int(np.argmax(np.abs(np.asarray(grid.direction)[0])))
    return (Flip((sideways,), swapped),)


def _swapped_channels(manifest: Manifest) -> tuple[int, ...] | None:
    """Each channel's source with left and right exchanged; None without whole pairs."""
    channel = {x.label.name: x.channel for x in manifest.labels}
    twins = {name: twin_of(name) for name in channel}
    sided = {name: twin for name, twin in twins.items() if twin is not None}
    if not sided or not set(sided.values()) <= set(channel):
        return None
    order = list(range(manifest.classes))
    for name, twin in sided.items():
        order[channel[name]] = channel[twin]
    return tuple(order)


class Flipped(torch.nn.Module):
    """Mean of a network's logits over an image and its flips, each turned back."""

    def __init__(self, network: torch.nn.Module, flips: Sequence[Flip]) -> None:
        super().__init__()
        self.network, self.flips = network, tuple(flips)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, class, i, j, k) of tiles (n, channel, i, j, k)."""
        total = finest(self.network(x)).float()
        for flip in self.flips:
            axes = [axis + 2 for axis in flip.axes]
            answer = torch.flip(finest(self.network(torch.flip(x, axes))), axes)
            total += answer if flip.channels is None else answer[:, list(flip.channels)]
        return total / (len(self.flips) + 1)
