"""From a network's logits to soft fields on the image's own grid.

Logits are interpolated first and compared afterwards: the zero of "this label's logit
minus the largest of the others" is then one surface for both neighbours, and nothing
gapes where three meet. An argmax is only used to know where to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medrecon.core import Geometry, SoftField, away_from_zero
from medrecon.models.manifest import Components, Head, ModelLabel
from medrecon.segment.axis_map import AxisMap, Block

FloatField = npt.NDArray[np.float32]

# Network voxels around a label's own that its block reaches, widened until its surface
# is closed inside. Keys' kernel reaches 2.
MARGINS_VOXELS = (3, 12, 48, 1 << 20)


@dataclass(frozen=True, slots=True)
class LogitMap:
    """Logits of every channel on the network's grid, float32 (channel, i, j, k)."""

    values: FloatField
    grid: Geometry
    head: Head

    def winners(self) -> npt.NDArray[np.uint16]:
        """Softmax: the channel with the largest logit at each voxel (ties: the lowest).

        A running maximum: numpy's argmax along the first axis is an order slower.
        """
        best = self.values[0].copy()
        winner = np.zeros(best.shape, np.uint16)
        for channel in range(1, len(self.values)):
            better = self.values[channel] > best
            winner[better] = channel
            np.maximum(best, self.values[channel], out=best)
        return winner


def fields_from_logits(
    logits: LogitMap, grid: Geometry, labels: Sequence[ModelLabel]
) -> tuple[tuple[SoftField, ...], dict[str, tuple[str, ...]]]:
    """Soft fields of the labels found, on exactly the image's grid, and what was dropped.

    Parameters
    ----------
    logits : LogitMap
        On a grid whose axes run along the image's axes (`models.grid.network_grid`).
    grid : Geometry
        The image's.
    labels : sequence of ModelLabel

    Returns
    -------
    fields : tuple of SoftField
        float32, in the labels' order; an absent label has none.
    findings : dict of label name to tuple of str

    Raises
    ------
    GeometryError
        If the two grids' axes are not parallel.
    """
    axes = AxisMap.between(logits.grid, grid)
    winners = logits.winners() if logits.head is Head.SOFTMAX else None
    fields: list[SoftField] = []
    findings: dict[str, tuple[str, ...]] = {}
    for item in labels:
        seen = winners == item.channel if winners is not None else logits.values[item.channel] > 0
        if not seen.any():
            findings[item.label.name] = ("not found by the network",)
            continue
        field, dropped = _field(logits, axes, grid, item, seen)
        if dropped:
            findings[item.label.name] = dropped
        if field is not None:
            fields.append(field)
    return tuple(fields), findings


def _field(
    logits: LogitMap,
    axes: AxisMap,
    grid: Geometry,
    item: ModelLabel,
    seen: npt.NDArray[np.bool_],
) -> tuple[SoftField | None, tuple[str, ...]]:
    box = ndimage.find_objects(seen.view(np.uint8))[0]
    for margin in MARGINS_VOXELS:
        block = axes.block(box, margin)
        values = _difference(logits, axes, block, item.channel)
        voted = axes.nearest(seen, block)
        kept, dropped = _kept_parts(values > 0, voted, item.components)
        if not _touches_inner_face(kept, block, grid.shape):
            break
    if not kept.any():
        return None, ("too small to have a surface on the image's grid",)
    # What is dropped keeps its shape with the sign turned: no surface, no step.
    values = away_from_zero(np.where(kept | (values <= 0), values, -values))
    start = (block[0].start, block[1].start, block[2].start)
    return SoftField(item.label, values, grid, start), _report(dropped, grid.voxel_volume_mm3)


def _difference(logits: LogitMap, axes: AxisMap, block: Block, channel: int) -> FloatField:
    """The label's logit, less the largest of the others if labels exclude one another."""
    weights = axes.weights(block)
    own = axes.interpolate(logits.values[channel], weights)
    if logits.head is Head.SIGMOID:
        return own
    others: FloatField | None = None
    for other in range(len(logits.values)):
        if other != channel:
            value = axes.interpolate(logits.values[other], weights)
            others = value if others is None else np.maximum(others, value, out=others)
    return own if others is None else np.subtract(own, others, out=own)


def _kept_parts(
    inside: npt.NDArray[np.bool_], voted: npt.NDArray[np.bool_], rule: Components
) -> tuple[npt.NDArray[np.bool_], tuple[int, ...]]:
    """The connected parts that stay, and the sizes of those that do not, in voxels.

    A part that no voxel of the network's grid voted for is an artefact of comparing
    between voxels (a sliver along two other labels' border) and never stays.
    """
    numbered, count = ndimage.label(inside)
    if count == 0:
        return inside, ()
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    backed = np.bincount(numbered[voted], minlength=count + 1)[1:] > 0
    keep = backed.copy()
    if rule is Components.LARGEST and backed.any():
        keep[:] = False
        keep[np.argmax(np.where(backed, sizes, 0))] = True
    kept: npt.NDArray[np.bool_] = np.concatenate(([False], keep))[numbered]
    return kept, tuple(int(n) for n in sorted(sizes[~keep], reverse=True))


def _touches_inner_face(kept: npt.NDArray[np.bool_], block: Block, shape: Sequence[int]) -> bool:
    """Whether a part reaches a face of the block that is not a face of the image."""
    for axis, (part, size) in enumerate(zip(block, shape, strict=True)):
        if part.start > 0 and kept.take(0, axis).any():
            return True
        if part.stop < size and kept.take(-1, axis).any():
            return True
    return False


def _report(dropped_voxels: Sequence[int], voxel_mm3: float) -> tuple[str, ...]:
    if not dropped_voxels:
        return ()
    sizes = ", ".join(f"{n * voxel_mm3:.3g}" for n in dropped_voxels[:5])
    more = f" and {len(dropped_voxels) - 5} smaller" if len(dropped_voxels) > 5 else ""
    total = sum(dropped_voxels) * voxel_mm3
    return (f"dropped {len(dropped_voxels)} loose parts, {total:.3g} mm³: {sizes}{more}",)
