"""Contrast-filled vessels and organs among the dense voxels of a CT.

Contrast is as bright as weak bone and touches the spine. What tells it from bone is
that it is even, as even as the noise allows, and that it has no shell: bone this wide
is either uneven (trabeculae) or has a cortex brighter than its inside all around.
When in doubt it stays bone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.ndimage as ndi

from medrecon.core.compiled import frozen
from medrecon.segmentation import marrow_loops
from medrecon.segmentation.morphology import SIX, dilate, erode, radii_for
from medrecon.segmentation.pooling import Array, Factors, Mask
from medrecon.segmentation.presets import TissuePreset

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class DenseBlocks:
    """Mean value of the blocks that are dense throughout, 0 elsewhere.

    Parameters
    ----------
    mean_hu : ndarray of float32, shape (k, j, i) in blocks
    factors : tuple of int
        Voxels of a block along (k, j, i).
    size_mm : tuple of float
    """

    mean_hu: Floats
    factors: Factors
    size_mm: tuple[float, float, float]


def dense_blocks(
    hu: Array, dense: Mask, factors: Factors, spacing_kji_mm: tuple[float, float, float]
) -> DenseBlocks:
    """Blocks of the dense voxels of an image; both (k, j, i)."""
    blocks = tuple(-(-n // f) for n, f in zip(hu.shape, factors, strict=True))
    count, total = np.zeros(blocks, np.uint16), np.zeros(blocks, np.float32)
    marrow_loops.dense_sums(hu, frozen(dense, np.bool_), frozen(factors, np.int64), count, total)
    full = count == int(np.prod(factors))
    total /= int(np.prod(factors))
    total[~full] = 0
    k_mm, j_mm, i_mm = (f * mm for f, mm in zip(factors, spacing_kji_mm, strict=True))
    return DenseBlocks(total, factors, (k_mm, j_mm, i_mm))


def drop_vessels(hu: Array, dense: Mask, blocks: DenseBlocks, preset: TissuePreset) -> int:
    """Take the dense voxels that are contrast, not bone, out of the mask; how many."""
    mean = blocks.mean_hu
    k, j, i = (max(1, r) for r in radii_for(blocks.size_mm, preset.mm("vessel_radius")))
    like = (mean > 0) & (mean < preset.hu("brightest_contrast"))
    core = erode(like, (k, j, i))
    if not core.any():
        return 0
    core &= _even(core, mean, preset.hu("even"))
    labels, count = ndi.label(core, SIX)
    found = np.zeros(mean.shape, dtype=np.float32)
    smallest = preset.mm3("smallest_core") / float(np.prod(blocks.size_mm))
    boxes = ndi.find_objects(labels)
    for number in range(1, count + 1):
        one = _grown_vessel(labels, number, boxes[number - 1], (blocks, (k, j, i), preset))
        if one is not None and one[2] >= smallest:
            box, region, _, level = one
            found[box] = np.where(region, np.maximum(found[box], level), found[box])
    found[found > 0] += np.float32(preset.hu("vessel_above"))
    dropped: int = marrow_loops.drop_below(
        hu, dense, frozen(blocks.factors, np.int64), frozen(found, np.float32)
    )
    return dropped


def _even(core: Mask, mean: Floats, most_hu: float) -> Mask:
    """Blocks of the core whose 27 neighbours vary by no more than a standard deviation."""
    k, j, i = np.nonzero(core)
    values = np.stack(
        [
            mean[
                np.clip(k + a - 1, 0, mean.shape[0] - 1),
                np.clip(j + b - 1, 0, mean.shape[1] - 1),
                np.clip(i + c - 1, 0, mean.shape[2] - 1),
            ]
            for a, b, c in np.ndindex(3, 3, 3)
        ]
    )
    out = np.zeros(core.shape, dtype=bool)
    out[k, j, i] = values.std(axis=0, dtype=np.float64) <= most_hu
    return out


def _grown_vessel(
    labels: Array,
    number: int,
    box: tuple[slice, slice, slice],
    how: tuple[DenseBlocks, tuple[int, int, int], TissuePreset],
) -> tuple[tuple[slice, slice, slice], Mask, int, float] | None:
    """Box, blocks, core size and mean of a vessel; None if a brighter shell is around it."""
    blocks, radii, preset = how
    wide = tuple(r + 2 for r in radii)
    k, j, i = (slice(max(0, s.start - w), s.stop + w) for s, w in zip(box, wide, strict=True))
    part = labels[k, j, i] == number
    mean = blocks.mean_hu[k, j, i]
    size = int(np.count_nonzero(part))
    level = float(mean[part].mean(dtype=np.float64))
    body = dilate(part, radii)
    ring = dilate(body, (1, 1, 1)) & ~erode(body, (1, 1, 1))
    brighter = np.count_nonzero(mean[ring] > level + preset.hu("shell_hu"))
    if brighter > preset.ratio("shell_share") * np.count_nonzero(ring):
        return None
    reach = (radii[0] + 1, radii[1] + 1, radii[2] + 1)
    return (k, j, i), dilate(part, reach), size, level
