"""Surface that hangs over nothing while it is printed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medrecon.core import Mesh

_ON_BED_MM = 0.05
"""Faces this close to the lowest point lie on the bed."""


@dataclass(frozen=True, slots=True)
class Overhang:
    """Downward surface beyond a slope.

    Parameters
    ----------
    area_mm2 : float
        What needs support; faces on the bed do not count.
    part : float
        Of the whole surface, 0–1.
    on_bed_mm2 : float
        Surface that lies on the bed.
    """

    area_mm2: float
    part: float
    on_bed_mm2: float


def overhang(mesh: Mesh, limit_deg: float, *, axis: int = 2) -> Overhang:
    """Surface that looks down more steeply than a process can build unsupported.

    Parameters
    ----------
    mesh : Mesh
        As it would stand: the bed is below its lowest point.
    limit_deg : float
        Slope from the vertical; 45 means faces whose normal is less than 45° from
        straight down.
    axis : int
        Of the mesh's frame, pointing up.
    """
    v = mesh.vertices_mm.astype(np.float64)
    a, b, c = (v[mesh.faces[:, n]] for n in range(3))
    doubled = np.cross(b - a, c - a)
    length = np.linalg.norm(doubled, axis=1)
    down = -doubled[:, axis] > length * np.sin(np.radians(limit_deg)) + 1e-12
    highest = np.maximum(np.maximum(a[:, axis], b[:, axis]), c[:, axis])
    on_bed = down & (highest < v[:, axis].min() + _ON_BED_MM)
    hanging = float(length[down & ~on_bed].sum()) / 2
    whole = float(length.sum()) / 2
    return Overhang(hanging, hanging / whole if whole else 0.0, float(length[on_bed].sum()) / 2)
