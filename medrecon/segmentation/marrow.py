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

from medrecon.core.compiled import frozen
from medrecon.core.runs import Runs
from medrecon.segmentation import marrow_loops
from medrecon.segmentation.apart import absorb_islands, apart, owners_of
from medrecon.segmentation.components import Components
from medrecon.segmentation.morphology import closed, dilate, grow_inside, radii_for
from medrecon.segmentation.pooling import (
    Array,
    Factors,
    Mask,
    factors_for,
    pool_max,
    pool_mean,
)
from medrecon.segmentation.presets import TissuePreset
from medrecon.segmentation.sections import lumens, outside_of


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of voxels along (k, j, i): how many voxels, and how large in mm."""

    factors: Factors
    size_mm: tuple[float, float, float]

    @classmethod
    def of(cls, spacing_kji_mm: tuple[float, float, float], target_mm: float) -> Blocks:
        """Blocks of at most `target_mm`, or single voxels if these are larger."""
        factors = factors_for(spacing_kji_mm, target_mm)
        k, j, i = (n * mm for n, mm in zip(factors, spacing_kji_mm, strict=True))
        return cls(factors, (k, j, i))


OUTSIDE, CAVITY, WALL = (
    np.uint8(n) for n in (marrow_loops.OUTSIDE, marrow_loops.CAVITY, marrow_loops.WALL)
)


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
    cavity = _cavity(hu, (owner > 0, wall), blocks, preset)
    wall &= ~cavity
    outside = ~wall & ~cavity
    # Wall that only partial volume makes, on a bone's outer side, hides nothing.
    cover = (owner == 0) & wall & dilate(outside, (1, 1, 1))
    absorb_islands(owner, outside | cover, bones.count)
    core, barred = apart(cavity, owner)
    kinds = np.where(wall | (cavity & ~core), WALL, np.where(core, CAVITY, OUTSIDE))
    return _to_voxels(kinds, barred, hu, (bones, blocks, preset.hu("air")))


def _wall(hu: Array, bone: Mask, blocks: Blocks, preset: TissuePreset) -> Mask:
    """Blocks with bone, and those beside it that are too dense for anything but bone."""
    weak = pool_max(hu, blocks.factors) > preset.hu("wall")
    return bone | (weak & dilate(bone, (1, 1, 1)))


def _cavity(hu: Array, shells: tuple[Mask, Mask], blocks: Blocks, preset: TissuePreset) -> Mask:
    """Blocks that the bone encloses, or the wall where what it encloses looks like marrow."""
    bone, wall = shells
    mean_hu = pool_mean(hu, blocks.factors)
    cavity = ~bone & ~outside_of(~bone, mean_hu, preset)
    cavity |= lumens(wall, blocks.size_mm[0], preset)
    cavity |= _trabecular(wall, mean_hu, blocks, preset)
    return cavity & (mean_hu > preset.hu("air")) & ~bone


def _trabecular(shell: Mask, mean_hu: Array, blocks: Blocks, preset: TissuePreset) -> Mask:
    """Blocks of trabecular marrow behind holes of the shell of up to twice `seal` mm."""
    k, j, i = (max(1, r) for r in radii_for(blocks.size_mm, preset.mm("seal")))
    behind = ~shell & ~outside_of(~closed(shell, (k, j, i)), mean_hu, preset)
    # Narrow spaces between bones are blurred by both: only wide ones tell their density.
    pure = Runs.of(behind & ~dilate(shell, (1, 1, 1)))
    dense = pure.mask(pure.means(mean_hu) > preset.hu("trabecular"))
    filled = grow_inside(dense, behind, (2, 2, 2))
    return _without_leaks(filled, shell, preset.ratio("leak"))


def _without_leaks(filled: Mask, shell: Mask, most: float) -> Mask:
    """The parts of `filled` whose surface is open at no more than a share of `most`.

    A disc space or a recess between bones is open all along one side; marrow behind a
    thin cortex only at its holes. Beyond a face of the scan nothing is known: neither
    wall nor leak.
    """
    parts = Runs.of(filled)
    shut, leaking = parts.faces_beside(shell, ~shell & ~filled)
    return parts.mask(leaking <= most * (shut + leaking))


def _to_voxels(
    kinds: npt.NDArray[np.uint8], barred: Mask, hu: Array, how: tuple[Components, Blocks, float]
) -> Mask:
    """Voxels without bone that are nearer to a cavity than to the outside.

    Blocks of the wall hold voxels of both its sides. Inside and outside advance
    together through their voxels, one step at a time and never through bone; what
    neither reaches is a pore, and filled.
    """
    bones, blocks, air_hu = how
    factors = frozen(blocks.factors, np.int64)
    # One neutral layer around: at a face of the scan there is no neighbour.
    k, j, i = (n + 2 for n in hu.shape)
    voxels = np.zeros((k, j, i), np.uint8)
    bone = frozen(bones.index, np.int64)
    marrow_loops.advance(voxels, marrow_loops.voxels_of(kinds, bone, factors, voxels))
    inside: Mask = marrow_loops.cavity_of(voxels, hu, air_hu, frozen(barred, np.bool_), factors)
    return inside
