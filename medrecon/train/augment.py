"""Patches cut from samples, changed a little: what scanners and field of view do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medrecon.train.options import Augmentation
from medrecon.train.samples import Sample
from medrecon.train.spatial import deform

Patch = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """What a patch is cut to: its voxels, their spacing, and the value around a small sample.

    `around` None means the sample's own lowest value (air).
    """

    shape: Patch
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    around: float | None = None


def draw_patch(
    sample: Sample, grid: PatchGrid, augmentation: Augmentation, rng: np.random.Generator
) -> Sample:
    """A patch at a random place with random changes, all drawn from `rng`.

    Where the sample is smaller than the patch it is placed at random inside, and
    surrounded by air and background.
    """
    sample = _cut_short(sample, augmentation.cut, rng)
    aim = _aim(sample, augmentation.focus, rng)
    placed = deform(_place(sample, grid, aim, rng), augmentation, grid.spacing_mm, rng)
    return Sample(_change(placed.image, augmentation, rng), placed.target)


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
    sample: Sample, grid: PatchGrid, aim: tuple[int, ...] | None, rng: np.random.Generator
) -> Sample:
    patch = grid.shape
    around = sample.image.min() if grid.around is None else grid.around
    image = np.full(patch, around, np.float32)
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
    return Sample(image, target)


def _change(
    image: npt.NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    a = augmentation
    if a.gamma:
        image = _with_gamma(image, float(np.exp(rng.uniform(-a.gamma, a.gamma))))
    if a.bias:
        image = _with_bias(image, a.bias, rng)
    blur, noise = rng.random(2) * (a.blur_voxels, a.noise)
    if blur > 0.2:
        image = ndimage.gaussian_filter(image, blur, truncate=3.0)
    factor, shift = rng.normal(1.0, a.scale), rng.normal(0.0, a.shift)
    image = image * np.float32(factor) + np.float32(shift)
    if noise > 0:
        image = image + np.float32(noise) * rng.standard_normal(image.shape, dtype=np.float32)
    changed: npt.NDArray[np.float32] = image
    return changed


def _with_gamma(image: npt.NDArray[np.float32], exponent: float) -> npt.NDArray[np.float32]:
    low, high = image.min(), image.max()
    if not high > low:
        return image
    share = (image - low) / (high - low)
    bent: npt.NDArray[np.float32] = share ** np.float32(exponent) * (high - low) + low
    return bent


def _with_bias(
    image: npt.NDArray[np.float32], size: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """The height above the lowest value times a smooth factor: a ramp along each axis."""
    log = np.zeros((1, 1, 1), np.float32)
    for axis, count in enumerate(image.shape):
        height = rng.uniform(-size, size) / 2
        ramp = np.linspace(-height, height, count, dtype=np.float32)
        log = log + ramp.reshape([-1 if n == axis else 1 for n in range(3)])
    low = image.min()
    uneven: npt.NDArray[np.float32] = (image - low) * np.exp(log) + low
    return uneven
