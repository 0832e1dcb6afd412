"""The training loop: samples in, a model folder out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from monai.losses.dice import DiceCELoss

from medrecon.models.intensity import normalise
from medrecon.models.networks import build_network
from medrecon.models.store import InstalledModel
from medrecon.train.augment import draw_patch
from medrecon.train.calibrate import volume_shifts, with_shifts
from medrecon.train.curve import write_curve
from medrecon.train.options import Schedule, TrainOptions
from medrecon.train.result import write_model
from medrecon.train.samples import Sample, SampleMaker, SamplePool
from medrecon.train.state import TrainState
from medrecon.train.validate import logits_of, validation_dice

Progress = Callable[[float], None]

# Samples on which volumes are made right: enough that a label's volume is known to the
# fraction of a percent that one person's differs from another's.
CALIBRATION_SAMPLES = 8


def train(
    samples: SampleMaker,
    options: TrainOptions,
    *,
    output: Path,
    device: str = "cpu",
    threads: int | None = None,
    progress: Progress | None = None,
) -> InstalledModel:
    """Train a model and write its folder; goes on from the checkpoint there, if any.

    Each step depends only on the options and its own number: a run that was killed and
    started again takes the same steps as one that was not. The weights that are saved
    are the exponential moving average, with a last bias that makes each label's volume
    right on average (`calibrate`). With one thread two runs on one kind of processor
    give the same bytes.

    Parameters
    ----------
    samples : callable
        A seed to an image and its label map. Called again for a seed whose sample is
        no longer kept, so it must give the same for the same seed.
    options : TrainOptions
    output : Path
        Folder for ``manifest.toml``, ``weights.safetensors``, ``README.md``,
        ``curve.csv``, ``curve.svg`` and ``checkpoint.safetensors``. Made if missing.
    device : str
        As torch names it.
    threads : int, optional
        Threads of PyTorch while this runs; what was set before is set again after.
    progress : callable, optional
        Told the share of steps done; may raise to stop.

    Raises
    ------
    UsageError
        If the folder holds the checkpoint of a run with other options.
    """
    with _threads(threads):
        return _train(samples, options, output, device, progress)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(
    samples: SampleMaker,
    options: TrainOptions,
    output: Path,
    device: str,
    progress: Progress | None,
) -> InstalledModel:
    output.mkdir(parents=True, exist_ok=True)
    state = _begin(options, device)
    state.load(output, _recipe(options))
    pool = SamplePool(samples, options.sampling, options.labels, options.pool)
    held_out = _HeldOut(samples, options)
    loss = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False)
    running: list[float] = []
    while state.step < options.schedule.steps:
        running.append(_step(state, pool, options, loss))
        state.step += 1
        if state.step % options.schedule.validate_every == 0:
            _measure(state, held_out, options, float(np.mean(running)), output)
            running.clear()
        if state.step % options.schedule.save_every == 0:
            state.save(output, _recipe(options))
        if progress is not None:
            progress(state.step / options.schedule.steps)
    state.save(output, _recipe(options))
    state.average = _calibrated(state, samples, options)
    return write_model(state.average, held_out.dice(state), options, output)


def _calibrated(
    state: TrainState, samples: SampleMaker, options: TrainOptions
) -> dict[str, torch.Tensor]:
    """The averaged weights, their volumes right on the last training seeds."""
    seeds = options.train_seeds[-CALIBRATION_SAMPLES:]
    pool = SamplePool(samples, options.sampling, options.labels, len(seeds))
    device = next(state.network.parameters()).device
    network = build_network(options.network, state.average).to(device)
    logits = [logits_of(network, pool[seed], options, device) for seed in seeds]
    shifts = volume_shifts(logits, [pool[seed].target for seed in seeds])
    # A checkpoint lists its tensors in another order.
    ordered = {name: state.average[name] for name in state.network.state_dict()}
    return with_shifts(ordered, shifts)


class _HeldOut:
    """The validation samples, made once."""

    def __init__(self, samples: SampleMaker, options: TrainOptions) -> None:
        count = len(options.validation_seeds)
        self._pool = SamplePool(samples, options.sampling, options.labels, count)
        self._options = options

    def dice(self, state: TrainState) -> dict[str, float]:
        """Dice of the averaged weights on the validation seeds."""
        network = build_network(self._options.network, state.average)
        network.to(next(state.network.parameters()).device)
        samples = (self._pool[seed] for seed in self._options.validation_seeds)
        return validation_dice(network, samples, self._options)


def _begin(options: TrainOptions, device: str) -> TrainState:
    # The fork keeps the caller's random numbers as they were.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        network = build_network(options.network).to(device).train()
    schedule = options.schedule
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    return TrainState(network, optimizer, average)


def _step(
    state: TrainState, pool: SamplePool, options: TrainOptions, loss: torch.nn.Module
) -> float:
    """One weight update; returns the loss."""
    schedule = options.schedule
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, schedule)
    patches = [_patch(pool, options, state.step, n) for n in range(schedule.batch)]
    device = next(state.network.parameters()).device
    image = torch.from_numpy(np.stack([normalise(p.image, options.intensity) for p in patches]))
    target = torch.from_numpy(np.stack([p.target for p in patches]).astype(np.int64))
    logits = state.network(image[:, None].to(device))
    value: torch.Tensor = loss(logits, target[:, None].to(device))
    state.optimizer.zero_grad(set_to_none=True)
    value.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimizer.step()
    _average(state, schedule.averaging)
    return float(value.detach())


def _patch(pool: SamplePool, options: TrainOptions, step: int, number: int) -> Sample:
    """The patch of a step: seed, place and changes follow from its number alone."""
    rng = np.random.default_rng([options.seed, step, number])
    seeds = options.train_seeds
    newest = min(len(seeds), options.pool // 2 + step // options.renew_every)
    oldest = max(0, newest - options.pool)
    sample = pool[seeds[int(rng.integers(oldest, max(newest, 1)))]]
    return draw_patch(sample, options.sampling.patch, options.augmentation, rng)


def _average(state: TrainState, decay: float) -> None:
    # The average of the first steps would remember the random start for too long.
    keep = min(decay, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for name, value in state.network.state_dict().items():
            if value.is_floating_point():
                state.average[name].lerp_(value, 1 - keep)
            else:
                state.average[name].copy_(value)


def learning_rate(step: int, schedule: Schedule) -> float:
    """Linear rise over the warm-up, then a cosine down to 1 % of the peak."""
    if step < schedule.warmup:
        return schedule.learning_rate * (step + 1) / schedule.warmup
    share = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return schedule.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def _measure(
    state: TrainState, held_out: _HeldOut, options: TrainOptions, loss: float, output: Path
) -> None:
    row = {"step": float(state.step), "loss": loss}
    row["learning_rate"] = learning_rate(state.step, options.schedule)
    row |= {f"dice_{name}": value for name, value in held_out.dice(state).items()}
    state.curve.append(row)
    write_curve(state.curve, options, output)


def _recipe(options: TrainOptions) -> str:
    return repr(options)
