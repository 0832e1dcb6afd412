"""Airway, aorta, heart and lungs of a synthetic person, in the torso's own frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medrecon.core.geometry import Triple
from medrecon.phantom.draw import Draw
from medrecon.phantom.primitives import FAR_MM, capsule, ellipsoid, rotation_about
from medrecon.phantom.ring import half_ring
from medrecon.phantom.solid import Solid, difference, intersection, triple, union
from medrecon.phantom.trunk import Trunk


@dataclass(frozen=True, slots=True, eq=False)
class Mediastinum:
    """What lies between the lungs.

    Parameters
    ----------
    airway : Solid
        Lumen of trachea and main bronchi, reaching into the lungs.
    aorta, heart, middle : Solid
        `middle` is what keeps the lungs apart.
    landmarks_mm : dict of str to point
    """

    airway: Solid
    aorta: Solid
    heart: Solid
    middle: Solid
    landmarks_mm: dict[str, Triple]


def draw_mediastinum(d: Draw) -> Mediastinum:
    """Airway, aorta and heart; the aorta passes left of the trachea, over the left bronchus."""
    carina = d.point((-6, 15, 60), 3)
    ends = (d.point((-62, 16, 24), 3), d.point((64, -12, 22), 3))
    lumen = _airway(carina, ends, (d.about(8, 0.8), d.about(6.6, 0.5), d.about(6.0, 0.5)))
    arch, lower = d.point((26, 31, 78), 2), d.point((11, 20, -170), 2)
    aorta = _aorta(arch, d.point((7, -38, 78), 2), lower, d.about(11.2, 1.2))
    turned = rotation_about((0, 0, 1), 35)
    heart = ellipsoid(d.point((24, -30, -4), 4), d.sizes((48, 38, 52), 0.06), turned)
    middle = ellipsoid((0, 6, 40), (d.about(36, 3), 86, 230), np.eye(3))
    points = {"carina": carina, "aortic_arch_left_end": arch}
    return Mediastinum(lumen, aorta, heart, middle, points)


def lung(side: float, trunk: Trunk, inside: Mediastinum, kidney: Solid) -> Solid:
    """One lung: its half of the chest, minus what bulges into it. `side` +1 is the left."""
    low, high = (0.0, FAR_MM) if side > 0 else (-FAR_MM, 0.0)
    half = Solid(lambda x, y, z: side * x - 6.0, (low, -FAR_MM, -FAR_MM), (high, FAR_MM, FAR_MM))
    room = intersection(trunk.above_diaphragm(2.5), half, blend_mm=6.0)
    bulges = (
        inside.middle,
        inside.heart.offset(3),
        inside.aorta.offset(3),
        trunk.spine.bone().offset(3),
        kidney.offset(5),
    )
    return difference(room, *bulges, blend_mm=7.0)


def _airway(carina: Triple, ends: tuple[Triple, Triple], radii: Triple) -> Solid:
    """Trachea (out of the range above) and two main bronchi; ends and radii right, left."""
    x, y, _ = carina
    trachea = capsule((x + 2, y - 4, 400.0), carina, radii[0])
    right, left = (capsule(carina, end, r) for end, r in zip(ends, radii[1:], strict=True))
    return union(trachea, right, left, blend_mm=5.0)


def _aorta(top: Triple, ascending: Triple, descending: Triple, radius_mm: float) -> Solid:
    """Ascending aorta, arch and descending aorta, running out of the range below.

    `top` and `ascending` are the ends of the arch, `descending` a point far below.
    """
    down = np.subtract(descending, top)
    down = down / np.linalg.norm(down)
    across = np.subtract(ascending, top)
    across = across - (across @ down) * down
    bend = float(np.linalg.norm(across)) / 2
    across = across / (2 * bend)
    middle = np.asarray(top) + bend * across
    root = middle + bend * across
    arch = half_ring(triple(middle), triple(across), triple(down), (bend, radius_mm))
    behind = capsule(top, triple(np.asarray(top) + 400 * down), radius_mm)
    before = capsule(triple(root), triple(root + 48 * down), radius_mm * 1.08)
    return union(arch, behind, before, blend_mm=2.0)
