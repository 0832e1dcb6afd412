"""A part of the image to work on, on a grid as coarse as its size asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from medrecon.core import Geometry, Label, SoftField, Volume, away_from_zero

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

MOST_POINTS = 260_000
"""Points of the working grid: what is solved on them takes about a second."""
MARGIN = 1


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A block of an image and the working grid over it.

    Parameters
    ----------
    start : tuple of int
        Index of the block's first voxel.
    native : ndarray of float32
        The block's own voxels.
    origin : ndarray of float64, shape (3,)
        The block's first voxel centre, in mm along the axes from the image's.
    step : tuple of float
        Spacing of the working grid, no finer than the image's.
    image : ndarray of float32
        The block on the working grid.
    spacing : tuple of float
        Of the image.
    """

    start: tuple[int, int, int]
    native: Floats
    origin: Points
    step: tuple[float, float, float]
    image: Floats
    spacing: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the working grid."""
        return self.image.shape

    def points(self) -> Points:
        """(n, 3) positions of the working grid's points."""
        axes = [
            o + np.arange(n) * s for o, n, s in zip(self.origin, self.shape, self.step, strict=True)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)

    def index(self, point: Points) -> Points:
        """Where on the working grid a position lies."""
        return np.asarray((point - self.origin) / np.asarray(self.step))

    def field(self, values: Floats, structure: Label, grid: Geometry) -> SoftField:
        """Values of the working grid on the image's voxels; outside the block is outside."""
        fine = values
        for axis in range(3):
            voxels = np.arange(self.native.shape[axis], dtype=np.float64)
            at: Points = voxels * self.spacing[axis] / self.step[axis]
            fine = _along(fine, axis, at)
        return SoftField(structure, np.asfortranarray(away_from_zero(fine)), grid, self.start)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A part of an image, neighbouring voxels averaged.

    Parameters
    ----------
    values : ndarray of float32
    origin : ndarray of float64, shape (3,)
        Centre of its first value, in mm along the axes from the image's.
    spacing : ndarray of float64, shape (3,)
    """

    values: Floats
    origin: Points
    spacing: Points


def block_around(volume: Volume, low: Points, high: Points, coarsest_mm: float) -> Block:
    """The part of the image between two positions, averaged to no more than a spacing."""
    spacing = np.asarray(volume.geometry.spacing_mm)
    first, last = _corners(volume, low, high)
    i, j, k = (slice(a, b + 1) for a, b in zip(first, last, strict=True))
    values = volume.array[i, j, k].astype(np.float32)
    many = np.maximum(1, np.floor(coarsest_mm / spacing)).astype(int)
    many = np.minimum(many, values.shape)
    for axis in range(3):
        values = _averaged(values, axis, int(many[axis]))
    return Block(values, (first + (many - 1) / 2) * spacing, spacing * many)


def _averaged(values: Floats, axis: int, many: int) -> Floats:
    if many == 1:
        return values
    whole = values.shape[axis] // many
    parts = np.moveaxis(values, axis, 0)[: whole * many]
    mean = parts.reshape(whole, many, *parts.shape[1:]).mean(axis=1, dtype=np.float32)
    return np.asarray(np.moveaxis(mean, 0, axis))


def _corners(volume: Volume, low: Points, high: Points) -> tuple[Points, Points]:
    """Indices of the first and the last voxel between two positions."""
    spacing = np.asarray(volume.geometry.spacing_mm)
    shape = np.asarray(volume.geometry.shape)
    first = np.clip(np.floor(low / spacing).astype(int) - MARGIN, 0, shape - 2)
    last = np.clip(np.ceil(high / spacing).astype(int) + MARGIN, first + 1, shape - 1)
    return first, last


def window_around(volume: Volume, low: Points, high: Points) -> Window:
    """The block of the image between two positions, and a working grid over it."""
    spacing = np.asarray(volume.geometry.spacing_mm)
    first, last = _corners(volume, low, high)
    i, j, k = (slice(a, b + 1) for a, b in zip(first, last, strict=True))
    native = volume.array[i, j, k].astype(np.float32)
    size = (last - first) * spacing
    step = _step(size, spacing)
    points = np.floor(size / step + 1e-6).astype(int) + 1
    coarse = native
    for axis in range(3):
        # One axis after the other, so that each finds less to do.
        times = float(step[axis] / spacing[axis])
        if times > 1.01:
            coarse = gaussian_filter1d(coarse, 0.5 * times, axis, truncate=3)
        at = np.arange(int(points[axis]), dtype=np.float64) * times
        coarse = _along(coarse, axis, at)
    a, b, c = (int(n) for n in first)
    x, y, z = (float(s) for s in step)
    u, v, w = (float(s) for s in spacing)
    return Window((a, b, c), native, first * spacing, (x, y, z), coarse, (u, v, w))


def _step(size: Points, spacing: Points) -> Points:
    """The image's own spacing, coarser along the axes where it is finest until it fits."""
    wanted = float(spacing.min())
    while True:
        step = np.maximum(spacing, wanted)
        if np.prod(size / step + 1) <= MOST_POINTS:
            return step
        wanted *= 1.05


def _along(values: Floats, axis: int, at: Points) -> Floats:
    """Linear interpolation along an axis at fractional indices, ends continued."""
    last = values.shape[axis] - 1
    at = np.clip(at, 0, last)
    low = np.minimum(at.astype(int), max(last - 1, 0))
    part = (at - low).astype(np.float32)
    shape = [1, 1, 1]
    shape[axis] = len(part)
    part = part.reshape(shape)
    first = np.take(values, low, axis=axis)
    second = np.take(values, np.minimum(low + 1, last), axis=axis)
    first *= 1 - part
    second *= part
    first += second
    return np.asarray(first)
