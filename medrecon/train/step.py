"""One weight update: patches, loss, gradient, average."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from enum import Enum

import numpy as np
import torch
from torch.nn.functional import interpolate

from medrecon.models.intensity import normalise
from medrecon.train.augment import Patch, PatchGrid, draw_patch
from medrecon.train.losses import Loss
from medrecon.train.options import Schedule, TrainOptions
from medrecon.train.samples import RELATIVE, Sample, SamplePool
from medrecon.train.state import TrainState

LONGEST_GRADIENT = 5.0
SAMPLES_AHEAD = 8
"""Samples begun before a step can draw them."""


class Precision(Enum):
    """Numbers of the forward pass; weights and their average are always float32."""

    AUTO = "auto"
    """bfloat16 on a GPU that has it, float32 elsewhere."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    """No loss scaling needed: its range is float32's."""


def mixed(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context of a forward pass in that precision on that device."""
    half = precision is Precision.BFLOAT16
    if precision is Precision.AUTO:
        half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16) if half else nullcontext()


def take_step(
    state: TrainState,
    pool: SamplePool,
    options: TrainOptions,
    loss: Loss,
    precision: Precision = Precision.AUTO,
) -> float:
    """One weight update; returns the loss."""
    schedule = options.schedule
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, schedule, state.elapsed_s)
    shape = patch_shape(options, share_done(state.step, schedule, state.elapsed_s))
    patches = [draw(pool, options, shape, (state.step, n)) for n in range(schedule.batch)]
    device = next(state.network.parameters()).device
    image = torch.from_numpy(np.stack([_normalised(p, options) for p in patches]))
    target = torch.from_numpy(np.stack([p.target for p in patches]).astype(np.int64))
    with mixed(precision, device):
        result = state.network(image[:, None].to(device))
    value = supervised(loss, result, target[:, None].to(device))
    state.optimizer.zero_grad(set_to_none=True)
    value.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), LONGEST_GRADIENT)
    state.optimizer.step()
    _average(state, schedule.averaging)
    return float(value.detach())


def supervised(loss: Loss, result: object, target: torch.Tensor) -> torch.Tensor:
    """The loss of a network's result; of every level, each half as heavy as the finer one.

    Parameters
    ----------
    result : Tensor or sequence of Tensor
        (batch, class, i, j, k); a list, finest first (SegResNetDS), or one tensor of
        levels along its second axis (DynUNet) where the network is deeply supervised.
    target : Tensor, shape (batch, 1, i, j, k)
        On the finest level; a coarser one takes the nearest voxel.
    """
    if isinstance(result, torch.Tensor):
        levels = list(result.unbind(1)) if result.ndim == 6 else [result]
    elif isinstance(result, list | tuple):
        levels = list(result)
    else:
        raise TypeError("a network that returns tensors expected")
    total = torch.zeros((), device=target.device)
    for number, logits in enumerate(levels):
        here = target
        if logits.shape[2:] != target.shape[2:]:
            here = interpolate(target.float(), logits.shape[2:], mode="nearest-exact").long()
        total = total + loss(logits.float(), here) / 2**number
    return total / sum(2.0**-number for number in range(len(levels)))


def patch_shape(options: TrainOptions, share: float) -> Patch:
    """Voxels of a patch when that share of a run is done."""
    early = options.early_patch
    return early if early is not None and share < options.early_share else options.sampling.patch


def draw(pool: SamplePool, options: TrainOptions, shape: Patch, which: tuple[int, int]) -> Sample:
    """The patch of a step: seed, place and changes follow from the two numbers alone.

    Parameters
    ----------
    which : (int, int)
        The step, and the patch's place in its batch.
    """
    step, _ = which
    rng = np.random.default_rng([options.seed, *which])
    seeds = options.train_seeds
    newest = min(len(seeds), options.pool // 2 + step // options.renew_every)
    oldest = max(0, newest - options.pool)
    pool.expect(seeds[max(newest - 1, 0) : newest + SAMPLES_AHEAD])
    sample = pool[seeds[int(rng.integers(oldest, max(newest, 1)))]]
    return draw_patch(sample, patch_grid(options, shape), options.augmentation, rng)


def patch_grid(options: TrainOptions, shape: Patch) -> PatchGrid:
    """What patches are cut to; around a normalised image lies 0, as inference pads it."""
    around = 0.0 if options.intensity.kind in RELATIVE else None
    spacing = options.sampling.spacing_mm or (1.0, 1.0, 1.0)
    return PatchGrid(shape, spacing, around)


def _normalised(
    patch: Sample, options: TrainOptions
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    if options.intensity.kind in RELATIVE:
        return np.ascontiguousarray(patch.image)
    return normalise(patch.image, options.intensity)


def _average(state: TrainState, decay: float) -> None:
    # The average of the first steps would remember the random start for too long.
    keep = min(decay, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for name, value in state.network.state_dict().items():
            if value.is_floating_point():
                state.average[name].lerp_(value, 1 - keep)
            else:
                state.average[name].copy_(value)


def learning_rate(step: int, schedule: Schedule, elapsed_s: float = 0.0) -> float:
    """Linear rise over the warm-up, then a cosine down to 1 % of the peak."""
    if step < schedule.warmup:
        return schedule.learning_rate * (step + 1) / schedule.warmup
    share = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    share = max(share, share_done(0, schedule, elapsed_s))
    return schedule.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def share_done(step: int, schedule: Schedule, elapsed_s: float) -> float:
    """Share of the steps or of the time, whichever is further."""
    timed = elapsed_s / (60 * schedule.minutes) if schedule.minutes else 0.0
    return max(step / schedule.steps, timed)
