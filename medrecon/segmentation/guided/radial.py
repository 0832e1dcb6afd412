"""The surface round a point, as a distance in every direction.

Tumours are lumps: seen from the middle, nearly every direction meets the boundary once.
Along each ray the image says where that is likely: where the values leave those of the
inside, and where they change at once. Where the neighbouring tissue looks the same the
image says nothing, and the neighbouring directions decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from medrecon.segmentation.guided.sphere import directions, relaxed, smoothest

Points = npt.NDArray[np.float64]

LEVELS = 36
FIRST_LEVEL = 0.7
"""Levels are this and so many steps more from the middle."""

# Numbers of the energy, per level. Tuned on one patient (STS_005) and on phantoms.
TYPICAL = 3.0
"""Deviations of the inside's values within which a value counts as the inside's own."""
REWARD, FINE = 0.3, 9.0
"""Most that a level inside the inside's values gains, and that one outside costs."""
EDGE, STEEPEST = 2.0, 4.0
"""Gain of a change of three deviations within one level, and how often it counts at most."""
DEAREST = 60.0
SMOOTHNESS = 0.18
BEYOND = 50.0
"""Cost of a boundary that the image does not reach."""
ROUNDS = 20
BEYOND_LAST = 0.5
"""Steps from the last level inside to the boundary: halfway to the first one outside."""
# Where a click says that the boundary must lie, relative to how far off it was.
CLICK_WIDTH, CLICK_LEAST_LEVELS = 3.0, 4.0
CLICK_WEIGHT, CLICK_TOLERANCE_LEVELS, CLICK_MOST = 3.0, 4.0 / 3.0, 8.0
FORBIDDEN = 200.0
# What the clicks say of the structure's size elsewhere, weakly: where the image says
# nothing, the boundary is as far off as the clicks found it to be.
SIZE_WEIGHT, SIZE_SPREAD, SIZE_ANGLE = 2.0, 0.35, 1.0


@dataclass(frozen=True, slots=True)
class Correction:
    """A click that the surface had on its wrong side, `depth_mm` from it."""

    point: tuple[float, float, float]
    inside: bool
    depth_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """The image along all directions from a point.

    Parameters
    ----------
    centre : ndarray of float64, shape (3,)
    step_mm : float
        Between levels.
    values : ndarray of float32, shape (directions, levels)
    reached : ndarray of bool, the same shape
        Where the image reaches.
    """

    centre: Points
    step_mm: float
    values: npt.NDArray[np.float32]
    reached: npt.NDArray[np.bool_]

    @property
    def radii_mm(self) -> npt.NDArray[np.float64]:
        """Distance of each level from the centre."""
        return np.asarray((np.arange(LEVELS) + FIRST_LEVEL) * self.step_mm)


def cast(
    image: npt.NDArray[np.float32], spacing_mm: Sequence[float], centre: Points, step_mm: float
) -> Rays:
    """The image, smoothed by half a step, along rays; positions are index × spacing."""
    vectors, _ = directions()
    radii = (np.arange(LEVELS) + FIRST_LEVEL) * step_mm
    points = centre + vectors[:, None, :] * radii[None, :, None]
    index = np.moveaxis(points / np.asarray(spacing_mm), -1, 0)
    values = map_coordinates(image, index, order=1, mode="nearest", output=np.float32)
    last = (np.asarray(image.shape) - 1).reshape(3, 1, 1)
    return Rays(centre, step_mm, values, ((index >= 0) & (index <= last)).all(axis=0))


def surface_along(
    rays: Rays, noise: float, corrections: Sequence[Correction], start: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Distance of the surface in every direction, in mm.

    Parameters
    ----------
    rays : Rays
    noise : float
        Standard deviation of the image's noise at the rays' resolution: the least
        spread that the inside's values are given.
    corrections : sequence of Correction
    start : ndarray of float64, shape (directions,)
        A first surface: the inside's values are taken from within 0.8 of it.
    """
    inside = rays.radii_mm < 0.8 * np.maximum(start, 2.5 * rays.step_mm)[:, None]
    weight = np.broadcast_to(rays.radii_mm**2, rays.values.shape)[inside]
    middle = _weighted_median(rays.values[inside], weight)
    spread = _weighted_median(np.abs(rays.values[inside] - middle), weight)
    deviation = max(1.4826 * spread, noise)
    cost = _cost(rays, middle, deviation) + _cost_of(corrections, rays)
    cost -= cost.min(axis=1, keepdims=True)
    level = smoothest(cost.astype(np.float32), SMOOTHNESS, ROUNDS)
    return relaxed(rays.radii_mm[level] + BEYOND_LAST * rays.step_mm)


def _cost(rays: Rays, middle: float, deviation: float) -> npt.NDArray[np.float64]:
    z = (rays.values.astype(np.float64) - middle) / (TYPICAL * deviation)
    within = np.cumsum(np.clip(3 * (z * z - 1), -REWARD, FINE), axis=1)
    change = np.abs(np.gradient(rays.values, axis=1)) / (3 * deviation)
    cost = within - EDGE * np.clip(change, 0, STEEPEST) + np.where(rays.reached, 0, BEYOND)
    return np.asarray(np.minimum(cost - cost.min(axis=1, keepdims=True), DEAREST))


def _cost_of(corrections: Sequence[Correction], rays: Rays) -> npt.NDArray[np.float64]:
    """A click in the middle of what was wrong: the boundary lies as far beyond it again."""
    vectors, _ = directions()
    cost = np.zeros(rays.values.shape)
    radii, step = rays.radii_mm, rays.step_mm
    for c in corrections:
        away = np.asarray(c.point) - rays.centre
        distance = float(np.linalg.norm(away))
        if distance < step / 2:
            continue
        aside = distance * np.arccos(np.clip(vectors @ (away / distance), -1, 1))
        width = max(CLICK_WIDTH * c.depth_mm, CLICK_LEAST_LEVELS * step)
        target = distance + c.depth_mm * (1 if c.inside else -1)
        off = ((radii - target) / (CLICK_TOLERANCE_LEVELS * step)) ** 2
        pull = np.exp(-(aside**2) / (2 * width**2))
        cost += CLICK_WEIGHT * pull[:, None] * np.minimum(off, CLICK_MOST)
        wrong = radii < distance if c.inside else radii > distance
        cost += FORBIDDEN * ((aside < max(c.depth_mm, step))[:, None] & wrong)
    return cost + _cost_of_size(corrections, rays)


def _cost_of_size(corrections: Sequence[Correction], rays: Rays) -> npt.NDArray[np.float64]:
    """Radii unlike those that the clicks state, the nearer the click the more it counts."""
    vectors, _ = directions()
    weight, total = np.full(len(vectors), 1e-9), np.zeros(len(vectors))
    for c in corrections:
        away = np.asarray(c.point) - rays.centre
        distance = float(np.linalg.norm(away))
        target = distance + c.depth_mm * (1 if c.inside else -1)
        if distance < rays.step_mm / 2 or target < rays.step_mm:
            continue
        angle = np.arccos(np.clip(vectors @ (away / distance), -1, 1))
        near = np.exp(-(angle**2) / (2 * SIZE_ANGLE**2))
        weight += near
        total += near * target
    if not total.any():
        return np.zeros(rays.values.shape)
    expected = (total / weight)[:, None]
    off = ((rays.radii_mm - expected) / (SIZE_SPREAD * expected)) ** 2
    return np.asarray(SIZE_WEIGHT * np.minimum(weight, 1)[:, None] * np.minimum(off, 4))


def height_over(
    radii_mm: npt.NDArray[np.float64], centre: Points, points: Points
) -> npt.NDArray[np.float32]:
    """How far inside the surface points are along their rays, in mm; (n, 3) to (n,)."""
    vectors, _ = directions()
    away = points - centre
    distance = np.linalg.norm(away, axis=1)
    unit = away / np.maximum(distance, 1e-6)[:, None]
    apart, nearest = cKDTree(vectors).query(unit, k=3)
    weight = 1 / np.maximum(apart, 1e-4)
    radius = (radii_mm[nearest] * weight).sum(axis=1) / weight.sum(axis=1)
    return np.asarray(radius - distance, dtype=np.float32)


def _weighted_median(values: npt.NDArray[np.float32], weight: npt.NDArray[np.float64]) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(total, total[-1] / 2)]])
