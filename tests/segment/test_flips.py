"""Test-time flips: turned back they are no flips, and left never becomes right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_unet import BRIGHT, DIM, balls, manifest, turned

from medrecon.core import Geometry, label
from medrecon.errors import UsageError
from medrecon.models.manifest import ModelLabel
from medrecon.segmentation.flips import Flip, Flipped, flips_of
from medrecon.segmentation.unet import Manner, run_network

GRID = Geometry((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


class Slope(torch.nn.Module):
    """Logits that grow along one axis only: a flip changes them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ramp = torch.arange(x.shape[2], dtype=torch.float32)[:, None, None]
        return torch.cat([x, x + ramp, x - ramp], dim=1)


def paired(folder: Path, **changes: object) -> object:
    left, right = ModelLabel(1, label("kidney_left")), ModelLabel(2, label("kidney_right"))
    return replace(manifest(folder), labels=(left, right), **changes)


def test_declared_axes_are_flipped_in_every_combination(tmp_path: Path) -> None:
    declared = replace(manifest(tmp_path), mirror_axes=(0, 2))
    assert flips_of(declared, GRID) == (Flip((0,)), Flip((2,)), Flip((0, 2)))


def test_pairs_change_places_with_the_image(tmp_path: Path) -> None:
    # The model's grid is SAR: left to right is its last axis.
    sideways = Geometry((8, 8, 8), (1.0,) * 3, (0.0,) * 3, ((0, 0, -1), (0, -1, 0), (1, 0, 0)))
    (flip,) = flips_of(paired(tmp_path), sideways)  # type: ignore[arg-type]
    assert flip == Flip((2,), (0, 2, 1))


def test_a_model_without_pairs_or_declared_axes_allows_no_flip(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--tta: model balls 1 declares no axes"):
        flips_of(manifest(tmp_path), GRID)
    lonely = replace(manifest(tmp_path), labels=(ModelLabel(1, label("kidney_left")),))
    with pytest.raises(UsageError, match="not pairs"):
        flips_of(lonely, GRID)


def test_the_mean_is_taken_after_turning_back() -> None:
    x = torch.randn(1, 1, 5, 4, 3)
    ramp = torch.arange(5.0)[:, None, None]
    got = Flipped(Slope(), [Flip((0,))])(x)
    # Turned back the slope runs the other way: the mean of r and 4 − r is 2 everywhere.
    assert torch.allclose(got, torch.cat([x, x + 2, x - 2], dim=1), atol=1e-6)
    swapped = Flipped(Slope(), [Flip((0,), (0, 2, 1))])(x)
    # Channel 2 becomes channel 1 in the flip: (r − (4 − r)) / 2 = r − 2.
    assert torch.allclose(swapped[:, 1], (x + ramp - 2)[:, 0], atol=1e-6)


def test_tta_runs_on_the_road_and_changes_what_is_found(tmp_path: Path) -> None:
    from test_unet import ByValue

    class Shifted(ByValue):
        """One voxel off along the first axis: flips cancel it."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.roll(super().forward(x), 1, dims=2)

    declared = replace(manifest(tmp_path), mirror_axes=(0,))
    cpu = torch.device("cpu")
    once = run_network(Shifted(), declared, [balls(turned(0.0))], cpu)
    both = run_network(Shifted(), declared, [balls(turned(0.0))], cpu, Manner(tta=True))
    truth = run_network(ByValue(), declared, [balls(turned(0.0))], cpu)

    def off(found: object) -> float:
        total = 0.0
        for a, b in zip(found.fields, truth.fields, strict=True):  # type: ignore[attr-defined]
            there, here = (np.argwhere(f.values > 0).mean(axis=0) + f.start for f in (a, b))
            total += float(np.abs(there - here).max())
        return total

    assert {f.label for f in both.fields} == {BRIGHT, DIM}
    # 1.5 mm along a voxel of 1 mm, in one way and, flipped, in the other.
    assert off(once) > 2.0
    assert off(both) < 0.5
