"""What a scanner adds to an image: blur, thick slices, uneven coils, noise, a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medrecon.train.appearance import Drawn
from medrecon.train.spatial import smooth_noise

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Artefacts:
    """How bad an image may be.

    Parameters
    ----------
    blur_voxels : float
        Highest standard deviation of the blur along each axis.
    thick_mm : float
        Thickest slices.
    thick : float
        Share of images with slices thicker than the voxels.
    bias : float
        Highest deviation of the logarithm of an MR's uneven sensitivity.
    gamma : float
        Highest size of the logarithm of an exponent on an MR's values.
    noise : float
        Highest deviation of the noise, as a share of the range of values; in CT, of 400 HU.
    table : float
        Share of images with a table or a head-rest behind the patient.
    """

    blur_voxels: float = 0.8
    thick_mm: float = 8.0
    thick: float = 0.35
    bias: float = 0.35
    gamma: float = 0.4
    noise: float = 0.06
    table: float = 0.35


def degrade(
    image: Floats, drawn: Drawn, how: Artefacts, spacing_mm: float, rng: np.random.Generator
) -> Floats:
    """The image as a scanner might have shown it."""
    if rng.random() < how.table:
        image = _with_table(image, drawn, spacing_mm, rng)
    image = ndimage.gaussian_filter(image, rng.uniform(0, how.blur_voxels, 3), truncate=2.5)
    if rng.random() < how.thick:
        image = _thick(image, rng.uniform(spacing_mm, how.thick_mm) / spacing_mm, rng)
    if drawn.is_ct:
        return image + _noise(image.shape, how.noise * 400, rng)
    low, high = float(image.min()), float(image.max())
    image = (image - low) / max(high - low, 1e-6)
    log = smooth_noise(image.shape, max(image.shape) / rng.uniform(1.5, 4), rng)
    image = image * np.exp(np.float32(rng.uniform(0, how.bias)) * log)
    image = np.maximum(image, 0) ** np.float32(np.exp(rng.uniform(-how.gamma, how.gamma)))
    # The size of a complex signal: noise never makes air darker than nothing.
    noisy: Floats = np.abs(image + _noise(image.shape, how.noise, rng))
    return noisy


def _noise(shape: tuple[int, ...], highest: float, rng: np.random.Generator) -> Floats:
    size = np.float32(rng.uniform(0, highest))
    return size * rng.standard_normal(shape, dtype=np.float32)


def _thick(image: Floats, factor: float, rng: np.random.Generator) -> Floats:
    """Seen in slices `factor` voxels apart along one axis, and interpolated between them."""
    axis = int(rng.choice(3, p=(0.15, 0.15, 0.7)))
    if factor < 1.2:
        return image
    smooth: Floats = ndimage.uniform_filter1d(image, max(1, round(factor)), axis, mode="nearest")
    count = image.shape[axis]
    centres = np.arange(rng.uniform(0, factor), count - 1, factor)
    if not len(centres):
        return smooth
    place = np.interp(np.arange(count), centres, np.arange(len(centres)))
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, len(centres) - 1)
    whole = np.rint(centres).astype(int)
    share = (place - low).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(3)])
    before, after = smooth.take(whole[low], axis), smooth.take(whole[high], axis)
    mixed: Floats = before * (1 - share) + after * share
    return mixed


def _with_table(image: Floats, drawn: Drawn, spacing_mm: float, rng: np.random.Generator) -> Floats:
    """A curved or flat plate at the back (high j), where the image shows air."""
    i, j, _ = image.shape
    x = (np.arange(i, dtype=np.float32) - i / 2 + np.float32(rng.uniform(-8, 8)))[:, None, None]
    y = np.arange(j, dtype=np.float32)[None, :, None]
    radius = rng.uniform(110, 600) / spacing_mm
    back = j - rng.uniform(2, 40) / spacing_mm
    depth = np.hypot(x, y - back + np.float32(radius)) - np.float32(radius)
    thick = rng.uniform(2, 18) / spacing_mm
    plate = (depth > 0) & (depth < thick) & (y > back - np.float32(0.5 * radius))
    value = rng.uniform(-600, 300) if drawn.is_ct else rng.uniform(0, 160)
    air = np.abs(image - drawn.mean[0]) < 5 * drawn.spread[0] + 3
    result: Floats = np.where(plate & air, np.float32(value), image)
    return result
