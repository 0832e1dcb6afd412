"""Fat and muscle: bands of Hounsfield units with two soft edges.

By density alone: "muscle" holds organs of muscle's density too. The partial volume
between air and tissue passes through the band of fat; layers that thin are dropped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.ndimage as ndi

from medrecon.core import SoftField, Volume, label
from medrecon.segmentation.body import Body, body_box
from medrecon.segmentation.fields import Box, doubled, signed
from medrecon.segmentation.found import Found
from medrecon.segmentation.morphology import opened
from medrecon.segmentation.pooling import Array, spread
from medrecon.segmentation.presets import TissuePreset, preset


def find_soft(volume: Volume, body: Body, names: tuple[str, ...]) -> dict[str, Found]:
    """Fields of "fat" and "muscle", those that are named, or the reason why not."""
    box = body_box(body, volume)
    if box is None:
        return {name: Found(None, ("no patient in the image",)) for name in names}
    smooth = _smoothed(volume.array.T[box])
    return {name: _band(name, smooth, (volume, body, box), preset(name)) for name in names}


def _smoothed(hu: Array) -> Array:
    """Mean over 27 voxels: one voxel's noise is a third of fat's distance to muscle."""
    return np.asarray(ndi.uniform_filter(hu, size=3, mode="nearest"))


def _band(
    name: str, smooth: Array, where: tuple[Volume, Body, Box], numbers: TissuePreset
) -> Found:
    volume, body, box = where
    low = doubled(smooth, int(numbers.hu("low")))
    # Odd numbers: the negative of 2x + 1 is again one, never zero.
    high = doubled(smooth, int(numbers.hu("high")))
    margin: npt.NDArray[np.int16] = np.minimum(low, -high)
    blocks = tuple(s.start // f for s, f in zip(box, body.factors, strict=True))
    patient = body.mask[blocks[0] :, blocks[1] :, blocks[2] :]
    inside = opened((margin > 0) & spread(patient, body.factors, margin.shape), (1, 1, 1))
    if not inside.any():
        return Found(
            None, (f"nothing between {numbers.hu('low'):.0f} and {numbers.hu('high'):.0f} HU",)
        )
    _close_faces(inside, box, volume.array.T.shape)
    start = (int(box[2].start), int(box[1].start), int(box[0].start))
    return Found(SoftField(label(name), signed(margin, inside).T, volume.geometry, start))


def _close_faces(inside: npt.NDArray[np.bool_], box: Box, shape: tuple[int, ...]) -> None:
    """Clear the box's outermost voxels where it ends inside the grid."""
    for axis in range(3):
        along = np.moveaxis(inside, axis, 0)
        if box[axis].start > 0:
            along[:2] = False
        if box[axis].stop < shape[axis]:
            along[-2:] = False
