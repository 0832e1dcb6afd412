"""The patient on a coarse grid: without the table, filled.

A table top is a thin shell, the patient is thick: what survives an opening by a few
millimetres is the patient, and everything near it that was cut off by the opening
(fingers, ears, the rim of a limb) is given back. Both legs and both arms are kept:
never the largest component only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from medrecon.core import Volume
from medrecon.core.compiled import frozen
from medrecon.segmentation import pooling_loops
from medrecon.segmentation.morphology import (
    bounding_box,
    dilate,
    fill_slices,
    grow_inside,
    opened,
    radii_for,
)
from medrecon.segmentation.pooling import Array, Factors, Mask, factors_for
from medrecon.segmentation.presets import TissuePreset

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Where the patient is, in blocks of voxels.

    Parameters
    ----------
    mask : ndarray of bool, shape (k, j, i) in blocks
        True in the patient, lungs and bowel included.
    factors : tuple of int
        Voxels per block along (k, j, i).
    dropped_ml : float
        Volume of what is as dense as tissue but not the patient (table, blankets).
    """

    mask: Mask
    factors: Factors
    dropped_ml: float


def find_body(volume: Volume, preset: TissuePreset) -> Body:
    """The patient in a CT volume with verified HU; an empty mask if there is only air.

    Blocks are sampled at one voxel each: noise and thin shells matter less than speed
    for a decision about centimetres.
    """
    spacing = volume.geometry.spacing_mm
    kji = (spacing[2], spacing[1], spacing[0])
    factors = factors_for(kji, preset.mm("block"))
    k, j, i = (s * f for s, f in zip(kji, factors, strict=True))
    block_ml = k * j * i / 1000
    dense = volume.array.T[:: factors[0], :: factors[1], :: factors[2]] > preset.hu("level")
    radii = radii_for((k, j, i), preset.mm("opening"))
    core = opened(dense, radii)
    body = _thick_parts(core, preset.ml("smallest_part") / block_ml)
    body = grow_inside(body, dense, radii_for((k, j, i), preset.mm("give_back")))
    dropped = float(np.count_nonzero(dense & ~body) * block_ml)
    return Body(fill_slices(body), factors, dropped)


def _thick_parts(core: Mask, smallest_blocks: float) -> Mask:
    """Components of at least `smallest_blocks`, or the largest if all are smaller."""
    labels, count = ndi.label(core)
    if count == 0:
        return core
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    keep = sizes >= min(smallest_blocks, sizes.max())
    keep[0] = False
    return np.asarray(keep[labels])


def body_box(body: Body, volume: Volume) -> Box | None:
    """Native (k, j, i) box that holds the patient, its start on a block edge."""
    box = bounding_box(body.mask)
    if box is None:
        return None
    k, j, i = (
        slice(s.start * f, min(n, s.stop * f))
        for s, f, n in zip(box, body.factors, volume.array.T.shape, strict=True)
    )
    return k, j, i


def dense_near_body(body: Body, box: Box, hu: Array, level_hu: float) -> Mask:
    """Voxels above a level in the patient and a block more, of a box from `body_box`."""
    near = dilate(body.mask, (1, 1, 1))[_blocks_of(body, box)]
    dense = np.zeros(hu.shape, np.bool_)
    factors = frozen(body.factors, np.int64)
    pooling_loops.dense_voxels(hu, level_hu, frozen(near, np.bool_), factors, dense)
    return dense


def body_blocks(body: Body, box: Box, factors: Factors, shape: tuple[int, ...]) -> Mask:
    """The patient in other blocks of a box from `body_box`, by each block's first voxel."""
    mask = body.mask[_blocks_of(body, box)]
    k, j, i = (
        np.minimum(np.arange(0, n, f) // g, m - 1)
        for n, f, g, m in zip(shape, factors, body.factors, mask.shape, strict=True)
    )
    return np.asarray(mask[np.ix_(k, j, i)])


def _blocks_of(body: Body, box: Box) -> Box:
    k, j, i = (slice(s.start // f, -(-s.stop // f)) for s, f in zip(box, body.factors, strict=True))
    return k, j, i
