"""Marrow seen in plane sections: cut faces of the scan, and the lumen of shafts.

A bone that leaves the scan is open there, so its marrow cannot be told from the
outside by reaching it. Two things tell it: its value (fat or trabeculae, not the water
of the spinal canal or the brain), and its place in the section: the lumen of a shaft
or a rib is concentric with a compact section, the spinal canal is neither.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from medrecon.segmentation.morphology import SIX, fill_slices
from medrecon.segmentation.pooling import Array, Mask
from medrecon.segmentation.presets import TissuePreset

IN_PLANE = np.zeros((3, 3, 3), dtype=bool)
IN_PLANE[1] = True


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
    labels, count = ndi.label(free, SIX)
    reached = np.zeros(count + 1, dtype=bool)
    for axis in range(3):
        for end in (0, -1):
            face = np.take(free, [end], axis=axis)
            marrow = _marrow_holes(face, np.take(mean_hu, [end], axis=axis), axis, preset)
            reached[np.take(labels, [end], axis=axis)[face & ~marrow]] = True
    reached[0] = False
    return np.asarray(reached[labels])


def lumens(shell: Mask, step_mm: float, preset: TissuePreset) -> Mask:
    """Blocks in the lumen of shafts, found plane by plane across the k axis.

    A lumen goes on from plane to plane (`step_mm` apart) for at least `shaft_length`.
    The spinal canal is closed at the pedicles only and a disc is thin: neither does.
    """
    whole = fill_slices(shell)
    holes = whole & ~shell
    sections, count = ndi.label(whole, IN_PLANE)
    if not holes.any():
        return holes
    number = np.arange(count + 1)
    area, centre, compact = _moments(sections, whole, count)
    lumen, middle, _ = _moments(sections, holes, count)
    off = np.hypot(*(centre - middle)) / np.sqrt(np.maximum(area, 1))
    is_shaft = (
        (number > 0)
        & (lumen > 0)
        & (compact >= preset.ratio("shaft_compact"))
        & (lumen <= preset.ratio("shaft_lumen") * area)
        & (off <= preset.ratio("shaft_eccentric"))
    )
    return _long(np.asarray(is_shaft[sections] & holes), preset.mm("shaft_length") / step_mm)


def _long(mask: Mask, planes: float) -> Mask:
    """The components of the mask that run through at least so many planes."""
    labels, count = ndi.label(mask, SIX)
    keep = np.zeros(count + 1, dtype=bool)
    for number, box in enumerate(ndi.find_objects(labels), start=1):
        keep[number] = box[0].stop - box[0].start >= planes
    return np.asarray(keep[labels])


def _moments(sections: Array, mask: Mask, count: int) -> tuple[Array, Array, Array]:
    """Area, centre (2, n) and compactness of the part of each section in `mask`.

    A filled ellipse has an area of 4π·√det(covariance): compactness 1. Processes and
    branches spread the same area further: less.
    """
    _, j, i = np.nonzero(mask)
    which = sections[mask]
    area = np.bincount(which, minlength=count + 1).astype(float)
    safe = np.maximum(area, 1)
    x, y, xx, yy, xy = (
        np.bincount(which, w, count + 1) / safe for w in (i, j, i * i, j * j, i * j)
    )
    # A block is not a point: its own second moment keeps thin sections finite.
    spread = (xx - x * x + 1 / 12) * (yy - y * y + 1 / 12) - (xy - x * y) ** 2
    compact = area / (4 * np.pi * np.sqrt(np.maximum(spread, 1e-9)))
    return area, np.stack([x, y]), compact


def _marrow_holes(face: Mask, mean_hu: Array, axis: int, preset: TissuePreset) -> Mask:
    """The holes of a face one block thick whose value is that of marrow."""
    enclosed = fill_slices(~face, axis) & face
    holes, count = ndi.label(enclosed, SIX)
    if count == 0:
        return enclosed
    where = holes > 0
    which, values = holes[where], mean_hu[where].astype(np.float64)
    size = np.bincount(which, minlength=count + 1)[1:]
    means = np.bincount(which, values, count + 1)[1:] / size
    squares = np.bincount(which, values * values, count + 1)[1:] / size
    uneven = np.sqrt(np.maximum(squares - means * means, 0)) > preset.hu("canal_uneven")
    low, high = preset.hu("canal_low"), preset.hu("canal_high")
    keep = ((means < low) | (means > high) | uneven) & (means > preset.hu("air"))
    return np.asarray(np.append(False, keep)[holes])
