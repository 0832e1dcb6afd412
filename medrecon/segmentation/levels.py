"""The level of a surface from place to place: between what lies on its two sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from medrecon.segmentation.pooling import Array, Mask, values_at
from medrecon.segmentation.surfaces import Floats, Ints, inward_walks
from medrecon.segmentation.walls import WallModel, wall_level

# Walks are sampled at least this far apart: closer samples lie on the same blurred edge
# of a clinical scanner (sigma 0.5 to 0.8 mm).
FINEST_STEP_MM = 0.8
# A block over which levels are averaged, in steps of a walk: a surface crosses it in
# about twenty voxels, which takes the noise of a level to a fifth of a voxel's.
BLOCK_STEPS = 4
# How far a voxel's own sides may pull its level from its block's: where a wall is
# weaker than its neighbourhood, its level stays within its own contrast.
OWN_RANGE = (0.35, 0.75)


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """What each voxel of a surface sees on its two sides, in the image's units.

    Parameters
    ----------
    inner, outer : ndarray of float32
        Value of the two sides.
    blur_mm : ndarray of float32
        Standard deviation of the voxel's own averaging along the walk: thick slices
        blur along their normal.
    """

    inner: Floats
    outer: Floats
    blur_mm: Floats

    @property
    def contrast(self) -> Floats:
        """Inner minus outer; its sign says which side is brighter."""
        return self.inner - self.outer

    def only(self, keep: Mask) -> Sides:
        """The sides of the voxels that `keep` names."""
        return Sides(self.inner[keep], self.outer[keep], self.blur_mm[keep])


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the two sides are looked at.

    Parameters
    ----------
    spacing_kji_mm : tuple of float
    thin_wall : bool
        The inside is a bright wall around something darker (bone): its side is the
        peak of the walk, not its mean, and its level follows `walls`.
    thin_around : bool
        The outside is a bright wall around a dark inside (airway): the outer side is the
        peak of the walk.
    reach : int
        Steps from the surface to where its two sides are looked at: as far as the
        surface may be wrong.
    outer_at_most : float or None
        The outer side is not brighter than this: behind a lung's thin cover of soft
        tissue lie ribs.
    """

    spacing_kji_mm: tuple[float, float, float]
    thin_wall: bool = False
    thin_around: bool = False
    reach: int = 2
    outer_at_most: float | None = None

    @property
    def step_mm(self) -> float:
        """Distance between samples of a walk."""
        return max(FINEST_STEP_MM, min(self.spacing_kji_mm))


def look(values: Array, image: Array, index: Ints, how: Sampling) -> Sides:
    """The two sides of the surface as seen from some voxels near it."""
    places = (1, how.reach, how.reach + 1)
    ways = [sign * n * how.step_mm for sign in (1, -1) for n in places]
    walks = inward_walks(values, image, index, how.spacing_kji_mm, ways)
    here = values_at(image, index).astype(np.float32)
    deep, far = walks.values.T[:3], walks.values.T[3:]
    outer = (far[1] + far[2]) * np.float32(0.5)
    if how.thin_around:
        outer = np.maximum(np.maximum(far[0], far[1]), np.maximum(far[2], here))
    if how.thin_wall:
        inner = np.maximum(np.maximum(deep[0], deep[1]), np.maximum(deep[2], here))
    else:
        inner = (deep[1] + deep[2]) * np.float32(0.5)
    if how.outer_at_most is not None:
        outer = np.minimum(outer, np.float32(how.outer_at_most))
    return Sides(inner, outer, walks.blur_mm)


def noise_of(values: Array, image: Array, index: Ints, how: Sampling) -> float:
    """Standard deviation of the image's noise outside the surface.

    From the differences of neighbouring samples, by their median: edges of other
    structures do not count.
    """
    few = index[:: max(1, len(index) // 50_000)]
    ways = [-n * how.step_mm for n in (how.reach, how.reach + 1)]
    near, far = inward_walks(values, image, few, how.spacing_kji_mm, ways).values.T
    # Median of |N(0, s·√2)| is 0.6745·√2·s.
    return float(np.median(np.abs(near - far)) / (0.6745 * np.sqrt(2)))


class BlockLevels:
    """Levels averaged over blocks, asked for at any voxel near the surface."""

    def __init__(
        self, index: Ints, sides: Sides, shape: tuple[int, ...], how: Sampling, wall: WallModel
    ) -> None:
        edge = BLOCK_STEPS * how.step_mm
        k, j, i = (max(1, round(edge / mm)) for mm in how.spacing_kji_mm)
        self._factors = (k, j, i)
        self._shape = shape
        self._blocks = tuple(-(-n // f) + 2 for n, f in zip(shape, self._factors, strict=True))
        number = np.ravel_multi_index(
            tuple(p // f + 1 for p, f in zip(self._places(index), self._factors, strict=True)),
            self._blocks,
        )
        counts = self._wide(number, None)
        inner, outer, blur = (
            _mean(self._wide(number, x), counts) for x in (sides.inner, sides.outer, sides.blur_mm)
        )
        level = (inner + outer) * np.float32(0.5)
        if how.thin_wall:
            known = counts > 0.5
            level[known] = wall_level(inner[known], outer[known], blur[known], wall)
        self._level, self._contrast = _ringed(level, counts), _ringed(inner - outer, counts)

    def at(self, index: Ints) -> tuple[Floats, Floats]:
        """Level at some voxels, linear between the centres of the blocks, and contrast."""
        places = self._places(index)
        where = [
            ((p + np.float32(0.5)) / np.float32(f) + np.float32(0.5)).astype(np.float32)
            for p, f in zip(places, self._factors, strict=True)
        ]
        level = ndi.map_coordinates(self._level, where, order=1, mode="nearest")
        k, j, i = (p // f + 1 for p, f in zip(places, self._factors, strict=True))
        return level, self._contrast[k, j, i]

    def _places(self, index: Ints) -> tuple[Ints, ...]:
        return np.unravel_index(index, self._shape)

    def _wide(self, number: Ints, weights: Floats | None) -> Floats:
        """Sums over each block and its 26 neighbours."""
        sums = np.bincount(number, weights, int(np.prod(self._blocks)))
        block = sums.reshape(self._blocks).astype(np.float32)
        wide: Floats = ndi.uniform_filter(block, 3, mode="constant") * np.float32(27)
        return wide


def own_level(level: Floats, own: Sides) -> Floats:
    """The block's level, held between parts of the voxel's own contrast."""
    low = own.outer + np.float32(OWN_RANGE[0]) * own.contrast
    high = own.outer + np.float32(OWN_RANGE[1]) * own.contrast
    return np.clip(level, np.minimum(low, high), np.maximum(low, high))


def _mean(sums: Floats, counts: Floats) -> Floats:
    return np.where(counts > 0.5, sums / np.maximum(counts, 1), 0).astype(np.float32)


def _ringed(mean: Floats, counts: Floats) -> Floats:
    """Blocks without a surface take their neighbours' mean: interpolation meets no zeros."""
    known = counts > 0.5
    ring = ndi.uniform_filter(np.where(known, mean, 0), 3, mode="constant")
    share = ndi.uniform_filter(known.astype(np.float32), 3, mode="constant")
    filled: Floats = np.where(known, mean, ring / np.maximum(share, np.float32(1e-3)))
    return filled.astype(np.float32)
