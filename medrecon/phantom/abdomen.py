"""Liver, kidneys, tumour and their neighbours of a synthetic person, in the torso's own frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medrecon.core.geometry import Triple
from medrecon.phantom.draw import Draw
from medrecon.phantom.primitives import capsule, ellipsoid, rotation_about, sphere
from medrecon.phantom.solid import Solid, difference, intersection, triple, union
from medrecon.phantom.trunk import Trunk

# Sign of x towards the midline.
MEDIAL = {"left": -1.0, "right": 1.0}
# Where loops of bowel lie: x and z.
BOWEL_MM = ((-62, -158), (-18, -140), (28, -136), (70, -150), (2, -186), (48, -190), (-45, -200))


@dataclass(frozen=True, slots=True, eq=False)
class Kidneys:
    """Both kidneys, whole, and the tumour that grows out of one.

    Parameters
    ----------
    whole : mapping of str to Solid
        "left" and "right", as if there were no tumour.
    tumor : Solid
    tumor_side : str
    centres_mm : mapping of str to point
        Of the kidneys.
    tumor_center_mm : tuple of float
    """

    whole: Mapping[str, Solid]
    tumor: Solid
    tumor_side: str
    centres_mm: Mapping[str, Triple]
    tumor_center_mm: Triple


@dataclass(frozen=True, slots=True, eq=False)
class Abdomen:
    """The belly's organs besides the kidneys; only the liver has a stated truth."""

    liver: Solid
    spleen: Solid
    stomach: Solid
    bowel: Solid
    cava: Solid


def draw_kidneys(d: Draw, trunk: Trunk) -> Kidneys:
    """Two kidneys behind, the right one lower, and a tumour of 9 to 13 mm radius in one."""
    centres = {"left": d.point((62, 41, -104), 4), "right": d.point((-62, 41, -114), 4)}
    semi = {side: d.sizes((25, 21, 47), 0.08) for side in MEDIAL}
    room = trunk.chest.offset(-4)
    whole = {
        side: intersection(
            _bean(centres[side], semi[side], d.about(11, 4), MEDIAL[side]), room, blend_mm=4.0
        )
        for side in MEDIAL
    }
    side = d.side()
    (x, y, z), (a, b, c) = centres[side], semi[side]
    outward = (x - 0.5 * MEDIAL[side] * a, y - 0.62 * b, z + d.about(0, 0.45 * c))
    middle = d.point(outward, 2.5)
    radius = d.about(11, 1.3)
    tumor = ellipsoid(middle, d.sizes((radius, radius, radius), 0.07), d.turn(90))
    return Kidneys(whole, tumor, side, centres, middle)


def draw_abdomen(d: Draw, trunk: Trunk, kidneys: Kidneys, aorta: Solid) -> Abdomen:
    """Liver on the right below the diaphragm, spleen and stomach on the left, bowel below."""
    # Fat of 3.5 mm between organs and wall: their surfaces stay measurable everywhere.
    room = trunk.below_diaphragm(5.0)
    cava = capsule((-19, 30, -400), (-16, 8, -20), d.about(10, 1))
    renal = union(*kidneys.whole.values(), kidneys.tumor).offset(4)
    column = trunk.spine.discs().offset(7)
    lobes = union(
        ellipsoid(d.point((-58, -16, -70), 4), d.sizes((72, 66, 66), 0.06), d.turn(12)),
        ellipsoid(d.point((8, -34, -58), 4), d.sizes((58, 36, 30), 0.08), d.turn(12)),
        blend_mm=22.0,
    )
    cutters = (renal, column, aorta.offset(4), cava.offset(1.5))
    liver = difference(intersection(lobes, room, blend_mm=6.0), *cutters, blend_mm=5.0)
    spleen = ellipsoid(d.point((94, 26, -76), 3), d.sizes((20, 40, 42), 0.1), d.turn(10))
    stomach = ellipsoid(d.point((52, -28, -76), 5), d.sizes((36, 36, 40), 0.1), d.turn(20))
    loops = [
        ellipsoid(d.point((x, -22, z), 8), d.sizes((24, 30, 22), 0.25), d.turn(60))
        for x, z in BOWEL_MM
    ]
    between = (lobes.offset(3), spleen.offset(3))
    return Abdomen(
        liver,
        difference(intersection(spleen, room, blend_mm=4.0), renal, blend_mm=4.0),
        difference(intersection(stomach, room, blend_mm=4.0), *between, renal, blend_mm=4.0),
        difference(intersection(union(*loops), room), *between, stomach.offset(3), renal),
        cava,
    )


def _bean(centre: Triple, semi_axes: Triple, lean_degrees: float, medial: float) -> Solid:
    """A kidney: upper pole towards the spine, hilum facing the midline and the front."""
    lean = rotation_about((0, 1, 0), medial * lean_degrees)
    turn = lean @ rotation_about((0, 0, 1), -medial * 25.0)
    width = semi_axes[0]
    towards = turn @ np.array([medial * 1.15 * width, 0, 0])
    hilum = sphere(triple(np.asarray(centre) + towards), 0.62 * width)
    return difference(ellipsoid(centre, semi_axes, turn), hilum, blend_mm=9.0)
