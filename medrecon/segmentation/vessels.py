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

from medrecon.segmentation.morphology import SIX, dilate, erode, radii_for
from medrecon.segmentation.pooling import Array, Factors, Mask, values_at
from medrecon.segmentation.presets import TissuePreset

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class DenseBlocks:
    """Mean value of the blocks that are dense throughout, 0 elsewhere.

    Parameters
    ----------
    mean_hu : ndarray of float64, shape (k, j, i) in blocks
    number : ndarray of int64
        Flat index of the block of each dense voxel.
    size_mm : tuple of float
    """

    mean_hu: Floats
    number: npt.NDArray[np.int64]
    size_mm: tuple[float, float, float]


def dense_blocks(
    hu: Array, index: Ints, factors: Factors, spacing_kji_mm: tuple[float, float, float]
) -> DenseBlocks:
    """Blocks of the dense voxels (flat indices) of an image."""
    shape = hu.shape
    blocks = tuple(-(-n // f) for n, f in zip(shape, factors, strict=True))
    k, rest = np.divmod(index, shape[1] * shape[2])
    j, i = np.divmod(rest, shape[2])
    a, b, c = factors
    number = ((k // a) * blocks[1] + j // b) * blocks[2] + i // c
    size = int(np.prod(blocks))
    full = np.bincount(number, minlength=size) == a * b * c
    total = np.bincount(number, hu[k, j, i], size)
    mean = np.where(full, total / (a * b * c), 0).reshape(blocks)
    k_mm, j_mm, i_mm = (f * mm for f, mm in zip(factors, spacing_kji_mm, strict=True))
    return DenseBlocks(mean, number, (k_mm, j_mm, i_mm))


def vessel_voxels(hu: Array, index: Ints, blocks: DenseBlocks, preset: TissuePreset) -> Mask:
    """Which of the dense voxels (flat indices `index`) are contrast, not bone."""
    none = np.zeros(len(index), dtype=bool)
    mean = blocks.mean_hu
    full = mean > 0
    k, j, i = (max(1, r) for r in radii_for(blocks.size_mm, preset.mm("vessel_radius")))
    like = full & (mean < preset.hu("brightest_contrast"))
    core = erode(like, (k, j, i))
    if not core.any():
        return none
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
    top = found.reshape(-1)[blocks.number]
    return (top > 0) & (values_at(hu, index) < top + preset.hu("vessel_above"))


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
    out[k, j, i] = values.std(axis=0) <= most_hu
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
    level = float(mean[part].mean())
    body = dilate(part, radii)
    ring = dilate(body, (1, 1, 1)) & ~erode(body, (1, 1, 1))
    brighter = np.count_nonzero(mean[ring] > level + preset.hu("shell_hu"))
    if brighter > preset.ratio("shell_share") * np.count_nonzero(ring):
        return None
    reach = (radii[0] + 1, radii[1] + 1, radii[2] + 1)
    return (k, j, i), dilate(part, reach), size, level
