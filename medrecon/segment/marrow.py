"""Marrow: the space that a shell of bone encloses.

Found on blocks, where a shell with holes of a voxel (thin cortex, nutrient canals) is
tight: what the outside cannot reach is inside. Wider holes are closed too, but only
over a space that is wide and as dense as trabeculae, so that a joint, a foramen, the
spinal canal or a fat-filled recess stays open. Air (sinuses, mastoid) is never filled,
and nothing is filled that would join two bones or two fragments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.ndimage as ndi

from medrecon.segment.apart import absorb_islands, apart, owners_of
from medrecon.segment.components import Components
from medrecon.segment.morphology import SIX, closed, dilate, grow_inside, radii_for
from medrecon.segment.pooling import Array, Factors, Mask, pool_max, pool_sum, spread
from medrecon.segment.presets import TissuePreset
from medrecon.segment.sections import lumens, outside_of


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of voxels along (k, j, i): how many voxels, and how large in mm."""

    factors: Factors
    size_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """What each block is: wall, cavity or outside; and where nothing may be filled."""

    wall: Mask
    cavity: Mask
    outside: Mask
    barred: Mask


def marrow(hu: Array, bones: Components, blocks: Blocks, preset: TissuePreset) -> Mask:
    """Voxels to add to the bones so that they are solid.

    Parameters
    ----------
    hu : ndarray, shape (k, j, i)
        Hounsfield units of the block that `bones` was found in.
    bones : Components
        Mineralised bone, each component a bone or a fragment that must stay apart.
    blocks : Blocks
        On which shells are sealed.
    preset : TissuePreset
        Of bone.
    """
    owner = owners_of(bones, blocks.factors, hu.shape)
    wall = _wall(hu, owner > 0, blocks, preset)
    cavity = _cavity(hu, wall, blocks, preset)
    outside = ~wall & ~cavity
    # Wall that only partial volume makes, on a bone's outer side, hides nothing.
    cover = (owner == 0) & wall & dilate(outside, (1, 1, 1))
    absorb_islands(owner, outside | cover, bones.count)
    core, barred = apart(cavity, owner)
    return _to_voxels(Kinds(wall, core, outside, barred), hu, bones, (blocks, preset))


def _wall(hu: Array, bone: Mask, blocks: Blocks, preset: TissuePreset) -> Mask:
    """Blocks with bone, and those beside it that are too dense for anything but bone."""
    weak = pool_max(hu, blocks.factors) > preset.hu("wall")
    return bone | (weak & dilate(bone, (1, 1, 1)))


def _cavity(hu: Array, wall: Mask, blocks: Blocks, preset: TissuePreset) -> Mask:
    """Blocks outside the wall that it encloses."""
    voxels = np.float32(np.prod(blocks.factors))
    mean_hu = pool_sum(hu.astype(np.float32), blocks.factors) / voxels
    cavity = ~wall & ~outside_of(~wall, mean_hu, preset)
    cavity |= lumens(wall, preset)
    cavity |= _trabecular(wall, mean_hu, blocks, preset)
    return cavity & (mean_hu > preset.hu("air"))


def _trabecular(shell: Mask, mean_hu: Array, blocks: Blocks, preset: TissuePreset) -> Mask:
    """Blocks of trabecular marrow behind holes of the shell of up to twice `seal` mm."""
    k, j, i = (max(1, r) for r in radii_for(blocks.size_mm, preset.mm("seal")))
    behind = ~shell & ~outside_of(~closed(shell, (k, j, i)), mean_hu, preset)
    # Narrow spaces between bones are blurred by both: only wide ones tell their density.
    pure, count = ndi.label(behind & ~dilate(shell, (1, 1, 1)), SIX)
    if count == 0:
        return np.zeros(shell.shape, dtype=bool)
    means = ndi.mean(mean_hu, pure, np.arange(1, count + 1))
    dense = np.append(False, means > preset.hu("trabecular"))
    filled = grow_inside(np.asarray(dense[pure]), behind, (2, 2, 2))
    return _without_leaks(filled, shell, preset.ratio("leak"))


def _without_leaks(filled: Mask, shell: Mask, most: float) -> Mask:
    """The parts of `filled` whose surface is open at no more than a share of `most`.

    A disc space or a recess between bones is open all along one side; marrow behind a
    thin cortex only at its holes.
    """
    labels, count = ndi.label(filled, SIX)
    shut, leaking = np.zeros(count + 1), np.zeros(count + 1)
    for axis in range(3):
        along, wall = np.moveaxis(labels, axis, 0), np.moveaxis(shell, axis, 0)
        for one, two, bone in (
            (along[1:], along[:-1], wall[:-1]),
            (along[:-1], along[1:], wall[1:]),
        ):
            face = (one > 0) & (two == 0)
            shut += np.bincount(one[face & bone], minlength=count + 1)
            leaking += np.bincount(one[face & ~bone], minlength=count + 1)
    tight = leaking <= most * (shut + leaking)
    tight[0] = False
    return np.asarray(tight[labels])


def _to_voxels(
    kinds: Kinds, hu: Array, bones: Components, how: tuple[Blocks, TissuePreset]
) -> Mask:
    """Voxels without bone that are nearer to a cavity than to the outside.

    Blocks of the wall hold voxels of both its sides. Inside and outside advance
    together through their voxels, one step at a time and never through bone; what
    neither reaches is a pore, and filled.
    """
    blocks, preset = how
    inside = spread(kinds.cavity, blocks.factors, hu.shape).copy()
    outside = spread(kinds.outside, blocks.factors, hu.shape).copy()
    waiting = spread(kinds.wall, blocks.factors, hu.shape).copy()
    for flags in (inside.reshape(-1), outside.reshape(-1), waiting.reshape(-1)):
        flags[bones.index] = False
    _advance(np.flatnonzero(waiting), inside, outside)
    inside &= spread(~kinds.barred, blocks.factors, hu.shape)
    inside &= hu > preset.hu("air")
    return inside


def _advance(waiting: npt.NDArray[np.int64], inside: Mask, outside: Mask) -> None:
    """Give every waiting voxel to the side that reaches it first, in place."""
    shape = inside.shape
    ours, theirs = inside.reshape(-1), outside.reshape(-1)
    while len(waiting):
        lost = _touches(waiting, theirs, shape)
        won = ~lost & _touches(waiting, ours, shape)
        if not (lost.any() or won.any()):
            break
        theirs[waiting[lost]] = True
        ours[waiting[won]] = True
        waiting = waiting[~(lost | won)]
    ours[waiting] = True


def _touches(index: npt.NDArray[np.int64], flat: Mask, shape: tuple[int, ...]) -> Mask:
    """Whether one of the six neighbours of each voxel is True."""
    out = np.zeros(len(index), dtype=bool)
    last = len(flat) - 1
    for step in (1, shape[2], shape[1] * shape[2]):
        out |= flat[np.minimum(index + step, last)]
        out |= flat[np.maximum(index - step, 0)]
    return out
