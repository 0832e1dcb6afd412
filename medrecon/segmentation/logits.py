"""From a network's logits to soft fields on the image's own grid.

Logits are interpolated first and compared afterwards: the zero of "this label's logit
minus the largest of the others" is then one surface for both neighbours, and nothing
gapes where three meet. An argmax is only used to know where to look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medrecon.core import Geometry, SoftField, away_from_zero
from medrecon.models.manifest import Components, Head, ModelLabel
from medrecon.segmentation.axis_map import AxisMap, Block
from medrecon.segmentation.stores import LogitStore

FloatField = npt.NDArray[np.float32]
# Voxels are joined across corners on the coarse grid, where a thin bridge is hardly a
# voxel wide, and across faces on the image's.
CORNERS = ndimage.generate_binary_structure(3, 3)
FACES = ndimage.generate_binary_structure(3, 1)
EVERYWHERE = (slice(None), slice(None), slice(None))

# Network voxels around a label's own that its block reaches, widened until its surface
# is closed inside. Keys' kernel reaches 2; placing the boundary looks another 3 around.
MARGINS_VOXELS = (5, 16, 48, 1 << 20)


@dataclass(frozen=True, slots=True)
class LogitMap:
    """Logits of every class on the network's grid, and what they mean.

    Parameters
    ----------
    store : LogitStore
    grid : Geometry
    head : Head
    cropped : bool
        Whether the grid is only a part of the image: nothing is found beyond its edges.
    """

    store: LogitStore
    grid: Geometry
    head: Head
    cropped: bool = False


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
    part = axes.covered() if logits.cropped else None
    if part is not None:
        inner = grid.crop([s.start for s in part], [s.stop - s.start for s in part])
        axes = AxisMap.between(logits.grid, inner)
    fields: list[SoftField] = []
    findings: dict[str, tuple[str, ...]] = {}
    for item, seen in _votes(logits, labels):
        field, texts = _field(logits, axes, grid if part is None else inner, item, seen)
        if texts:
            findings[item.label.name] = texts
        if field is not None:
            fields.append(field if part is None else _placed(field, grid, part))
    return tuple(fields), findings


def _placed(field: SoftField, grid: Geometry, part: Block) -> SoftField:
    """A field of a part of the image in the whole of it, closed where the part ends."""
    start = [s + p.start for s, p in zip(field.start, part, strict=True)]
    widths = []
    for axis, (first, size) in enumerate(zip(start, field.values.shape, strict=True)):
        before = int(first == part[axis].start and first > 0)
        after = int(first + size == part[axis].stop and first + size < grid.shape[axis])
        widths.append((before, after))
    # The mirror image of the outermost layer: the surface runs along the edge between.
    values = np.pad(np.asarray(field.values, np.float32), widths, mode="edge")
    for axis, (before, after) in enumerate(widths):
        for end, there in ((0, before), (-1, after)):
            if there:
                layer: list[slice | int] = [slice(None)] * 3
                layer[axis] = end
                values[tuple(layer)] = -np.abs(values[tuple(layer)])
    i, j, k = (s - before for s, (before, _) in zip(start, widths, strict=True))
    return SoftField(field.label, values, grid, (i, j, k))


@dataclass(frozen=True, slots=True, eq=False)
class _Votes:
    """The network's voxels that hold a label: a mask of a box of its grid."""

    mask: npt.NDArray[np.bool_]
    box: Block


def _votes(
    logits: LogitMap, labels: Sequence[ModelLabel]
) -> Iterator[tuple[ModelLabel, _Votes | None]]:
    """Each label with the voxels that voted for it, or None."""
    if logits.head is Head.SOFTMAX:
        winners = logits.store.winners()
        boxes = ndimage.find_objects(winners, logits.store.classes)
        for item in labels:
            box = boxes[item.channel - 1]
            yield item, None if box is None else _Votes(winners[box] == item.channel, box)
    else:
        for item in labels:
            mask = logits.store.channel(item.channel, EVERYWHERE) > 0
            yield item, _cropped(mask, (0, 0, 0))


def _cropped(mask: npt.NDArray[np.bool_], origin: Sequence[int]) -> _Votes | None:
    """The mask in the smallest box that holds it, or None if it is empty."""
    boxes = ndimage.find_objects(mask.view(np.uint8))
    if not boxes:
        return None
    i, j, k = (slice(p.start + o, p.stop + o) for p, o in zip(boxes[0], origin, strict=True))
    return _Votes(mask[boxes[0]], (i, j, k))


def _field(
    logits: LogitMap, axes: AxisMap, grid: Geometry, item: ModelLabel, votes: _Votes | None
) -> tuple[SoftField | None, tuple[str, ...]]:
    """One label's field, made only around the parts that stay; and what did not stay."""
    if votes is None:
        return None, ("not found by the network",)
    # Already on the coarse grid: a speck far away would stretch the block over the image.
    seen, loose = _kept_parts(votes.mask, votes.mask, item.components, CORNERS)
    dropped_mm3 = [n * logits.grid.voxel_volume_mm3 for n in loose]
    votes = _cropped(seen, [part.start for part in votes.box]) or votes
    for margin in MARGINS_VOXELS:
        block = axes.block(votes.box, margin)
        values = _difference(logits, axes, block, item.channel)
        voted = axes.nearest(votes.mask, votes.box, block)
        kept, loose = _kept_parts(values > 0, voted, item.components, FACES)
        if not _touches_inner_face(kept, block, grid.shape):
            break
    if not kept.any():
        return None, ("too small to have a surface on the image's grid",)
    # What is dropped keeps its shape with the sign turned: no surface, no step.
    values = away_from_zero(np.where(kept | (values <= 0), values, -values))
    start = (block[0].start, block[1].start, block[2].start)
    dropped_mm3 += [n * grid.voxel_volume_mm3 for n in loose]
    return SoftField(item.label, values, grid, start), _report(dropped_mm3)


def _difference(logits: LogitMap, axes: AxisMap, block: Block, channel: int) -> FloatField:
    """The label's logit, less the largest of the others if labels exclude one another."""
    source, weights = axes.source(block)
    own = axes.interpolate(logits.store.channel(channel, source), weights)
    if logits.head is Head.SIGMOID:
        return own
    others: FloatField | None = None
    for other in logits.store.rivals(channel, source):
        value = axes.interpolate(logits.store.channel(other, source), weights)
        others = value if others is None else np.maximum(others, value, out=others)
    return own if others is None else np.subtract(own, others, out=own)


def _kept_parts(
    inside: npt.NDArray[np.bool_],
    voted: npt.NDArray[np.bool_],
    rule: Components,
    neighbours: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.bool_], tuple[int, ...]]:
    """The connected parts that stay, and the voxels of those that the rule drops.

    A part that no voxel of the network's grid voted for is an artefact of comparing
    between voxels (a sliver along two other labels' border), or was dropped already: it
    never stays and is not counted.
    """
    numbered, count = ndimage.label(inside, neighbours)
    if count == 0:
        return inside, ()
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    backed = np.bincount(numbered[voted], minlength=count + 1)[1:] > 0
    keep = backed.copy()
    if rule is Components.LARGEST and backed.any():
        keep[:] = False
        keep[np.argmax(np.where(backed, sizes, 0))] = True
    kept: npt.NDArray[np.bool_] = np.concatenate(([False], keep))[numbered]
    return kept, tuple(int(n) for n in sizes[backed & ~keep])


def _touches_inner_face(kept: npt.NDArray[np.bool_], block: Block, shape: Sequence[int]) -> bool:
    """Whether a part reaches a face of the block that is not a face of the image."""
    for axis, (part, size) in enumerate(zip(block, shape, strict=True)):
        if part.start > 0 and kept.take(0, axis).any():
            return True
        if part.stop < size and kept.take(-1, axis).any():
            return True
    return False


def _report(dropped_mm3: Sequence[float]) -> tuple[str, ...]:
    if not dropped_mm3:
        return ()
    ordered = sorted(dropped_mm3, reverse=True)
    sizes = ", ".join(f"{size:.3g}" for size in ordered[:5])
    more = f" and {len(ordered) - 5} smaller" if len(ordered) > 5 else ""
    return (f"dropped {len(ordered)} loose parts, {sum(ordered):.3g} mm³: {sizes}{more}",)
