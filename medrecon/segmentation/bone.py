"""Bone in CT: every bone and fragment, solid, without table and vessels.

Hysteresis: what is connected at a low threshold and holds a seed above a high one.
Components that are loose and tiny are dropped and counted. Marrow is filled without
joining what is apart (`marrow`).
"""

from __future__ import annotations

import numpy as np

from medrecon.core import Volume
from medrecon.segmentation.body import Body, body_box, dense_near_body
from medrecon.segmentation.components import Components, components
from medrecon.segmentation.fields import Box, place_field, shifted, with_margin
from medrecon.segmentation.found import Found
from medrecon.segmentation.marrow import Blocks, marrow
from medrecon.segmentation.morphology import bounding_box
from medrecon.segmentation.pooling import Array, Mask, factors_for, values_at
from medrecon.segmentation.presets import TissuePreset
from medrecon.segmentation.vessels import dense_blocks, drop_vessels


def find_bone(volume: Volume, body: Body, preset: TissuePreset) -> Found:
    """Field of bone, or none with the reason."""
    box = body_box(body, volume)
    if box is None:
        return Found(None, ("no patient in the image",))
    hu = volume.array.T[box]
    spacing = volume.geometry.spacing_mm
    kji = (spacing[2], spacing[1], spacing[0])
    dense = dense_near_body(body, box, hu, preset.hu("grow"))
    parts, vessels_ml = _without_vessels(dense, hu, kji, preset)
    del dense  # masks of the whole body: each is let go when it has been used
    keep, findings = _kept(parts, hu, preset, volume.geometry.voxel_volume_mm3)
    if vessels_ml >= 0.1:
        findings = (f"left out {vessels_ml:.0f} mL of contrast in vessels and organs", *findings)
    if not keep.any():
        return Found(None, (*findings, "no bone"))
    solid = parts.mask(keep, hu.shape)
    around = with_margin(_tight(solid), hu.shape)
    bones = _only(parts, keep).within(around, hu.shape)
    solid = solid[around]
    solid |= marrow(hu[around], bones, Blocks.of(kji, preset.mm("block")), preset)
    del parts, bones
    found = (solid, shifted(around, box, 1))
    return Found(place_field("bone", volume, found, int(preset.hu("grow"))), findings)


def _without_vessels(
    dense: Mask, hu: Array, kji_mm: tuple[float, float, float], preset: TissuePreset
) -> tuple[Components, float]:
    """Components of the dense voxels that are not contrast, and how much contrast is in mL."""
    blocks = dense_blocks(hu, dense, factors_for(kji_mm, preset.mm("block")), kji_mm)
    volume_ml = float(drop_vessels(hu, dense, blocks, preset) * np.prod(kji_mm) / 1000)
    return components(dense), volume_ml


def _tight(mask: Mask) -> Box:
    box = bounding_box(mask)
    return (slice(0, 0), slice(0, 0), slice(0, 0)) if box is None else box


def _kept(
    parts: Components, hu: Array, preset: TissuePreset, voxel_mm3: float
) -> tuple[Mask, tuple[str, ...]]:
    """Which components are bone, and what was dropped in mm³."""
    sizes = parts.sizes
    seeds = parts.count_where(values_at(hu, parts.index) > preset.hu("seed"))
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
