"""The boundary where the image has it: the local half-maximum inside a narrow band.

A segmentation says what; the native image says where. Around each surface the level is
the mid-point between the values on both sides, found along the surface's normal and
averaged over small blocks, so that it follows a bone's density from place to place.
Where the two sides do not differ enough, where the level does not lie between them, or
where the surface would leave the band, the surface stays where it was and is reported
as uncertain. Last, what the scanner's blur does to a curved edge is undone (`curvature`),
except at thin walls, whose level allows for their blur already.

References
----------
Treece G. M. et al., "High resolution cortical bone thickness measurement from clinical
CT data", Med. Image Anal. 2010, doi:10.1016/j.media.2010.01.003, on where the
half-maximum of a thin wall lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from medrecon.core import Doubt, Segmentation, SoftField, Volume
from medrecon.errors import GeometryError
from medrecon.segmentation.contract import Progress
from medrecon.segmentation.crumbs import sweep
from medrecon.segmentation.curvature import without_blur_shift
from medrecon.segmentation.exclusive import disjoint
from medrecon.segmentation.levels import BlockLevels, Sampling, Sides, look, noise_of, own_level
from medrecon.segmentation.pooling import Array, Mask, values_at
from medrecon.segmentation.surfaces import (
    Floats,
    Ints,
    neighbours_of,
    on_outer_flank,
    surface_voxels,
)
from medrecon.segmentation.walls import WallModel

TISSUE = "tissue"
"""Source of a segmentation that thresholds made: its surfaces are near the edges already."""

THRESHOLD_REACH = 2
"""Voxels to each side in which a threshold's surface looks for its two sides."""

# HU. Pleura, muscle and heart beside a lung; ribs lie behind, contrast in the heart.
BESIDE_LUNG = {"lung_left": 60.0, "lung_right": 60.0}


@dataclass(frozen=True, slots=True)
class RefineOptions:
    """How boundaries are placed.

    Parameters
    ----------
    band_voxels : int
        How far a surface may move, in voxels to each side. Four holds a coarse net's
        error of one of its own voxels at three times the native spacing.
    contrast_to_noise : float
        Of a threshold's surface: below it a side cannot be told from the other. 4 is where
        a mid-point of two means is found in noise to a quarter of a voxel. A network's
        surface is farther from the edge (`shells.Shells`).
    keep_labels : frozenset of str
        Labels whose surface is left where it is: a band of values (fat, muscle) has
        two edges and no one level.
    thin_walled : frozenset of str
        Labels that are a bright wall around something darker.
    thin_around : frozenset of str
        Labels with a thin wall around them.
    crumb_mm3 : float
        Pieces smaller than this that a moved surface leaves of a larger one are dropped, and
        holes of that size filled: a sphere of 4 mm, as for bone's specks.
    outer_at_most : mapping of str to float
        For some labels, the brightest their outer side may count.
    """

    band_voxels: int = 4
    contrast_to_noise: float = 4.0
    keep_labels: frozenset[str] = frozenset({"fat", "muscle"})
    thin_walled: frozenset[str] = frozenset({"bone"})
    thin_around: frozenset[str] = frozenset({"airway"})
    crumb_mm3: float = 30.0
    outer_at_most: Mapping[str, float] = field(default_factory=lambda: dict(BESIDE_LUNG))


def refine(
    segmentation: Segmentation,
    volume: Volume,
    options: RefineOptions | None = None,
    *,
    progress: Progress | None = None,
) -> Segmentation:
    """The segmentation with each surface at the image's local half-maximum.

    Parameters
    ----------
    segmentation : Segmentation
        On the volume's grid.
    volume : Volume
        The native image, HU or not.
    options : RefineOptions, optional
    progress : callable, optional
        Told the fraction done.

    Returns
    -------
    Segmentation
        The same labels. Each refined label has a finding on how much of its surface
        stayed where it was.

    Raises
    ------
    GeometryError
        If the segmentation does not lie on the volume's grid.
    """
    if not segmentation.grid.is_close(volume.geometry):
        raise GeometryError("the segmentation lies on another grid than the image")
    chosen = options or RefineOptions()
    fields = []
    findings: dict[str, tuple[str, ...]] = dict(segmentation.findings)
    doubts: dict[str, Doubt] = dict(segmentation.doubts)
    for number, one in enumerate(segmentation.fields):
        name = one.label.name
        if name in chosen.keep_labels:
            fields.append(one)
        else:
            if segmentation.source == TISSUE:
                moved, finding = refine_field(one, volume, chosen)
            else:
                moved, finding, doubts[name] = refine_network_field(one, volume)
            fields.append(moved)
            findings[name] = (*findings.get(name, ()), *finding)
        if progress is not None:
            progress((number + 1) / len(segmentation.fields))
    if segmentation.exclusive:
        fields = list(disjoint(fields))
    return replace(segmentation, fields=tuple(fields), findings=findings, doubts=doubts)


def refine_network_field(
    found: SoftField, volume: Volume
) -> tuple[SoftField, tuple[str, ...], Doubt]:
    """A network's field with its surface at the edge beside it, findings, doubt in mm."""
    # SimpleITK takes half a second to load, and only networks need it.
    from medrecon.segmentation.shells import place_by_shells

    placed = place_by_shells(found, volume)
    words = []
    if placed.uncertain >= 0.005:
        words.append(f"{round(100 * placed.uncertain)} % of the surface uncertain")
    if placed.unresolved >= 0.005:
        words.append(
            f"{round(100 * placed.unresolved)} % of the surface unresolved: thinner than the "
            "scan's blur lets be measured"
        )
    return placed.field, tuple(words), placed.doubt


def refine_field(
    found: SoftField, volume: Volume, options: RefineOptions
) -> tuple[SoftField, tuple[str, ...]]:
    """One field with its surface at the local half-maximum, and what to know of it.

    The surface is a threshold's, within a voxel or two of the edge already, so its two
    sides are looked for close by.
    """
    values = found.values.T
    surface = surface_voxels(values > 0)
    if len(surface) == 0:
        return found, ("no surface to refine",)
    image = volume.array.T[found.slices[::-1]]
    spacing = volume.geometry.spacing_mm
    name = found.label.name
    how = Sampling(
        (spacing[2], spacing[1], spacing[0]),
        thin_wall=name in options.thin_walled,
        thin_around=name in options.thin_around,
        reach=THRESHOLD_REACH,
        outer_at_most=options.outer_at_most.get(name),
    )
    placed = _Placing(values, image, surface, how, options).placed()
    findings = []
    if placed.uncertain >= 0.005:
        findings.append(f"{100 * placed.uncertain:.0f} % of the surface uncertain")
    voxel_mm3 = volume.geometry.voxel_volume_mm3
    smallest = options.crumb_mm3 / voxel_mm3
    # A threshold knows of no parts: whatever is that small beside more of it is a crumb.
    anywhere = np.ones(values.shape, np.bool_)
    swept = sweep(placed.values, anywhere, smallest)
    if not how.thin_wall:
        sweep(placed.values, anywhere, smallest, holes=True)
    if swept.count:
        findings.append(
            f"dropped {swept.count} crumbs left where the boundary moved, "
            f"{swept.voxels * voxel_mm3:.0f} mm³ together"
        )
    moved = replace(found, values=placed.values.T)
    # A level that is not half way between its own two sides is not moved by blur alone.
    if not (how.thin_wall or how.thin_around or how.outer_at_most is not None):
        moved, _ = without_blur_shift(moved, placed.contrast)
    return moved, tuple(findings)


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    values: npt.NDArray[np.int16] | npt.NDArray[np.float32]
    uncertain: float
    contrast: float
    """The edge's whole step, in the values' unit."""


class _Placing:
    """The surface of one field on its way to the half-maximum."""

    def __init__(
        self, values: Array, image: Array, surface: Ints, how: Sampling, options: RefineOptions
    ) -> None:
        self.old = values
        self.image = image
        self.how = how
        self.options = options
        self.surface = surface
        self.inside: Mask = values > 0
        self.new = np.array(values, order="C")
        sides = look(values, image, surface, how)
        noise = noise_of(values, image, surface, how)
        self.least = options.contrast_to_noise * noise
        self.sides = sides
        self.scale = self._scale()
        wall = WallModel.of(sides.inner, noise)
        self.blocks = BlockLevels(surface, sides, values.shape, how, wall)

    def _scale(self) -> np.float32:
        """Old field units per image unit: the rest of a field of logits keeps its values."""
        old = np.median(np.abs(self.old.reshape(-1)[self.surface]))
        contrast = np.median(np.abs(self.sides.contrast))
        return np.float32(old / max(float(contrast) / 4, 1e-6))

    def placed(self) -> _Placed:
        """Evaluate the surface's voxels, let those flip that lie on the wrong side of it."""
        index = self.surface
        sides: Sides | None = self.sides
        seen = np.zeros(self.inside.size, dtype=bool)
        uncertain = 0.0
        for layer in range(self.options.band_voxels + 1):
            last = layer == self.options.band_voxels
            above, sure = self._above(index, sides)
            if layer == 0:
                uncertain = 1 - float(np.mean(sure))
            flipped = self._write(index[sure], above[sure], may_flip=not last)
            seen[index] = True
            index = neighbours_of(flipped, self.inside.shape)
            index = index[~seen[index]]
            if len(index) == 0:
                break
            sides = look(self.old, self.image, index, self.how) if self.how.thin_wall else None
        unit = 2.0 if self.new.dtype == np.int16 else float(self.scale)
        contrast = float(np.median(np.abs(self.sides.contrast)))
        return _Placed(self.new, uncertain, unit * contrast)

    def _above(self, index: Ints, sides: Sides | None) -> tuple[Floats, Mask]:
        """How far each voxel is above its level, towards the inside; and where that is known.

        A voxel's own sides count at the surface and on a wall's flank; further away
        the field it came with may have no direction, and its block's count alone.
        """
        level, contrast = self.blocks.at(index)
        sign = np.sign(contrast)
        sure = np.abs(contrast) >= self.least
        if sides is not None:
            sure &= sign * sides.contrast >= self.least
            level = own_level(level, sides)
        return sign * (values_at(self.image, index) - level), sure

    def _write(self, index: Ints, above: Floats, *, may_flip: bool) -> Ints:
        """Store the values of some voxels; return those that changed sides.

        A voxel that contradicts its level and may not flip keeps the value it had.
        """
        inside = self.inside.reshape(-1)
        wrong = (above > 0) != inside[index]
        flips = wrong & may_flip
        if self.how.thin_wall:
            # Never across a joint or a fracture: bone only gives way, it does not grow;
            # and only up to its crest: the marrow behind is below the level too.
            flips &= inside[index]
            flips[flips] = on_outer_flank(index[flips], self.inside, self.image)
        store = ~wrong | flips
        inside[index[flips]] ^= True
        self.new.reshape(-1)[index[store]] = self._as_values(above[store])
        moved: Ints = index[flips]
        return moved

    def _as_values(self, above: Floats) -> Array:
        """Half units above the level, never zero, or the scale of a float field."""
        if self.new.dtype == np.int16:
            whole = np.rint(np.clip(above, -15000, 15000)).astype(np.int16)
            return np.where(whole >= 0, 2 * whole + 1, 2 * whole - 1).astype(np.int16)
        tiny = np.float32(1e-3)
        return np.where(np.abs(above) < tiny, np.copysign(tiny, above), above) * self.scale
