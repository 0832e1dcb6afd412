"""Surfaces placed at the image's own edges, or left where they were found; what that changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from medrecon.core import Segmentation, SoftField, Volume
from medrecon.core.band import flattened
from medrecon.core.provenance import Figure
from medrecon.options import SegmentOptions
from medrecon.recorder import Recorder

LEFT = "surface left where the segmentation put it (--no-refine), not at the image's own edge"


def place_boundaries(
    found: Sequence[Segmentation], volume: Volume, options: SegmentOptions, log: Recorder
) -> tuple[Segmentation, ...]:
    """Each segmentation with its surfaces at the image's local half-maximum.

    The record keeps by how much each structure's volume changed. Where the person wants
    none of it, nothing moves, and every structure carries a finding that says so.

    Parameters
    ----------
    found : sequence of Segmentation
        On the volume's grid, no two with a label of the same name.
    volume : Volume
    options : SegmentOptions
        Its `refine` decides.
    log : Recorder

    Returns
    -------
    tuple of Segmentation
        Their fields are constant where no surface is near: what is kept is what is meshed.
    """
    with log.stage("place boundaries") as stage:
        if not options.refine:
            stage.note(refined=False)
            return tuple(_near_the_surface(_left(s)) for s in found)
        from medrecon.segmentation.refine import refine

        # One after the other: fields are large, and only those near a surface are kept.
        placed = tuple(_near_the_surface(refine(s, volume)) for s in found)
        stage.note(refined=True, volume_change_percent=_changes(found, placed))
    return placed


def _left(found: Segmentation) -> Segmentation:
    names = [f.label.name for f in found.fields]
    findings = {name: (*found.findings.get(name, ()), LEFT) for name in names}
    return dataclasses.replace(found, findings={**found.findings, **findings})


def _near_the_surface(found: Segmentation) -> Segmentation:
    return dataclasses.replace(found, fields=tuple(flattened(f) for f in found.fields))


def _changes(before: Sequence[Segmentation], after: Sequence[Segmentation]) -> dict[str, Figure]:
    """By how many percent each structure grew; none for what was empty."""
    voxels = {f.label.name: _voxels(f) for s in before for f in s.fields}
    return {
        f.label.name: round(100 * (_voxels(f) / voxels[f.label.name] - 1), 2)
        for s in after
        for f in s.fields
        if voxels[f.label.name]
    }


def _voxels(field: SoftField) -> int:
    return int(np.count_nonzero(field.values > 0))
