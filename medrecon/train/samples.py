"""Images and label maps on the network's grid, ready to cut patches from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Label, LabelMap, Volume
from medrecon.models.grid import network_grid
from medrecon.models.intensity import normalise
from medrecon.models.manifest import Intensity, IntensityKind, Sampling
from medrecon.resampling import resample_volume

RELATIVE = frozenset({IntensityKind.ZSCORE, IntensityKind.PERCENTILE, IntensityKind.EQUALISED})
"""Normalisations that depend on the whole image: done before a patch is cut from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image on the network's grid, and the channel of each of its voxels.

    Parameters
    ----------
    image : ndarray of float32, shape (i, j, k)
        In its own units; normalised already where that depends on the whole image.
    target : ndarray of uint8, shape (i, j, k)
    """

    image: npt.NDArray[np.float32]
    target: npt.NDArray[np.uint8]


SampleMaker = Callable[[int], Sample]
"""A seed to a sample on the network's grid, always the same one."""

PairMaker = Callable[[int], tuple[Volume, LabelMap]]
"""A seed to an image and its truth on one grid, whatever grid that is."""


class SamplePool:
    """Makes samples by seed and keeps those of the highest seeds.

    Training moves through its seeds upwards, so the lowest is the first not needed again.

    Parameters
    ----------
    make : callable
    capacity : int
        Samples kept.
    helpers : Executor, optional
        Makes those that are expected, meanwhile.
    """

    def __init__(self, make: SampleMaker, capacity: int, helpers: Executor | None = None) -> None:
        self._make, self._capacity, self._helpers = make, capacity, helpers
        self._kept: dict[int, Sample] = {}
        self._begun: dict[int, Future[Sample]] = {}

    def __getitem__(self, seed: int) -> Sample:
        """The sample of a seed, made now if it is neither kept nor begun."""
        if seed not in self._kept:
            begun = self._begun.pop(seed, None)
            sample = self._make(seed) if begun is None else begun.result()
            self._keep(seed, sample)
            return sample
        return self._kept[seed]

    def expect(self, seeds: Sequence[int]) -> None:
        """Begin the samples of these seeds where there is somebody to make them."""
        if self._helpers is None:
            return
        # Also those that no step happens to draw are let go of in their turn.
        # One that failed waits: its error belongs to the step that draws it.
        done = [s for s, begun in self._begun.items() if begun.done() and not begun.exception()]
        for seed in done:
            self._keep(seed, self._begun.pop(seed).result())
        for seed in seeds:
            if seed not in self._kept and seed not in self._begun:
                self._begun[seed] = self._helpers.submit(self._make, seed)

    def _keep(self, seed: int, sample: Sample) -> None:
        self._kept[seed] = sample
        if len(self._kept) > self._capacity:
            del self._kept[min(self._kept)]


def on_network_grid(
    make: PairMaker, sampling: Sampling, labels: tuple[Label, ...], intensity: Intensity
) -> SampleMaker:
    """A maker of samples from a maker of pairs on any grid."""

    def sample(seed: int) -> Sample:
        volume, truth = make(seed)
        found = prepare_sample(volume, truth, sampling, labels)
        if intensity.kind in RELATIVE:
            return Sample(normalise(found.image, intensity), found.target)
        return found

    return sample


def prepare_sample(
    volume: Volume, truth: LabelMap, sampling: Sampling, labels: tuple[Label, ...]
) -> Sample:
    """An image and its truth on the network's grid, the same way inference does it."""
    grid = network_grid(volume.geometry, sampling)
    image = resample_volume(volume, grid).array.astype(np.float32)
    return Sample(image, _channels_on(truth, grid, labels))


def _channels_on(
    truth: LabelMap, grid: Geometry, labels: tuple[Label, ...]
) -> npt.NDArray[np.uint8]:
    """The label whose interpolated share of a voxel is largest: never mixed numbers."""
    best = np.full(grid.shape, 0.5, np.float32)
    channel = np.zeros(grid.shape, np.uint8)
    for number, label in enumerate(labels, start=1):
        mask = (truth.array == label.index).astype(np.float32)
        share = resample_volume(Volume(mask, truth.geometry), grid).array
        channel[share > best] = number
        np.maximum(best, share, out=best)
    return channel
