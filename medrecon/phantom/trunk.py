"""Body, chest wall, skeleton and diaphragm of a synthetic person.

The torso's own frame is in mm along the LPS axes, x = 0 in the midline, z = 0 near the
heart's base.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from medrecon.phantom.diaphragm import Diaphragm
from medrecon.phantom.draw import Draw
from medrecon.phantom.primitives import dome, half_space
from medrecon.phantom.skeleton import RibCage, Spine
from medrecon.phantom.solid import Solid, intersection

# y on which a person of nominal size lies.
BACK_MM = 119.0
# Degrees from the back's midline at which ribs 1 to 12 end; 11 and 12 float.
RIB_REACH_DEGREES = (126, 134, 139, 142, 143, 142, 139, 132, 124, 114, 92, 70)


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """Body, chest wall and what they leave for the organs.

    Parameters
    ----------
    body : Solid
        The person's outside.
    fat_mm : float
        Depth of the muscle below the skin.
    wall : Solid
        The dome on whose surface the ribs lie.
    spine, ribs, sternum, diaphragm
        The frame.
    """

    body: Solid
    fat_mm: float
    wall: Solid
    spine: Spine
    ribs: RibCage
    sternum: Solid
    diaphragm: Diaphragm

    @property
    def chest(self) -> Solid:
        """The inside of the chest wall."""
        return self.wall.offset(-(self.ribs.half_thickness_mm + 2.5))

    def above_diaphragm(self, gap_mm: float) -> Solid:
        """The room for the lungs, off the diaphragm by that gap."""
        return intersection(self.chest, self.diaphragm.above(gap_mm), blend_mm=8.0)

    def below_diaphragm(self, gap_mm: float) -> Solid:
        """The room for the belly's organs, off its walls by that gap."""
        room = self.chest.offset(-gap_mm)
        return intersection(room, self.diaphragm.below(gap_mm), blend_mm=5.0)


def draw_trunk(d: Draw) -> Trunk:
    """Body, chest wall, skeleton and diaphragm."""
    half_width, half_depth = d.about(128, 7), d.about(84, 4)
    squareness, taper = d.about(0.42, 0.1), d.about(0.05, 0.03)
    wall = dome(
        (0, 0, 22),
        (half_width, half_depth, 136),
        squareness=squareness,
        top_squareness=0.7,
        taper=taper,
    )
    fat = d.about(15, 4)
    girth = 13.2 + fat
    outline = dome(
        (0, 6, 60),
        (half_width + girth + 3, half_depth + girth + 12, 200),
        squareness=squareness + 0.08,
        top_squareness=0.6,
        taper=taper,
    )
    body = intersection(outline, half_space((0, 1, 0), BACK_MM), blend_mm=14.0)
    pitch, first = d.about(23.2, 0.8), d.about(126, 3)
    spine = _draw_spine(d, pitch, first)
    ribs = _draw_ribs(d, wall, tuple(first - 2 - n * pitch for n in range(12)), half_depth)
    sternum = ribs.sternum(d.about(18, 2), d.about(88, 5), d.about(-62, 6))
    diaphragm = Diaphragm(d.about(-20, 6), d.about(-34, 6), d.about(62, 8), half_width, half_depth)
    return Trunk(body, fat, wall, spine, ribs, sternum, diaphragm)


def _draw_spine(d: Draw, pitch: float, first: float) -> Spine:
    """Vertebrae from 3 above T1 to 8 below T12; lumbar ones are taller."""
    above = [first + n * 0.9 * pitch for n in (3, 2, 1)]
    chest = [first - n * pitch for n in range(12)]
    lumbar = [chest[-1] - (n + 0.9) * 1.25 * pitch for n in range(8)]
    return Spine(
        centres_mm=(*above, *chest, *lumbar),
        disc_mm=d.about(6, 0.8),
        half_width_mm=d.about(17.5, 1.2),
        half_depth_mm=d.about(14.5, 1),
        middle_y_mm=d.about(57, 2),
        kyphosis_mm=d.about(6, 3),
        scoliosis_mm=d.about(0, 5),
    )


def _draw_ribs(d: Draw, wall: Solid, levels_mm: tuple[float, ...], half_depth_mm: float) -> RibCage:
    angles = [math.radians(reach + d.about(0, 3)) for reach in RIB_REACH_DEGREES]
    return RibCage(
        wall=wall,
        levels_mm=levels_mm,
        reach=tuple((math.sin(a), math.cos(a)) for a in angles),
        slope=d.about(0.34, 0.05),
        back_mm=half_depth_mm,
        half_thickness_mm=d.about(5.0, 0.3),
        half_height_mm=d.about(7.2, 0.4),
    )
