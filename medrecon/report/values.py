"""Deviation and uncertainty at the vertices that a page shows, and the scales they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medrecon.core import Mesh, SoftField
from medrecon.core.value_scales import range_mm, stops_of
from medrecon.quality.deviation import deviation_from_field, uncertainty_of_place
from medrecon.report.packing import pack_values

KINDS = {"deviation": deviation_from_field, "uncertainty": uncertainty_of_place}
TITLES = {
    "deviation": "deviation of the surface from the segmentation",
    "uncertainty": "uncertainty of the surface's place",
}


@dataclass(frozen=True, slots=True)
class PackedValues:
    """Values of all meshes of a page.

    Parameters
    ----------
    scales : tuple of dict
        For each kind its `kind`, `title`, `low` and `high` in mm, `stops` (sRGB, 0 to 255).
    blocks : tuple of (str, str)
        Id of a text block and its content; `values-KIND-NUMBER`.
    """

    scales: tuple[dict[str, Any], ...] = ()
    blocks: tuple[tuple[str, str], ...] = ()


def values_of(meshes: Sequence[Mesh], fields: Mapping[str, SoftField]) -> PackedValues:
    """Values of those meshes whose field is there; nothing without any."""
    known = [(n, m, fields[m.label.name]) for n, m in enumerate(meshes) if m.label.name in fields]
    if not known:
        return PackedValues()
    scales, blocks = list[dict[str, Any]](), list[tuple[str, str]]()
    for kind, measure in KINDS.items():
        values = [measure(mesh, field) for _, mesh, field in known]
        low, high = range_mm(kind, values)
        stops = [[round(255 * c) for c in stop] for stop in stops_of(kind)]
        scales.append(
            {"kind": kind, "title": TITLES[kind], "low": low, "high": high, "stops": stops}
        )
        for (n, mesh, _), v in zip(known, values, strict=True):
            blocks.append((f"values-{kind}-{n}", pack_values(mesh, v, low, high)))
    return PackedValues(tuple(scales), tuple(blocks))
