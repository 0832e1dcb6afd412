"""Patches cut from samples, changed a little: what scanners and field of view do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medrecon.train.options import Augmentation
from medrecon.train.samples import Sample

Patch = tuple[int, int, int]


def draw_patch(
    sample: Sample, patch: Patch, augmentation: Augmentation, rng: np.random.Generator
) -> Sample:
    """A patch at a random place with random changes, all drawn from `rng`.

    Where the sample is smaller than the patch it is placed at random inside, and
    surrounded by its own lowest value (air) and background.
    """
    sample = _cut_short(sample, augmentation.cut, rng)
    image, target = _place(sample, patch, rng)
    return Sample(_change(image, augmentation, rng), target)


def _cut_short(sample: Sample, probability: float, rng: np.random.Generator) -> Sample:
    size = sample.image.shape[2]
    draw, low, high = rng.random(3)
    if draw >= probability:
        return sample
    start, stop = int(low * size * 0.4), size - int(high * size * 0.4)
    return Sample(sample.image[:, :, start:stop], sample.target[:, :, start:stop])


def _place(
    sample: Sample, patch: Patch, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    image = np.full(patch, sample.image.min(), np.float32)
    target = np.zeros(patch, np.uint8)
    here: list[slice] = []
    there: list[slice] = []
    for size, room in zip(sample.image.shape, patch, strict=True):
        shift = int(rng.integers(0, abs(size - room) + 1))
        length = min(size, room)
        here.append(slice(shift, shift + length) if size > room else slice(0, length))
        there.append(slice(shift, shift + length) if size < room else slice(0, length))
    image[tuple(there)] = sample.image[tuple(here)]
    target[tuple(there)] = sample.target[tuple(here)]
    return image, target


def _change(
    image: npt.NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    a = augmentation
    blur, noise = rng.random(2) * (a.blur_voxels, a.noise)
    if blur > 0.2:
        image = ndimage.gaussian_filter(image, blur, truncate=3.0)
    factor, shift = rng.normal(1.0, a.scale), rng.normal(0.0, a.shift)
    image = image * np.float32(factor) + np.float32(shift)
    if noise > 0:
        image = image + np.float32(noise) * rng.standard_normal(image.shape, dtype=np.float32)
    changed: npt.NDArray[np.float32] = image
    return changed
