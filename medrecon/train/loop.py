"""The training loop: samples in, a model folder out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from medrecon.core.threads import cores
from medrecon.models.networks import build_network
from medrecon.models.store import InstalledModel, load_weights
from medrecon.train.calibrate import last_bias, volume_shifts, with_shifts
from medrecon.train.carry import carried_over
from medrecon.train.curve import write_curve
from medrecon.train.losses import loss_for
from medrecon.train.options import TrainOptions, recipe_key
from medrecon.train.result import write_model
from medrecon.train.samples import SampleMaker, SamplePool
from medrecon.train.state import TrainState
from medrecon.train.step import SAMPLES_AHEAD, Precision, learning_rate, share_done, take_step
from medrecon.train.validate import logits_of, validation_dice

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run is computed; decides how fast, and only to rounding what comes out.

    Parameters
    ----------
    device : str
        As torch names it.
    threads : int or None
        Threads of PyTorch while this runs; what was set before is set again after.
    precision : Precision
    channels_last : bool
        Keep a voxel's features side by side: a tenth to a quarter faster.
    """

    device: str = "cpu"
    threads: int | None = None
    precision: Precision = Precision.AUTO
    channels_last: bool = True


def train(
    samples: SampleMaker,
    options: TrainOptions,
    *,
    output: Path,
    machine: Machine | None = None,
    start: InstalledModel | None = None,
    progress: Progress | None = None,
    begun: Callable[[], None] | None = None,
) -> InstalledModel:
    """Train a model and write its folder; goes on from the checkpoint there, if any.

    Each step depends only on the options and its own number: a run that was killed and
    started again takes the same steps as one that was not. The weights that are saved
    are the exponential moving average, if asked for with a last bias that makes each label's volume
    right on average (`calibrate`). With one thread two runs on one kind of processor
    give the same bytes, unless the schedule goes by minutes.

    Parameters
    ----------
    samples : callable
        A seed to a sample on the network's grid. Called again for a seed whose sample
        is no longer kept, so it must give the same for the same seed.
    options : TrainOptions
    output : Path
        Folder for ``manifest.toml``, ``weights.safetensors``, ``README.md``,
        ``curve.csv``, ``curve.svg`` and ``checkpoint.safetensors``. Made if missing.
    machine : Machine, optional
    start : InstalledModel, optional
        Begin with its weights instead of random ones.
    progress : callable, optional
        Told the share of steps done; may raise to stop.
    begun : callable, optional
        Called once the folder is this run's: no checkpoint of another is in it.

    Raises
    ------
    UsageError
        If the folder holds the checkpoint of a run with other options.
    ModelError
        If the weights to start from do not fit the network.
    """
    chosen = machine or Machine()
    options = options if start is None else replace(options, start=start.manifest.weights.sha256)
    with _threads(chosen.threads):
        state = _begin(options, chosen, start)
        output.mkdir(parents=True, exist_ok=True)
        state.load(output, recipe_key(options))
        if begun is not None:
            begun()
        return _train(state, samples, options, output, (chosen, progress))


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(
    state: TrainState,
    samples: SampleMaker,
    options: TrainOptions,
    output: Path,
    how: tuple[Machine, Progress | None],
) -> InstalledModel:
    held_out = _HeldOut(samples, options)
    with _helpers() as helpers:
        pool = SamplePool(samples, options.pool + SAMPLES_AHEAD, helpers)
        _take_steps(state, pool, held_out, options, (output, how))
    state.save(output, recipe_key(options))
    if options.calibration:
        state.average = _calibrated(state, samples, options)
    return write_model(state.average, held_out.dice(state), options, output)


@contextmanager
def _helpers() -> Iterator[ThreadPoolExecutor]:
    """Threads that make samples while steps are taken; what waits is dropped at the end."""
    helpers = ThreadPoolExecutor(max(1, cores() - 1))
    try:
        yield helpers
    finally:
        helpers.shutdown(cancel_futures=True)


def _take_steps(
    state: TrainState,
    pool: SamplePool,
    held_out: _HeldOut,
    options: TrainOptions,
    how: tuple[Path, tuple[Machine, Progress | None]],
) -> None:
    output, (machine, progress) = how
    loss = loss_for(options)
    schedule = options.schedule
    running: list[float] = []
    while share_done(state.step, schedule, state.elapsed_s) < 1:
        began = time.monotonic()
        running.append(take_step(state, pool, options, loss, machine.precision))
        state.step += 1
        state.elapsed_s += time.monotonic() - began
        if state.step % schedule.validate_every == 0:
            _measure(state, held_out, options, float(np.mean(running)), output)
            running.clear()
        if state.step % schedule.save_every == 0:
            state.save(output, recipe_key(options))
        if progress is not None:
            progress(min(1.0, share_done(state.step, schedule, state.elapsed_s)))


def _calibrated(
    state: TrainState, samples: SampleMaker, options: TrainOptions
) -> dict[str, torch.Tensor]:
    """The averaged weights, their volumes right on the last training seeds."""
    seeds = options.train_seeds[-options.calibration :]
    pool = SamplePool(samples, len(seeds))
    device = next(state.network.parameters()).device
    network = build_network(options.network, state.average).to(device)
    logits = [logits_of(network, pool[seed], options, device) for seed in seeds]
    shifts = volume_shifts(logits, [pool[seed].target for seed in seeds])
    # A checkpoint lists its tensors in another order.
    ordered = {name: state.average[name] for name in state.network.state_dict()}
    name = last_bias(network, options.sampling.patch, len(shifts))
    return with_shifts(ordered, name, shifts)


class _HeldOut:
    """The validation samples, made once."""

    def __init__(self, samples: SampleMaker, options: TrainOptions) -> None:
        self._pool = SamplePool(samples, len(options.validation_seeds))
        self._options = options

    def dice(self, state: TrainState) -> dict[str, float]:
        """Dice of the averaged weights on the validation seeds."""
        network = build_network(self._options.network, state.average)
        network.to(next(state.network.parameters()).device)
        samples = (self._pool[seed] for seed in self._options.validation_seeds)
        return validation_dice(network, samples, self._options)


def _begin(options: TrainOptions, machine: Machine, start: InstalledModel | None) -> TrainState:
    # The fork keeps the caller's random numbers as they were.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        weights = None
        if start is not None:
            weights = carried_over(load_weights(start), start.manifest.network, options.network)
        network = build_network(options.network, weights).to(machine.device).train()
    if machine.channels_last:
        network = network.to(memory_format=torch.channels_last_3d)
    schedule = options.schedule
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    return TrainState(network, optimizer, average)


def _measure(
    state: TrainState, held_out: _HeldOut, options: TrainOptions, loss: float, output: Path
) -> None:
    row = {"step": float(state.step), "loss": loss}
    row["learning_rate"] = learning_rate(state.step, options.schedule, state.elapsed_s)
    row |= {f"dice_{name}": value for name, value in held_out.dice(state).items()}
    state.curve.append(row)
    write_curve(state.curve, options, output)
