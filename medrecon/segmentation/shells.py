"""A network's boundary, moved to where the native image has it.

A network runs on coarser voxels than the scan; its surface is right to a part of one of
them. In a thin shell on each side of that surface the image's local means tell what
is inside and what lies directly outside; half way between them is the level at which
the edge lies. The shells are thin on purpose: a few millimetres further out there may
be another organ, a lung or a bone, and its brightness says nothing about this edge.

References
----------
Half-maximum edges in CT: Prevrhal S. et al. 1999, doi:10.1088/0031-9155/44/3/017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - the library's own short name
from scipy.ndimage import map_coordinates, maximum_filter
from scipy.spatial import cKDTree

from medrecon.core import Doubt, SoftField, Volume, away_from_zero
from medrecon.core.geometry import Triple
from medrecon.segmentation.blur import blur_of_edges, default_blur_mm
from medrecon.segmentation.bricks import Bricks
from medrecon.segmentation.curvature import without_blur_shift
from medrecon.segmentation.gaps import floors_of_gaps
from medrecon.segmentation.old_parts import with_old_parts
from medrecon.segmentation.sheets import fit_sheets

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

# Half of a thickness below which there is no plateau of a shell's depth on the inside.
THIN_HALF_MM = 2.0
# A gap is looked at where nothing further out than this is outside: between two bones.
GAP_HALF_MM = 1.6
# Half of the widest gap whose floor is looked for, and how far below the level, as a share
# of the contrast, it is put: what undoes the blur of curved edges moves them by less.
GAP_FLOOR_MM = 2.5
# Share of the contrast by which both rims of a gap rise above its floor.
RISE = 0.25
FLOOR_BELOW = 0.08
# How far around a voxel the thickest place is looked for.
AROUND_MM = 3.0
# Voxels of a plate, at least.
FEWEST_PLACES = 20
# Share of a shell's window that must lie in the shell: a flat edge fills half of it.
FEWEST_IN_SHELL = 0.15

STEP = 2.0
"""An edge's whole step in the unit of the fields made here."""


@dataclass(frozen=True, slots=True)
class Shells:
    """Where the means are taken, in mm from the surface as known so far.

    Parameters
    ----------
    near_mm : tuple of float
        One pass for each: closer than this the image is a mixture of both sides. In the
        first pass that is the network's error, later the scanner's blur and a voxel.
    width_mm : float
        How thick a shell is. A layer of fat between two organs is 3 mm thin.
    reach_mm : float
        How far a pass may move the surface: half a voxel of a network at 3 mm.
    blur_mm : float
        Standard deviation of the window of the local means.
    contrast_to_noise : tuple of float
        Below it the sides cannot be told apart, and the surface stays as it was; one for each
        pass: less at first, when an edge that is still far away shows a part of its contrast.
        On the phantoms it was set on (seeds 8100, 8101) 4 in all passes roughened the liver
        beside the heart, and 6 in all missed a ball's edge that lay 2 mm away.
    """

    near_mm: tuple[float, ...] = (0.7, 1.1, 1.3)
    width_mm: float = 1.4
    reach_mm: float = 1.8
    blur_mm: float = 1.0
    contrast_to_noise: tuple[float, ...] = (4.0, 5.0, 6.0)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A field with its zero at the edge, and how sure that is.

    Parameters
    ----------
    field : SoftField
        float32, in units of the image above the level where the edge is certain, and
        proportional to the distance from the network's surface elsewhere.
    uncertain : float
        Share of the surface's voxels at which the network's surface was kept.
    unresolved : float
        Share at which something is thinner than the blur lets be measured.
    doubt : Doubt
        The same in mm, at each voxel of the surface.
    """

    field: SoftField
    uncertain: float
    unresolved: float
    doubt: Doubt


def place_by_shells(field: SoftField, volume: Volume, shells: Shells | None = None) -> Placed:
    """A network's field with its zero where the native image has the edge.

    Parameters
    ----------
    field : SoftField
        A network's, on the volume's grid.
    volume : Volume
        The native image.
    shells : Shells, optional
    """
    how = shells or Shells()
    image = volume.array[field.slices].astype(np.float32)
    before = field.values > 0
    blur_mm = default_blur_mm(field.grid.spacing_mm)
    placed = Placed(field, 0.0, 0.0, Doubt.none())
    for number in range(len(how.near_mm)):
        placed, blur_mm = _Pass(placed.field, image, number, blur_mm, how).placed()
    # What the blur did to a curved edge is undone; a thin sheet's level allows for it.
    straight, _ = without_blur_shift(placed.field, STEP)
    values = with_old_parts(straight.values, before, field.grid.spacing_mm)
    return replace(placed, field=_with_values(straight, values))


class _Pass:
    """One step of the surface towards the edge, from its present place."""

    def __init__(
        self, field: SoftField, image: Floats, number: int, blur_mm: float, how: Shells
    ) -> None:
        self.field, self.image, self.how, self.blur_mm = field, image, how, blur_mm
        self.near_mm, self.contrast_to_noise = how.near_mm[number], how.contrast_to_noise[number]
        self.spacing = field.grid.spacing_mm
        self.distance = signed_distance_mm(field.values > 0, self.spacing)
        self.inner = self.outer = np.zeros(0, np.float32)
        self.band = np.flatnonzero((np.abs(self.distance) < how.reach_mm).ravel(order="F"))
        self.index = np.array(np.unravel_index(self.band, image.shape, order="F"))

    def placed(self) -> tuple[Placed, float]:
        """The field after the step, and the blur that its edges show."""
        values = self.distance / np.float32(max(self.spacing))
        if not len(self.band):
            return Placed(_with_values(self.field, values), 0.0, 0.0, Doubt.none()), self.blur_mm
        (inside, self.inner), (outside, self.outer) = self._sides()
        contrast = inside - outside
        certain = np.abs(contrast) > self.enough
        at = self.image.ravel(order="F")[self.band]
        blur_mm = self._blur(at, inside, outside, certain)
        level: Floats = ((inside + outside) / 2).astype(np.float32)
        thin = self._thin(level, contrast, certain, blur_mm)
        thin |= self._part(level, contrast, certain, at)
        # A blurred step of contrast c rises by about c/2 a voxel: in units of a voxel's rise
        # the edge and the distance that is kept elsewhere join smoothly.
        with np.errstate(invalid="ignore", divide="ignore"):
            edge = (at - level) / contrast * 2
        flat = values.ravel(order="F")
        flat[self.band] = np.where(certain, edge, self._kept(flat[self.band]))
        placed = _with_values(self.field, flat.reshape(values.shape, order="F"))
        doubt = self._doubt(contrast, certain, thin, blur_mm)
        surface = np.abs(self.distance.ravel(order="F")[self.band]) <= min(self.spacing)
        lost = float(np.mean(~certain[surface])) if surface.any() else 0.0
        small = float(np.mean(thin[surface])) if surface.any() else 0.0
        return Placed(placed, lost, small, doubt), blur_mm

    def _sides(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """Mean of the shell on either side, and how much of it there is."""
        slope = _slopes(self.distance, self.index, self.spacing)
        slope /= np.maximum(np.linalg.norm(slope, axis=0), 0.5)
        return self._beside(self.distance, slope), self._beside(-self.distance, -slope)

    def _beside(self, side: Floats, uphill: Doubles) -> tuple[Floats, Floats]:
        """Mean of the image in the shell on a side, at the foot of each voxel of the band.

        The foot lies in the shell's middle along the distance's own gradient, so an edge's
        sides are found straight across it, whatever lies beside.
        """
        near_mm, width_mm = self.near_mm, self.how.width_mm
        step_mm = near_mm + width_mm / 2 - side.ravel(order="F")[self.band]
        foot = self.index + uphill * step_mm / np.array(self.spacing)[:, None]
        mask = (side > near_mm) & (side < near_mm + width_mm)
        sigma = [self.how.blur_mm / s for s in self.spacing]
        bricks = Bricks(mask.shape, np.floor(foot).astype(np.int64), above=(1, 1, 1))
        weight = bricks.gaussian(mask.astype(np.float32), sigma)
        total = bricks.gaussian(np.where(mask, self.image, np.float32(0)), sigma)
        sums = map_coordinates(total, foot, order=1, mode="nearest")
        counts = map_coordinates(weight, foot, order=1, mode="nearest")
        overall = np.float32(self.image[mask].mean(dtype=np.float64)) if mask.any() else 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(counts > 1e-3, sums / counts, np.float32(overall))
        return mean, counts

    def _kept(self, distance: Floats) -> Floats:
        """What stays where no edge is found: the field's own surface between the voxels.

        The distance (n,) is that from the voxels' faces, in stairs; near its zero a field
        over its slope is the distance from that, with the same sign.
        """
        values = self.field.values.astype(np.float32, copy=False)
        value = values.ravel(order="F")[self.band]
        slope = np.linalg.norm(_slopes(values, self.index, self.spacing), axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            smooth = value / slope / max(self.spacing)
        close = np.abs(distance) <= 1
        kept: Floats = np.where(close, np.clip(smooth, distance - 1, distance + 1), distance)
        return np.where(kept * distance > 0, kept, distance)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the image on the inside."""
        return _noise(self.image, self.distance, self.near_mm)

    @cached_property
    def enough(self) -> float:
        """Contrast at which two sides can be told apart; rounding of means is none either."""
        rounding = 1e-4 * float(np.abs(self.image).max())
        return max(self.contrast_to_noise * self.noise, rounding)

    @cached_property
    def depths(self) -> tuple[Floats, Floats]:
        """Half of how thick what is inside is near each voxel, and what is outside."""
        return _most(self.distance, self.spacing), _most(-self.distance, self.spacing)

    def _blur(self, at: Floats, inside: Floats, outside: Floats, certain: Mask) -> float:
        """The blur that thick edges show, from how steeply they rise half-way up."""
        with np.errstate(invalid="ignore", divide="ignore"):
            height = (at - outside) / (inside - outside)
        chosen = certain & (np.abs(height - 0.5) < 0.1) & self._is_thick()
        slope = _slopes(self.image, self.index[:, chosen], (1.0, 1.0, 1.0))
        rise = (slope / np.abs(inside - outside)[chosen]).astype(np.float32)
        found = blur_of_edges(rise, self.spacing)
        if found is None:
            return self.blur_mm
        return float(np.clip(found, 0.5 * self.blur_mm, 2 * self.blur_mm))

    def _is_thick(self) -> Mask:
        thick: Mask = np.minimum(*self.depths).ravel(order="F")[self.band] >= THIN_HALF_MM
        return thick

    def _thin(self, level: Floats, contrast: Floats, certain: Mask, blur_mm: float) -> Mask:
        """Put the levels of plates and gaps in place; where one is unresolved."""
        unresolved = np.zeros(len(self.band), np.bool_)
        surface = np.abs(self.distance) <= 1.01 * max(self.spacing)
        for depth, shell, bright in zip(
            self.depths, (self.inner, self.outer), (1, -1), strict=True
        ):
            is_thin = depth < (THIN_HALF_MM if bright > 0 else GAP_HALF_MM)
            places = np.argwhere(is_thin & surface)
            if len(places) < FEWEST_PLACES:
                continue
            sign = bright * self.polarity
            sheet = fit_sheets(self.image, places, self.spacing, blur_mm, sign=sign)
            lacking = shell < FEWEST_IN_SHELL
            here = np.flatnonzero(is_thin.ravel(order="F")[self.band] & lacking)
            nearest = _nearest(places, self.index[:, here], self.spacing)
            height = bright * sheet.contrast[nearest]
            sure = sheet.known[nearest] & (np.abs(height) > self.enough)
            here, nearest = here[sure], nearest[sure]
            level[here] = sheet.level[nearest]
            contrast[here] = height[sure]
            certain[here] = True
            unresolved[here] |= ~sheet.resolved[nearest]
        return unresolved

    def _part(self, level: Floats, contrast: Floats, certain: Mask, at: Floats) -> Mask:
        """Put the level above the floor of narrow gaps, so that two sides stay two; where."""
        close = (self.depths[1] < GAP_FLOOR_MM).ravel(order="F")[self.band]
        close &= certain
        places = self.index[:, close].T
        # A lowest and two highest of several noisy samples differ by more than one from one.
        least = np.maximum(RISE * np.abs(contrast[close]), 1.5 * self.enough)
        bright = self.image if self.polarity > 0 else -self.image
        floor = np.zeros(len(self.band), np.bool_)
        floor[close] = floors_of_gaps(bright, self.distance > 0, places, least, self.spacing)
        lifted = at + FLOOR_BELOW * contrast
        floor &= (lifted - level) * np.sign(contrast) > 0
        level[floor] = lifted[floor]
        return floor

    @cached_property
    def polarity(self) -> float:
        """1 where the inside is brighter than what is around it, else −1."""
        inside, outside = self.distance > 0, (self.distance < 0) & (self.distance > -4)
        if not inside.any() or not outside.any():
            return 1.0
        return float(np.sign(np.median(self.image[inside]) - np.median(self.image[outside])) or 1)

    def _doubt(self, contrast: Floats, certain: Mask, thin: Mask, blur_mm: float) -> Doubt:
        """How far the edge may lie elsewhere, at the voxels beside it."""
        # An edge of contrast C and blur σ rises by C/(σ√2π) a millimetre.
        mm = self.noise * blur_mm * math.sqrt(2 * math.pi) / np.maximum(np.abs(contrast), 1e-6)
        mm = np.where(certain, np.minimum(mm, self.how.reach_mm), self.how.reach_mm)
        mm = np.where(thin, np.maximum(mm, blur_mm), mm)
        near = np.abs(self.distance.ravel(order="F")[self.band]) <= max(self.spacing)
        return Doubt(self.band[near], mm[near].astype(np.float32))


def _most(depth: Floats, spacing_mm: Triple) -> Floats:
    """The greatest depth nearby: half of how thick something is."""
    size = [2 * round(AROUND_MM / s) + 1 for s in spacing_mm]
    found: Floats = maximum_filter(depth, size, mode="nearest")
    return found


def _nearest(places: Ints, index: Ints, spacing_mm: Triple) -> Ints:
    """Number of the nearest of the places (n, 3) for some voxels (3, m)."""
    found: Ints = cKDTree(places * spacing_mm).query(index.T * spacing_mm)[1]
    return found


def _slopes(values: Floats, index: Ints, spacing_mm: Triple) -> Doubles:
    """Slope (3, n) at some voxels, between neighbours; to one side at the border."""
    found = np.empty(index.shape)
    for axis, spacing in enumerate(spacing_mm):
        low, high = np.array(index), np.array(index)
        low[axis] = np.maximum(low[axis] - 1, 0)
        high[axis] = np.minimum(high[axis] + 1, values.shape[axis] - 1)
        rise = values[tuple(high)].astype(np.float64) - values[tuple(low)]
        found[axis] = rise / (np.maximum(high[axis] - low[axis], 1) * spacing)
    return found


def _with_values(field: SoftField, values: Floats) -> SoftField:
    safe = away_from_zero(values.astype(np.float32))
    return SoftField(field.label, safe, field.grid, field.start, field.unmeasured)


def signed_distance_mm(inside: npt.NDArray[np.bool_], spacing_mm: Triple) -> Floats:
    """Distance in mm from the surface between the voxels, positive inside.

    Maurer's distance is 0 in the outermost voxels inside; the surface lies half a voxel
    further out.
    """
    image = sitk.GetImageFromArray(inside.T.astype(np.uint8))
    image.SetSpacing(spacing_mm)
    found = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True
    )
    distance: Floats = sitk.GetArrayFromImage(found).T
    distance += np.float32(min(spacing_mm) / 2)
    return distance


def _noise(image: Floats, distance: Floats, near_mm: float) -> float:
    """Standard deviation deep inside, from differences of neighbours (a robust estimate)."""
    deep = distance > near_mm
    both = deep[1:] & deep[:-1]
    if not both.any():
        return 0.0
    step = np.abs(np.diff(image, axis=0)[both])
    # The median of the size of a normal difference of variance 2σ² is 0.6745·√2·σ.
    return float(np.median(step)) / (0.6745 * math.sqrt(2))
