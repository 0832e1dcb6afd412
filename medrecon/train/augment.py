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
    aim = _aim(sample, augmentation.focus, rng)
    image, target = _place(sample, patch, aim, rng)
    return Sample(_change(image, augmentation, rng), target)


def _cut_short(sample: Sample, probability: float, rng: np.random.Generator) -> Sample:
    size = sample.image.shape[2]
    draw, low, high = rng.random(3)
    if draw >= probability:
        return sample
    start, stop = int(low * size * 0.4), size - int(high * size * 0.4)
    return Sample(sample.image[:, :, start:stop], sample.target[:, :, start:stop])


def _aim(sample: Sample, probability: float, rng: np.random.Generator) -> tuple[int, ...] | None:
    """A voxel that the patch shall hold: of a random label, any of its voxels; or none."""
    draw = rng.random()
    present = np.flatnonzero(np.bincount(sample.target.ravel(order="K"))[1:]) + 1
    if draw >= probability or not present.size:
        return None
    voxels = np.argwhere(sample.target == rng.choice(present))
    return tuple(int(n) for n in voxels[rng.integers(len(voxels))])


def _place(
    sample: Sample, patch: Patch, aim: tuple[int, ...] | None, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    image = np.full(patch, sample.image.min(), np.float32)
    target = np.zeros(patch, np.uint8)
    here: list[slice] = []
    there: list[slice] = []
    for axis, (size, room) in enumerate(zip(sample.image.shape, patch, strict=True)):
        lowest, highest = 0, abs(size - room)
        if aim is not None and size > room:
            lowest, highest = max(0, aim[axis] - room + 1), min(highest, aim[axis])
        shift = int(rng.integers(lowest, highest + 1))
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
