"""From a decision (which voxels) and an image (where exactly) to a soft field.

The sign of a field says what belongs to the structure; its magnitude is the distance
of the image's value from the level of the surface. Where both agree, the zero surface
lies where the image crosses the level, between the voxels: no staircase.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medrecon.core import SoftField, Volume, label
from medrecon.segmentation.morphology import bounding_box
from medrecon.segmentation.pooling import Array, Mask

# Half HU. A filled marrow voxel may equal the level by chance: a field that is nearly
# zero deep inside would let noise of a later interpolation open a hole there.
FLOOR = 101
# Half HU: 16 bits hold no more. Beyond it nothing depends on the value.
CEILING = 32001
# Voxels of background that a block keeps around its structure.
MARGIN = 2

Box = tuple[slice, slice, slice]


def doubled(values: Array, level_hu: Array | int) -> npt.NDArray[np.int16]:
    """2·(value − level) + 1 in int16: half Hounsfield units above the level, never zero.

    Parameters
    ----------
    values : ndarray of int16 or float32
        Hounsfield units; rounded to half units if they are float.
    level_hu : int or ndarray of int16
        Level of the surface, broadcastable to `values`.
    """
    if values.dtype == np.int16:
        out: Array = np.clip(values, -15000, 15000)
        out -= np.asarray(level_hu, dtype=np.int16)
        out *= 2
    else:
        scaled = np.rint(2 * (values - np.asarray(level_hu, dtype=np.float32)))
        out = np.clip(scaled, 1 - CEILING, CEILING - 1).astype(np.int16)
        out &= ~1
    out += 1
    return out


def signed(margin: npt.NDArray[np.int16], inside: Mask) -> npt.NDArray[np.int16]:
    """`margin` with the sign of the decision, in place.

    Where the decision contradicts the image (filled marrow, a rejected vessel) the
    magnitude is kept, at least `FLOOR`, and the sign is the decision's: the surface
    there lies between two voxels of unlike decision.
    """
    wrong = (margin > 0) != inside
    where = np.flatnonzero(wrong)
    flat = margin.reshape(-1)
    size = np.maximum(np.abs(flat[where]), FLOOR)
    flat[where] = np.where(inside.reshape(-1)[where], size, -size)
    return margin


def place_field(
    name: str, volume: Volume, found: tuple[Mask, Box], level_hu: int, *, dark: bool = False
) -> SoftField:
    """Field of a label whose voxels are known, its surface at a level.

    Parameters
    ----------
    name : str
        Of the label.
    volume : Volume
        The image.
    found : (mask, box)
        (k, j, i) mask of the structure and where it lies in the grid.
    level_hu : int
        Of the surface.
    dark : bool
        Whether the structure is below the level (air), not above.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    mask, box = found
    tight = bounding_box(mask)
    if tight is None:
        raise ValueError(f"{name} has no voxels")
    inner = shifted(tight, box, 1)
    block = with_margin(inner, volume.array.T.shape)
    inside = np.zeros(tuple(s.stop - s.start for s in block), dtype=bool)
    inside[shifted(inner, block, -1)] = mask[tight]
    margin = doubled(volume.array.T[block], level_hu)
    if dark:
        np.negative(margin, out=margin)
    start = (int(block[2].start), int(block[1].start), int(block[0].start))
    return SoftField(label(name), signed(margin, inside).T, volume.geometry, start)


def shifted(box: Box, by: Box, sign: int) -> Box:
    """The box moved by the start of another."""
    k, j, i = (
        slice(s.start + sign * b.start, s.stop + sign * b.start)
        for s, b in zip(box, by, strict=True)
    )
    return k, j, i


def with_margin(box: Box, shape_kji: tuple[int, ...], margin: int = MARGIN) -> Box:
    """The box with `margin` voxels more to each side, inside the grid."""
    k, j, i = (
        slice(max(0, s.start - margin), min(n, s.stop + margin))
        for s, n in zip(box, shape_kji, strict=True)
    )
    return k, j, i
