"""Marrow seen in plane sections: cut faces of the scan, and the lumen of shafts.

A bone that leaves the scan is open there, so its marrow cannot be told from the
outside by reaching it. Two things tell it: its value (fat or trabeculae, not the water
of the spinal canal or the brain), and its place in the section: the lumen of a shaft
or a rib is concentric with a compact section, the spinal canal is neither.
"""

from __future__ import annotations

import numpy as np

from medrecon.core.runs import IN_PLANE_EIGHT, Runs
from medrecon.segmentation.morphology import fill_slices
from medrecon.segmentation.pooling import Array, Mask
from medrecon.segmentation.presets import TissuePreset


def outside_of(free: Mask, mean_hu: Array, preset: TissuePreset) -> Mask:
    """Blocks of `free` that the faces reach without crossing bone or cut marrow.

    Parameters
    ----------
    free : ndarray of bool, shape (k, j, i) in blocks
        Blocks that are not shell.
    mean_hu : ndarray, shape (k, j, i) in blocks
        Mean value of each block.
    preset : TissuePreset
        Of bone.
    """
    entrances = np.zeros(free.shape, dtype=bool)
    for axis in range(3):
        for end in (0, -1):
            face = np.take(free, [end], axis=axis)
            marrow = _marrow_holes(face, np.take(mean_hu, [end], axis=axis), axis, preset)
            np.moveaxis(entrances, axis, 0)[end] |= np.moveaxis(face & ~marrow, axis, 0)[0]
    spaces = Runs.of(free)
    return spaces.mask(spaces.holding(entrances))


def lumens(shell: Mask, step_mm: float, preset: TissuePreset) -> Mask:
    """Blocks in the lumen of shafts, found plane by plane across the k axis.

    A lumen goes on from plane to plane (`step_mm` apart) for at least `shaft_length`.
    The spinal canal is closed at the pedicles only and a disc is thin: neither does.
    """
    whole = fill_slices(shell)
    holes = whole & ~shell
    if not holes.any():
        return holes
    sections = Runs.of(whole, IN_PLANE_EIGHT)
    area, centre, compact = _moments(sections, whole)
    lumen, middle, _ = _moments(sections, holes)
    off = np.hypot(*(centre - middle)) / np.sqrt(np.maximum(area, 1))
    is_shaft = (
        (lumen > 0)
        & (compact >= preset.ratio("shaft_compact"))
        & (lumen <= preset.ratio("shaft_lumen") * area)
        & (off <= preset.ratio("shaft_eccentric"))
    )
    return _long(sections.mask(is_shaft) & holes, preset.mm("shaft_length") / step_mm)


def _long(mask: Mask, planes: float) -> Mask:
    """The components of the mask that run through at least so many planes."""
    parts = Runs.of(mask)
    lowest = np.full(parts.count, mask.shape[0])
    highest = np.full(parts.count, -1)
    np.minimum.at(lowest, parts.label, parts.plane)
    np.maximum.at(highest, parts.label, parts.plane)
    return parts.mask(highest - lowest + 1 >= planes)


def _moments(sections: Runs, mask: Mask) -> tuple[Array, Array, Array]:
    """Area, centre (2, n) and compactness of the part of each section in `mask`.

    A filled ellipse has an area of 4π·√det(covariance): compactness 1. Processes and
    branches spread the same area further: less.
    """
    area, *sums = sections.moments(mask).T
    safe = np.maximum(area, 1)
    x, y, xx, yy, xy = (s / safe for s in sums)
    # A block is not a point: its own second moment keeps thin sections finite.
    spread = (xx - x * x + 1 / 12) * (yy - y * y + 1 / 12) - (xy - x * y) ** 2
    compact = area / (4 * np.pi * np.sqrt(np.maximum(spread, 1e-9)))
    return area, np.stack([x, y]), compact


def _marrow_holes(face: Mask, mean_hu: Array, axis: int, preset: TissuePreset) -> Mask:
    """The holes of a face one block thick whose value is that of marrow."""
    enclosed = fill_slices(~face, axis) & face
    holes = Runs.of(enclosed)
    values = mean_hu.astype(np.float64)
    means, squares = holes.means(values), holes.means(values * values)
    uneven = np.sqrt(np.maximum(squares - means * means, 0)) > preset.hu("canal_uneven")
    low, high = preset.hu("canal_low"), preset.hu("canal_high")
    keep = ((means < low) | (means > high) | uneven) & (means > preset.hu("air"))
    return holes.mask(keep)
