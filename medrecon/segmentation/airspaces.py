"""Airway and lungs on a coarse grid: which air is which.

Air inside the body is in the lungs, the airway or the bowel. The lungs are large and
mixed with tissue; the airway is the tall, narrow, pure air between them; bowel gas is
pure air elsewhere. All arrays here are (up, back, left).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from medrecon.segmentation.morphology import SIX, closed, dilate, erode, mean_in, opened, radii_for
from medrecon.segmentation.pooling import Array, Mask
from medrecon.segmentation.presets import TissuePreset

Sizes = tuple[float, float, float]
Box = tuple[slice, slice, slice]
LEFT, RIGHT, AIRWAY = 1, 2, 3


@dataclass(frozen=True, slots=True, eq=False)
class AirBlocks:
    """Air in the body, block by block.

    Parameters
    ----------
    highest_hu : ndarray of int16
        Highest value in each block: a thin wall makes its block no air.
    middle_hu : ndarray
        Value of each block's middle voxel: enough for means over components.
    inside : ndarray of bool
        The patient, filled, without its rim.
    size_mm : tuple of float
        Of a block along (up, back, left).
    """

    highest_hu: Array
    middle_hu: Array
    inside: Mask
    size_mm: Sizes

    @property
    def block_ml(self) -> float:
        """Volume of a block."""
        return self.size_mm[0] * self.size_mm[1] * self.size_mm[2] / 1000

    def air(self, level_hu: float) -> Mask:
        """Blocks in the patient that are below the level throughout."""
        return (self.highest_hu < level_hu) & self.inside


def find_airway(blocks: AirBlocks, lungs: Mask, preset: TissuePreset) -> Mask:
    """Trachea and main bronchi; empty if there is no airway.

    Where the airway's wall is thinner than the blocks show, it is one with a lung: the
    level is lowered until the wall holds, and what then still is the size of a lung is
    no airway. Bronchi narrower than three blocks belong to the lung.

    Parameters
    ----------
    blocks : AirBlocks
    lungs : ndarray of bool
        Both lungs, perhaps with the airway.
    preset : TissuePreset
        Of the airway.
    """
    for level in np.linspace(preset.hu("level"), preset.hu("lowest_level"), 8):
        labels, count = ndi.label(blocks.air(float(level)), SIX)
        number = _trachea(labels, count, (blocks, lungs, preset))
        if number:
            return opened(np.asarray(labels == number), (1, 1, 1))
    return np.zeros(blocks.inside.shape, dtype=bool)


def _trachea(labels: Array, count: int, how: tuple[AirBlocks, Mask, TissuePreset]) -> int:
    """The tallest component that is narrow, pure air and belongs to the lungs; 0 if none."""
    blocks, _, preset = how
    volumes = np.bincount(labels.ravel(), minlength=count + 1) * blocks.block_ml
    best, best_height = 0, preset.mm("shortest")
    boxes = ndi.find_objects(labels)
    for number in range(1, count + 1):
        box = boxes[number - 1]
        height = (box[0].stop - box[0].start) * blocks.size_mm[0]
        if height <= best_height or volumes[number] * 1000 / height > preset.mm2("widest_section"):
            continue
        if not preset.ml("smallest") <= volumes[number] <= preset.ml("largest"):
            continue
        part = labels[box] == number
        pure = float(blocks.middle_hu[box][part].mean()) < preset.hu("pure_air")
        if pure and _joins(part, box, how):
            best, best_height = number, height
    return best


def _joins(part: Mask, box: Box, how: tuple[AirBlocks, Mask, TissuePreset]) -> bool:
    """Whether a piece of air near the midline reaches a lung and rises above their middle.

    Without lungs (a neck), whether it runs through the whole of a tall scan.
    """
    blocks, lungs, preset = how
    middle = float(np.nonzero(blocks.inside)[2].mean())
    aside = abs(box[2].start + float(np.nonzero(part)[2].mean()) - middle) * blocks.size_mm[2]
    if aside > preset.mm("off_midline"):
        return False
    if not lungs.any():
        through = box[0].start <= 1 and box[0].stop >= blocks.inside.shape[0] - 1
        return through and len(lungs) * blocks.size_mm[0] >= preset.mm("tall")
    reach = radii_for(blocks.size_mm, preset.mm("reach"))
    k, j, i = (slice(max(0, s.start - r), s.stop + r) for s, r in zip(box, reach, strict=True))
    rises = box[0].stop > float(np.nonzero(lungs)[0].mean())
    return rises and bool(lungs[k, j, i].any())


def find_lungs(blocks: AirBlocks, preset: TissuePreset, airway: Mask | None = None) -> Mask:
    """Both lungs, without the airway where it is known."""
    air = blocks.air(preset.hu("level"))
    if airway is not None:
        air &= ~dilate(airway, (1, 1, 1))
    labels, count = ndi.label(air, SIX)
    if count == 0:
        return air
    volumes = np.bincount(labels.ravel(), minlength=count + 1)[1:] * blocks.block_ml
    means = mean_in(labels, count, blocks.middle_hu)
    empty = mean_in(labels, count, blocks.middle_hu < preset.hu("gas"))
    aerated = (empty < preset.ratio("emptiest")) & (means < preset.hu("densest"))
    deep = erode(air, radii_for(blocks.size_mm, preset.mm("thickness") / 2))
    thick = np.bincount(labels[deep], minlength=count + 1)[1:] > 0
    large = volumes >= preset.ml("smallest")
    return np.asarray(np.append(False, aerated & thick & large)[labels])


def spaces_of(lungs: Mask, airway: Mask, blocks: AirBlocks, preset: TissuePreset) -> Array:
    """Blocks as LEFT, RIGHT, AIRWAY or 0."""
    out = np.zeros(lungs.shape, dtype=np.uint8)
    out[lungs] = _sides(lungs, _middle(blocks, airway), blocks, preset)[lungs]
    out[airway] = AIRWAY
    return out


def _middle(blocks: AirBlocks, airway: Mask) -> float:
    """Index along left of the plane between the lungs: the trachea's, or the body's."""
    where = airway if airway.any() else blocks.inside
    return float(np.nonzero(where)[2].mean())


def _sides(lungs: Mask, middle: float, blocks: AirBlocks, preset: TissuePreset) -> Array:
    """LEFT or RIGHT for every block of the lungs, also where they touch.

    Eroded until no large part lies on both sides of the middle, then grown back into
    the lungs, both at the same pace.
    """
    seeds = np.zeros(lungs.shape, dtype=np.uint8)
    smallest = preset.ml("smallest") / 4 / blocks.block_ml
    for radius in range(6):
        labels, count = ndi.label(erode(lungs, (radius, radius, radius)), SIX)
        volumes = np.bincount(labels.ravel(), minlength=count + 1)
        is_left = np.bincount(labels[:, :, int(middle) :].ravel(), minlength=count + 1)
        share = is_left / np.maximum(volumes, 1)
        large = volumes >= smallest
        large[0] = False
        two_sided = (np.minimum(share, 1 - share) > preset.ratio("two_sided")) & large
        if not two_sided.any():
            side = np.where(share > 0.5, LEFT, RIGHT).astype(np.uint8)
            side[~large] = 0
            seeds = side[labels]
            break
    return _grown(seeds, lungs, middle)


def _grown(seeds: Array, lungs: Mask, middle: float) -> Array:
    """Seeds grown into the lungs; what they do not reach falls to its side of the middle."""
    for _ in range(max(lungs.shape)):
        waiting = lungs & (seeds == 0)
        left = dilate(seeds == LEFT, (1, 1, 1)) & waiting
        right = dilate(seeds == RIGHT, (1, 1, 1)) & waiting & ~left
        if not (left.any() or right.any()):
            break
        seeds = np.where(left, LEFT, np.where(right, RIGHT, seeds)).astype(np.uint8)
    by_place = np.full(lungs.shape[2], RIGHT, dtype=np.uint8)
    by_place[int(middle) :] = LEFT
    return np.where(seeds > 0, seeds, by_place)


def widened(spaces: Array, blocks: AirBlocks) -> Array:
    """Each space grown by two blocks, to hold the partly filled ones at its wall."""
    for _ in range(2):
        grown = spaces.copy()
        for name in (AIRWAY, LEFT, RIGHT):
            free = (grown == 0) & blocks.inside
            grown[dilate(spaces == name, (1, 1, 1)) & free] = name
        spaces = grown
    return spaces


def with_vessels(spaces: Array, name: int, blocks: AirBlocks, preset: TissuePreset) -> Mask:
    """A lung with the vessels in it that are no wider than twice `vessel` mm."""
    k, j, i = (max(1, r) for r in radii_for(blocks.size_mm, preset.mm("vessel")))
    lung = spaces == name
    vessels: Mask = closed(lung, (k, j, i)) & ((spaces == 0) | lung)
    return vessels
