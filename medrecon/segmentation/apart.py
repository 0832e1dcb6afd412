"""Keeping bones and fragments apart when the space inside them is filled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.ndimage as ndi

from medrecon.core.compiled import frozen
from medrecon.core.runs import Runs
from medrecon.segmentation import marrow_loops, pooling_loops
from medrecon.segmentation.components import Components
from medrecon.segmentation.morphology import bounding_box, dilate
from medrecon.segmentation.pooling import Factors, Mask

# Share of a component's blocks beside the outside, above which it is a bone of its own.
EXPOSED_SHARE = 0.25

Owners = npt.NDArray[np.int32]


def owners_of(bones: Components, factors: Factors, shape: tuple[int, ...]) -> Owners:
    """Number (from 1) of a component with voxels in each block; 0 in blocks without bone."""
    blocks = tuple(-(-n // f) for n, f in zip(shape, factors, strict=True))
    owner = np.zeros(blocks, dtype=np.int32)
    index, start, label = (
        frozen(x, np.int64) for x in (bones.index, bones.run_start, bones.run_label)
    )
    sizes = frozen(shape, np.int64), frozen(factors, np.int64)
    pooling_loops.owners(index, start, label, *sizes, owner)
    return owner


def absorb_islands(owner: Owners, outside: Mask, count: int) -> None:
    """Forget components that lie inside a cavity: trabeculae, not bones of their own.

    A bone shows the outside on most of its blocks; a trabecula at most where the wall
    beside it is thin.
    """
    blocks, exposed = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    marrow_loops.exposure(owner, frozen(dilate(outside, (1, 1, 1)), np.bool_), blocks, exposed)
    marrow_loops.forget(owner, frozen(exposed >= EXPOSED_SHARE * blocks, np.bool_))


def apart(cavity: Mask, owner: Owners) -> tuple[Mask, Mask]:
    """The cavity without what would join two bones, and the blocks that are barred.

    Barred are blocks that see two bones among themselves and their neighbours, and,
    where one cavity lies in two bones (a fracture through the marrow), the blocks half
    way between them.
    """
    # A block that sees two bones sees one that is not the largest.
    sizes = np.bincount(owner.reshape(-1))
    sizes[0] = 0
    minor = (owner > 0) & (owner != np.argmax(sizes))
    candidates = np.flatnonzero(dilate(minor, (1, 1, 1)))
    several = np.zeros(cavity.shape, dtype=bool)
    several.reshape(-1)[candidates] = _sees_two(candidates, owner)
    cavities = Runs.of(cavity)
    shared = cavities.with_two_owners(owner)
    barred = several
    if shared.any():
        barred |= _borders(dilate(cavities.mask(shared), (1, 1, 1)), owner)
    return cavity & ~barred, barred


def _sees_two(candidates: npt.NDArray[np.int64], owner: Owners) -> Mask:
    """Whether two bones lie among each block (flat index) and its 26 neighbours."""
    padded = np.pad(owner, 1)
    k, j, i = np.unravel_index(candidates, owner.shape)
    at = np.ravel_multi_index((k + 1, j + 1, i + 1), padded.shape)
    flat = padded.reshape(-1)
    first = np.zeros(len(at), dtype=np.int32)
    two = np.zeros(len(at), dtype=bool)
    for shift in np.ndindex(3, 3, 3):
        dk, dj, di = (s - 1 for s in shift)
        near = flat[at + (dk * padded.shape[1] + dj) * padded.shape[2] + di]
        two |= (near > 0) & (first > 0) & (near != first)
        first = np.where(first > 0, first, near)
    return two


def _borders(region: Mask, owner: Owners) -> Mask:
    """Blocks of the region where the nearest bone changes from one to another."""
    box = bounding_box(region)
    border = np.zeros(region.shape, dtype=bool)
    if box is None:
        return border
    # Two blocks more: the bone that the region's own wall belongs to.
    box = tuple(slice(max(0, s.start - 2), s.stop + 2) for s in box)  # type: ignore[assignment]
    near = owner[box]
    nearest = ndi.distance_transform_edt(near == 0, return_distances=False, return_indices=True)
    side = near[tuple(nearest)]
    inside = border[box]
    for axis in range(3):
        along = np.moveaxis(side, axis, 0)
        unlike = along[1:] != along[:-1]
        view = np.moveaxis(inside, axis, 0)
        view[:-1] |= unlike
        view[1:] |= unlike
    return border & region
