"""Images and label maps on the network's grid, ready to cut patches from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Label, LabelMap, Volume
from medrecon.models.grid import network_grid
from medrecon.models.manifest import Sampling
from medrecon.resampling import resample_volume

SampleMaker = Callable[[int], tuple[Volume, LabelMap]]
"""A seed to an image and its truth on the same grid."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image on the network's grid: float32 in its own units, and uint8 channels."""

    image: npt.NDArray[np.float32]
    target: npt.NDArray[np.uint8]


class SamplePool:
    """Makes samples by seed and keeps those of the highest seeds.

    Training moves through its seeds upwards, so the lowest is the first not needed again.
    """

    def __init__(
        self, make: SampleMaker, sampling: Sampling, labels: tuple[Label, ...], capacity: int
    ) -> None:
        self._make, self._sampling, self._labels = make, sampling, labels
        self._capacity = capacity
        self._kept: dict[int, Sample] = {}

    def __getitem__(self, seed: int) -> Sample:
        """The sample of a seed, made now if it is not kept."""
        if seed in self._kept:
            return self._kept[seed]
        volume, truth = self._make(seed)
        sample = prepare_sample(volume, truth, self._sampling, self._labels)
        self._kept[seed] = sample
        if len(self._kept) > self._capacity:
            del self._kept[min(self._kept)]
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
