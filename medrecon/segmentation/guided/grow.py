"""From clicks to a soft field, click by click.

A radial surface from the first click says roughly where the structure is, further
clicks bend it, and a random walker settles the boundary on the image around it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import (
    binary_fill_holes,
    distance_transform_edt,
    gaussian_filter,
    label,
    map_coordinates,
)

from medrecon.core import Label, SoftField, Volume
from medrecon.errors import DamagedInputError, GeometryError
from medrecon.segmentation.guided.appearance import likelihood_ratio
from medrecon.segmentation.guided.clicks import Click, Guidance
from medrecon.segmentation.guided.diffusion import settled, ties
from medrecon.segmentation.guided.radial import (
    LEVELS,
    Correction,
    Rays,
    cast,
    height_over,
    surface_along,
)
from medrecon.segmentation.guided.sphere import directions
from medrecon.segmentation.guided.window import Window, block_around, window_around

Floats = npt.NDArray[np.float32]

WIDEST_MM = 110.0
"""Radius of the largest lump that is looked for first."""
FINEST_LEVEL_MM = 0.75
LEVEL_PER_VOXEL = 0.75
HOPS = 3
LEAST_PER_STEP = 1.5
"""Voxels in a step along a ray; finer images are averaged first."""
QUARTER_OF_NORMAL = 0.3186
"""Lower quartile of the absolute value of a standard normal variable."""

# Numbers of the walker, in steps of its grid. Tuned on one patient (STS_005) and phantoms.
BAND_STEPS = 2.4
BAND_PART = 0.2
"""Of the radius: the band of a lump of few voxels must not reach its middle."""
SURE = 6.0
LIKELIHOOD_WEIGHT = 0.5
LEAST_TRUST = 0.031
SEED_TRUST = 100.0
CLICK_STEPS = 4.0
CLICK_REACH = 2.0
SEED_PART = 0.5


@dataclass(frozen=True, slots=True)
class _Seed:
    point: tuple[float, float, float]
    inside: bool
    radius_mm: float


_State = tuple[
    "Rays | None", npt.NDArray[np.float64], float, tuple[Correction, ...], tuple[_Seed, ...]
]
"""What clicks change, without what `_settle` works out from it."""


class Guided:
    """A segmentation in progress: takes clicks, gives the field after each.

    Parameters
    ----------
    volume : Volume
        CT or MR; its grid must not be sheared.
    structure : Label
        What the field is called.
    box_mm : pair of triples, optional
        Opposite corners in LPS mm: nothing outside belongs to the structure.

    Raises
    ------
    GeometryError
        If the grid is sheared.

    The result depends on the clicks and their order only. Positions inside this module
    are index × spacing, in mm along the array's axes.
    """

    def __init__(
        self,
        volume: Volume,
        structure: Label,
        box_mm: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None,
    ) -> None:
        if volume.geometry.is_sheared:
            raise GeometryError("clicks need a grid of perpendicular axes; resample it first")
        self._volume = volume
        self._structure = structure
        self._spacing = np.asarray(volume.geometry.spacing_mm)
        self._box = None if box_mm is None else np.sort(self._local(box_mm), axis=0)
        # Levels much finer than voxels would take the blur of an edge for its inside's end.
        self._finest = max(FINEST_LEVEL_MM, LEVEL_PER_VOXEL * min(volume.geometry.spacing_mm))
        self._rays: Rays | None = None
        self._radii = np.zeros(0)
        self._noise = 0.0
        self._corrections: list[Correction] = []
        self._seeds: list[_Seed] = []
        self._before: list[_State] = []
        self._window: Window | None = None
        self._height: Floats = np.zeros((0, 0, 0), np.float32)

    def add(self, click: Click) -> SoftField:
        """The field after one click more; the first must lie inside.

        Raises
        ------
        DamagedInputError
            If the point lies outside the image, or the first one outside the structure.
        """
        points = self._within_image(click)
        before = self._state()
        if self._rays is None:
            if not click.inside:
                raise DamagedInputError("the first click must lie inside the structure")
            self._begin(points[0])
            points = points[1:]
            if len(points):
                self._settle()
        if len(points):
            self._correct(points, click.inside)
        self._before.append(before)
        return self._settle()

    def undo(self) -> SoftField | None:
        """The field without the last click; None before the first.

        It is what the clicks before it gave, bit by bit.
        """
        if self._before:
            self._rays, self._radii, self._noise, corrections, seeds = self._before.pop()
            self._corrections, self._seeds = list(corrections), list(seeds)
        return None if self._rays is None else self._settle()

    def _state(self) -> _State:
        return self._rays, self._radii, self._noise, (*self._corrections,), (*self._seeds,)

    def _within_image(self, click: Click) -> npt.NDArray[np.float64]:
        points = self._local(click.points_mm)
        limit = (np.asarray(self._volume.geometry.shape) - 1) * self._spacing
        if (points < -self._spacing / 2).any() or (points > limit + self._spacing / 2).any():
            raise DamagedInputError("a click lies outside the image; LPS millimetres expected")
        return np.asarray(np.clip(points, 0, limit))

    def _local(self, points_lps_mm: object) -> npt.NDArray[np.float64]:
        index = self._volume.geometry.index_from_mm(np.asarray(points_lps_mm))
        return np.asarray(index * self._spacing)

    def _begin(self, centre: npt.NDArray[np.float64]) -> None:
        """The first surface, at the scale that fits what is found."""
        reach = WIDEST_MM
        count = len(directions()[0])
        while True:
            step = reach / LEVELS
            self._rays, self._noise = self._cast(centre, step)
            radii = np.full(count, 2 * step)
            for _ in range(HOPS):
                radii = surface_along(self._rays, self._noise, (), radii)
            self._radii = radii
            if 1.8 * np.quantile(radii, 0.98) > reach / 2 or step / 2 < self._finest:
                break
            reach /= 2
        self._seeds.append(_Seed(_triple(centre), True, 1.3 * step))

    def _cast(self, centre: npt.NDArray[np.float64], step: float) -> tuple[Rays, float]:
        reach = step * (LEVELS + 2)  # two more, for averaged blocks are cut off at the end
        block = block_around(self._volume, centre - reach, centre + reach, step / LEAST_PER_STEP)
        smooth = gaussian_filter(block.values, step / 2 / block.spacing, truncate=3)
        rays = cast(smooth, block.spacing.tolist(), centre - block.origin, step)
        noise = _noise_of(rays)
        return Rays(centre, step, rays.values, rays.reached), noise

    def _correct(self, points: npt.NDArray[np.float64], inside: bool) -> None:
        """Points of one click or stroke, each by how wrong the field is there."""
        assert self._rays is not None
        known = len(self._corrections)
        for point in points:
            self._note(point, inside)
        if len(self._corrections) > known:
            self._radii = surface_along(self._rays, self._noise, self._corrections, self._radii)
            self._rescale()

    def _note(self, point: npt.NDArray[np.float64], inside: bool) -> None:
        assert self._window is not None
        assert self._rays is not None
        here = self._window.index(point)[:, None]
        height = float(map_coordinates(self._height, here, order=1, mode="nearest")[0])
        wrong = -height if inside else height
        depth = max(wrong, 0.7 * self._rays.step_mm)
        radius = SEED_PART * depth + min(self._window.step)
        self._seeds.append(_Seed(_triple(point), inside, radius))
        if wrong < 0:  # it says only what is so already: from now on it must stay
            return
        self._corrections.append(Correction(_triple(point), inside, depth))

    def _rescale(self) -> None:
        """Finer rays where the clicks have shown the structure to be small."""
        assert self._rays is not None
        step = self._rays.step_mm / 2
        if 1.8 * np.quantile(self._radii, 0.98) < LEVELS * step and step >= self._finest:
            self._rays, self._noise = self._cast(self._rays.centre, step)
            self._radii = surface_along(self._rays, self._noise, self._corrections, self._radii)

    def _settle(self) -> SoftField:
        """The walker on a window around the surface, and what it says on the native grid."""
        assert self._rays is not None
        centre, reach = self._rays.centre, float(self._radii.max()) + 10 * self._rays.step_mm
        reached = [np.asarray(c.point) for c in self._corrections]
        low = np.min([centre - reach, *(p - 8 * self._rays.step_mm for p in reached)], axis=0)
        high = np.max([centre + reach, *(p + 8 * self._rays.step_mm for p in reached)], axis=0)
        window = window_around(self._volume, low, high)
        inside = self._walk(window)
        self._window = window
        self._height = _height_mm(inside > 0, window.step)
        return window.field(inside, self._structure, self._volume.geometry)

    def _walk(self, window: Window) -> Floats:
        points = window.points()
        assert self._rays is not None
        height = height_over(self._radii, self._rays.centre, points).reshape(window.shape)
        scale = float(np.prod(window.step) ** (1 / 3))
        bent, near = self._bent(height, points, window, scale)
        image = gaussian_filter(window.image, 0.5)
        noise = self._noise
        likelihood = likelihood_ratio(image, bent, noise, 1.6 * scale)
        band = min(BAND_STEPS * scale, BAND_PART * float(np.median(self._radii)))
        sure = np.clip(bent / band, -SURE, SURE) + LIKELIHOOD_WEIGHT * likelihood
        prior = (1 / (1 + np.exp(-sure))).astype(np.float32)
        trust = LEAST_TRUST * (1 + (bent / band) ** 2) * (1 + near)
        self._impose(points, window, prior, trust)
        field = settled(ties(image, noise, window.step), prior, trust.astype(np.float32))
        return _connected(field - np.float32(0.5), window, self._seeds)

    def _bent(
        self, height: Floats, points: npt.NDArray[np.float64], window: Window, scale: float
    ) -> tuple[Floats, Floats]:
        """Clicks that a radial surface cannot follow bend the prior themselves."""
        near = np.zeros_like(height)
        for c in self._corrections:
            width = max(CLICK_REACH * c.depth_mm, CLICK_STEPS * scale)
            square = ((points - c.point) ** 2).sum(axis=1).reshape(window.shape)
            bump = np.exp(-square / (2 * width * width)).astype(np.float32)
            near = np.maximum(near, bump)
            here = window.index(np.asarray(c.point))[:, None]
            sign = 1 if c.inside else -1
            reached = sign * float(map_coordinates(height, here, order=1, mode="nearest")[0])
            if reached < c.depth_mm / 2:
                height = height + np.float32(sign * (c.depth_mm - reached)) * bump
        return height, near

    def _impose(
        self,
        points: npt.NDArray[np.float64],
        window: Window,
        prior: Floats,
        trust: npt.NDArray[np.float32],
    ) -> None:
        """Clicks and the box have the last word."""
        for seed in self._seeds:
            near = ((points - seed.point) ** 2).sum(axis=1) < seed.radius_mm**2
            near = near.reshape(window.shape)
            prior[near], trust[near] = float(seed.inside), SEED_TRUST
        if self._box is not None:
            outside = ((points < self._box[0]) | (points > self._box[1])).any(axis=1)
            outside = outside.reshape(window.shape)
            prior[outside], trust[outside] = 0.0, SEED_TRUST


def grow(volume: Volume, guidance: Guidance, structure: Label) -> SoftField:
    """The field of a structure from everything that the user pointed at.

    Parameters
    ----------
    volume : Volume
    guidance : Guidance
    structure : Label

    Raises
    ------
    DamagedInputError
        If nothing lies inside, or a point outside the image.
    GeometryError
        If the grid is sheared.
    """
    start = guidance.with_start()
    session = Guided(volume, structure, start.box_mm)
    field = session.add(start.clicks[0])
    for click in start.clicks[1:]:
        field = session.add(click)
    return field


def _noise_of(rays: Rays) -> float:
    """Deviation of the image near the middle, between neighbouring levels of one ray.

    From the lower quartile, so that up to three quarters of the neighbours may lie on an
    edge. At least a hundredth of the values' range along all rays: an image without noise has
    edges too.
    """
    near = rays.values[:, : LEVELS // 6].astype(np.float64)
    off = np.abs(np.diff(near, axis=1))
    spread = float(np.quantile(off, 0.25)) / QUARTER_OF_NORMAL
    low, high = np.quantile(rays.values[rays.reached], (0.02, 0.98))
    return max(spread, 0.01 * float(high - low), 1e-6)


def _height_mm(inside: npt.NDArray[np.bool_], step: Sequence[float]) -> Floats:
    """Signed distance to the boundary between voxels, positive inside."""
    half = np.float32(min(step) / 2)
    within = distance_transform_edt(inside, sampling=step).astype(np.float32)
    without = distance_transform_edt(~inside, sampling=step).astype(np.float32)
    return np.asarray(np.where(inside, within - half, half - without), dtype=np.float32)


def _connected(field: Floats, window: Window, seeds: Sequence[_Seed]) -> Floats:
    """Only what hangs together with a click inside, without holes."""
    pieces, _ = label(field > 0)
    wanted = np.zeros(int(pieces.max()) + 1, bool)
    for seed in seeds:
        if seed.inside:
            at = np.rint(window.index(np.asarray(seed.point))).astype(int)
            wanted[pieces[tuple(np.clip(at, 0, np.asarray(pieces.shape) - 1))]] = True
    wanted[0] = False
    inside = binary_fill_holes(wanted[pieces])
    return np.where(inside == (field > 0), field, np.where(inside, 0.1, -0.1)).astype(np.float32)


def _triple(values: npt.ArrayLike) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in np.asarray(values))
    return x, y, z


def volume_ml(field: SoftField) -> float:
    """The live figure: voxels inside, in mL."""
    return math.prod(field.grid.spacing_mm) * int(np.count_nonzero(field.values > 0)) / 1000
