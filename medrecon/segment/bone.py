"""Bone in CT: every bone and fragment, solid, without table and vessels.

Hysteresis: what is connected at a low threshold and holds a seed above a high one.
Components that are loose and tiny are dropped and counted. Marrow is filled without
joining what is apart (`marrow`).
"""

from __future__ import annotations

import numpy as np

from medrecon.core import Volume
from medrecon.segment.body import Body, body_box, near_body
from medrecon.segment.components import Components, components
from medrecon.segment.fields import place_field
from medrecon.segment.found import Found
from medrecon.segment.marrow import Blocks, marrow
from medrecon.segment.pooling import Array, Mask, factors_for
from medrecon.segment.presets import TissuePreset


def find_bone(volume: Volume, body: Body, preset: TissuePreset) -> Found:
    """Field of bone, or none with the reason."""
    box = body_box(body, volume)
    if box is None:
        return Found(None, ("no patient in the image",))
    hu = volume.array.T[box]
    dense = hu > preset.hu("grow")
    dense &= near_body(body, box, dense.shape)
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
    return Found(place_field("bone", volume, (solid, box), int(preset.hu("grow"))), findings)


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
