"""A patch turned, scaled and bent a little, image and truth together."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample, interpolate

from medrecon.train.options import Augmentation
from medrecon.train.samples import Sample

Floats = npt.NDArray[np.float32]

# Displacements are drawn on this many points along each axis: a bend of half a patch.
KNOTS = 4


def deform(
    sample: Sample, augmentation: Augmentation, spacing_mm: npt.ArrayLike, rng: np.random.Generator
) -> Sample:
    """The sample seen through a random rotation, zoom, bend and mirror.

    The image is interpolated linearly and repeats its border outside, the truth takes
    the nearest voxel and is background outside. Nothing is drawn from `rng` where
    nothing is to change.
    """
    a = augmentation
    if not (a.rotate_deg or a.zoom or a.bend_mm or a.mirror):
        return sample
    if a.rotate_deg or a.zoom or a.bend_mm:
        places = _places(sample.image.shape, a, np.asarray(spacing_mm, float), rng)
        image = _at(sample.image, places, "bilinear", "border")
        target = _at(sample.target.astype(np.float32), places, "nearest", "zeros")
        sample = Sample(image, target.astype(np.uint8))
    for axis in a.mirror:
        if rng.random() < 0.5:
            sample = Sample(np.flip(sample.image, axis), np.flip(sample.target, axis))
    return sample


def _places(
    shape: tuple[int, ...],
    a: Augmentation,
    spacing_mm: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> torch.Tensor:
    """Where each voxel of the result is looked up: (i, j, k, 3) in −1..1, last axis first."""
    matrix = rotation(np.radians(rng.uniform(-a.rotate_deg, a.rotate_deg, 3)))
    matrix = matrix * np.exp(rng.uniform(-a.zoom, a.zoom) + rng.uniform(-a.zoom, a.zoom, 3) / 3)
    # Turned in millimetres, so that thick slices stay where they are.
    matrix = matrix * spacing_mm / spacing_mm[:, None]
    half = (np.asarray(shape) - 1) / 2
    axes = [torch.linspace(-h, h, n, dtype=torch.float32) for h, n in zip(half, shape, strict=True)]
    index = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    found = index @ torch.from_numpy(matrix.T.astype(np.float32))
    if a.bend_mm:
        bend = bend_on(shape, rng.uniform(0, a.bend_mm), rng) / spacing_mm[:, None, None, None]
        found = found + torch.from_numpy(np.moveaxis(bend, 0, -1).astype(np.float32))
    return (found / torch.from_numpy(np.maximum(half, 0.5).astype(np.float32))).flip(-1)


def bend_on(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> Floats:
    """A smooth displacement, (3, i, j, k), of that standard deviation at its knots."""
    knots = rng.normal(0, size, (3, *3 * (KNOTS,)))
    return _grown(knots, shape)


def smooth_noise(shape: tuple[int, ...], length: float, rng: np.random.Generator) -> Floats:
    """Noise of mean 0 and deviation about 1 that changes over `length` voxels."""
    knots = [max(2, round(n / length) + 1) for n in shape]
    noise: Floats = _grown(rng.standard_normal((1, *knots)), shape)[0]
    return noise


def _grown(knots: npt.NDArray[np.float64], shape: tuple[int, ...]) -> Floats:
    given = torch.from_numpy(knots.astype(np.float32))[None]
    found: Floats = interpolate(given, shape, mode="trilinear", align_corners=True)[0].numpy()
    return found


def rotation(angles: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """3×3 matrix of three turns in radians, about the first, second and third axis."""
    matrix: npt.NDArray[np.float64] = np.eye(3)
    for axis, angle in enumerate(np.asarray(angles, float)):
        turn = np.eye(3)
        p, q = [n for n in range(3) if n != axis]
        turn[p, p] = turn[q, q] = math.cos(angle)
        turn[p, q], turn[q, p] = -math.sin(angle), math.sin(angle)
        matrix = turn @ matrix
    return matrix


def _at(
    values: npt.NDArray[np.float32], places: torch.Tensor, mode: str, outside: str
) -> npt.NDArray[np.float32]:
    given = torch.from_numpy(np.ascontiguousarray(values))[None, None]
    found = grid_sample(given, places[None], mode, outside, align_corners=True)[0, 0]
    result: npt.NDArray[np.float32] = found.numpy()
    return result
