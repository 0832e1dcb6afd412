"""Bone in CT: every bone and fragment, solid, without table and vessels.

Hysteresis: what is connected at a low threshold and holds a seed above a high one.
Components that are loose and tiny are dropped and counted. Marrow is filled without
joining what is apart (`marrow`).
"""

from __future__ import annotations

import numpy as np

from medrecon.core import SoftField, Volume, label
from medrecon.segment.body import Body
from medrecon.segment.components import Components, components
from medrecon.segment.fields import Box, doubled, signed, soft_field, with_margin
from medrecon.segment.found import Found
from medrecon.segment.marrow import Blocks, marrow
from medrecon.segment.morphology import bounding_box, dilate
from medrecon.segment.pooling import Array, Mask, factors_for, spread
from medrecon.segment.presets import TissuePreset


def find_bone(volume: Volume, body: Body, preset: TissuePreset) -> Found:
    """Field of bone, or none with the reason."""
    box = _box_of(body, volume)
    if box is None:
        return Found(None, ("no patient in the image",))
    hu = volume.array.T[box]
    dense = hu > preset.hu("grow")
    _only_in_body(dense, body, box)
    parts = components(dense)
    voxel_mm3 = volume.geometry.voxel_volume_mm3
    keep, findings = _kept(parts, hu, preset, voxel_mm3)
    if not keep.any():
        return Found(None, (*findings, "no bone"))
    bones = _only(parts, keep)
    solid = np.zeros(hu.shape, dtype=bool)
    solid.reshape(-1)[bones.index] = True
    kji = (volume.geometry.spacing_mm[2], *volume.geometry.spacing_mm[1::-1])
    factors = factors_for(kji, preset.mm("block"))
    k, j, i = (n * mm for n, mm in zip(factors, kji, strict=True))
    solid |= marrow(hu, bones, Blocks(factors, (k, j, i)), preset)
    return Found(_field(volume, solid, hu, box, preset), findings)


def _kept(
    parts: Components, hu: Array, preset: TissuePreset, voxel_mm3: float
) -> tuple[Mask, tuple[str, ...]]:
    """Which components are bone, and what was dropped in mm³."""
    sizes = parts.sizes
    seeds = parts.count_where(hu.reshape(-1)[parts.index] > preset.hu("seed"))
    seeded = seeds * voxel_mm3 >= preset.mm3("smallest_seed")
    big = sizes * voxel_mm3 >= preset.mm3("smallest_part")
    keep = seeded & big
    specks = sizes[seeded & ~big] * voxel_mm3
    findings: list[str] = []
    if len(specks):
        findings.append(
            f"dropped {len(specks)} specks of at most {specks.max():.0f} mm³, "
            f"{specks.sum():.0f} mm³ together"
        )
    unseeded = sizes[~seeded & big] * voxel_mm3
    if len(unseeded):
        findings.append(
            f"left out {len(unseeded)} parts that never reach {preset.hu('seed'):.0f} HU, "
            f"{unseeded.sum():.0f} mm³ together, the largest {unseeded.max():.0f} mm³"
        )
    return keep, tuple(findings)


def _only(parts: Components, keep: Mask) -> Components:
    """The kept components, renumbered."""
    number = np.cumsum(keep) - 1
    runs = keep[parts.run_label]
    lengths = np.diff(parts.run_start, append=len(parts.index))
    index = parts.index[np.repeat(runs, lengths)]
    starts = np.cumsum(lengths[runs]) - lengths[runs]
    return Components(index, starts, number[parts.run_label[runs]], int(keep.sum()))


def _box_of(body: Body, volume: Volume) -> Box | None:
    """Native block that holds the patient, its start on a block edge."""
    box = bounding_box(body.mask)
    if box is None:
        return None
    k, j, i = (
        slice(s.start * f, min(n, s.stop * f))
        for s, f, n in zip(box, body.factors, volume.array.T.shape, strict=True)
    )
    return k, j, i


def _only_in_body(mask: Mask, body: Body, box: Box) -> None:
    blocks = tuple(
        slice(s.start // f, -(-s.stop // f)) for s, f in zip(box, body.factors, strict=True)
    )
    near = dilate(body.mask, (1, 1, 1))[blocks]
    mask &= spread(near, body.factors, mask.shape)


def _field(volume: Volume, solid: Mask, hu: Array, box: Box, preset: TissuePreset) -> SoftField:
    tight = bounding_box(solid)
    assert tight is not None
    k, j, i = (slice(s.start + b.start, s.stop + b.start) for s, b in zip(tight, box, strict=True))
    block = with_margin((k, j, i), volume.array.T.shape)
    inside = np.zeros(tuple(s.stop - s.start for s in block), dtype=bool)
    inner = tuple(
        slice(s.start - b.start, s.stop - b.start) for s, b in zip((k, j, i), block, strict=True)
    )
    inside[inner] = solid[tight]
    margin = doubled(volume.array.T[block], int(preset.hu("level")))
    return soft_field(label("bone"), signed(margin, inside), volume.geometry, block)


def _within(box: Box, block: Box) -> Box:
    """The box in the coordinates of a block around it."""
    k, j, i = (slice(s.start - b.start, s.stop - b.start) for s, b in zip(box, block, strict=True))
    return k, j, i
