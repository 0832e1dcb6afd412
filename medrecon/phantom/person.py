"""A person's parts in the torso's own frame (mm, LPS axes): z = 0 near the heart's base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medrecon.core.geometry import Triple
from medrecon.phantom import organs
from medrecon.phantom.primitives import capsule, dome, ellipsoid, half_space, rotation_about
from medrecon.phantom.skeleton import RibCage, Spine
from medrecon.phantom.solid import Solid, difference, intersection, union


class Draw:
    """Uniform draws around a nominal value; the order of the calls is part of a seed's meaning."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 0])

    def about(self, value: float, spread: float) -> float:
        """A number in value ± spread."""
        return float(self._rng.uniform(value - spread, value + spread))

    def point(self, centre: Triple, spread: float) -> Triple:
        """A point in a cube of half-side `spread` around the centre."""
        x, y, z = (self.about(v, spread) for v in centre)
        return x, y, z

    def sizes(self, semi_axes: Triple, fraction: float) -> Triple:
        """Three lengths, each off by at most that fraction."""
        x, y, z = (self.about(v, fraction * v) for v in semi_axes)
        return x, y, z

    def turn(self, degrees: float) -> np.ndarray:
        """A rotation about a random axis by at most that angle."""
        axis = self._rng.uniform(-1, 1, 3) + np.array([0, 0, 1e-3])
        return rotation_about(
            (float(axis[0]), float(axis[1]), float(axis[2])), self.about(0, degrees)
        )

    def side(self) -> str:
        """Left or right, evenly."""
        return "left" if self._rng.random() < 0.5 else "right"


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """Body, chest wall and what they leave for the organs."""

    body: Solid
    fat_mm: float
    wall: Solid
    spine: Spine
    ribs: RibCage
    sternum: Solid
    below_diaphragm: Solid

    @property
    def chest(self) -> Solid:
        """The inside of the chest wall."""
        return self.wall.offset(-(self.ribs.half_thickness_mm + 2.5))


BACK_MM = 119.0
"""y on which a person of nominal size lies."""


def draw_trunk(d: Draw) -> Trunk:
    """Body, chest wall, skeleton and diaphragm."""
    half_width, half_depth = d.about(128, 7), d.about(84, 4)
    squareness, taper = d.about(0.42, 0.1), d.about(0.05, 0.03)
    wall = dome(
        (0, 0, 22),
        (half_width, half_depth, 136),
        squareness=squareness,
        top_squareness=0.95,
        taper=taper,
    )
    fat = d.about(15, 4)
    girth = 4.2 + 9 + fat
    outline = dome(
        (0, 6, 60),
        (half_width + girth + 3, half_depth + girth + 12, 260),
        squareness=squareness + 0.08,
        top_squareness=0.8,
        taper=taper,
    )
    body = intersection(outline, half_space((0, 1, 0), BACK_MM), blend_mm=14.0)
    pitch, first = d.about(23.2, 0.8), d.about(126, 3)
    spine = _draw_spine(d, pitch, first)
    slope = d.about(0.34, 0.05)
    reach = [126, 134, 139, 142, 143, 142, 139, 132, 124, 114, 92, 70]
    angles = [np.radians(a + d.about(0, 3)) for a in reach]
    ribs = RibCage(
        wall=wall,
        levels_mm=tuple(first - 2 - n * pitch for n in range(12)),
        reach=tuple((float(np.sin(a)), float(np.cos(a))) for a in angles),
        slope=slope,
        back_mm=half_depth,
        half_thickness_mm=d.about(4.4, 0.3),
        half_height_mm=d.about(6.8, 0.4),
    )
    sternum = ribs.sternum(d.about(18, 2), d.about(88, 5), d.about(-62, 6))
    diaphragm = organs.Diaphragm(
        d.about(-20, 6), d.about(-34, 6), d.about(62, 8), half_width, half_depth
    )
    return Trunk(body, fat, wall, spine, ribs, sternum, diaphragm.below())


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


@dataclass(frozen=True, slots=True, eq=False)
class Organs:
    """Soft organs; a kidney here is whole, the tumour may stick out of it."""

    airway: Solid
    lung_left: Solid
    lung_right: Solid
    heart: Solid
    mediastinum: Solid
    liver: Solid
    spleen: Solid
    stomach: Solid
    bowel: Solid
    kidneys: dict[str, Solid]
    tumor: Solid
    tumor_side: str
    aorta: Solid
    cava: Solid
    landmarks: dict[str, Triple]


def draw_organs(d: Draw, trunk: Trunk) -> Organs:
    """The organs that fit into the trunk."""
    carina = d.point((-6, 15, 60), 3)
    ends = (d.point((-62, 16, 24), 3), d.point((64, 0, 22), 3))
    radii = (d.about(8, 0.8), d.about(6.6, 0.5), d.about(6.0, 0.5))
    windpipe = organs.airway((carina[0] + 2, carina[1] - 4, 400), carina, ends, radii)
    arch, lower = d.point((24, 31, 78), 2), d.point((10, 24, -170), 2)
    aorta = organs.aorta(arch, d.point((7, -38, 78), 2), lower, d.about(11.2, 1.2))
    heart = ellipsoid(
        d.point((24, -30, -4), 4), d.sizes((48, 38, 52), 0.06), rotation_about((0, 0, 1), 35)
    )
    middle = ellipsoid((0, 6, 40), (d.about(36, 3), 86, 230), np.eye(3))
    above = Solid(lambda x, y, z: -trunk.below_diaphragm.field(x, y, z) - 2.5, *_everywhere())
    room = intersection(trunk.chest, above, blend_mm=8.0)
    cut = (middle, heart.offset(3), aorta.offset(3), trunk.spine.bone().offset(3))
    below = intersection(trunk.chest.offset(-3), trunk.below_diaphragm.offset(-2), blend_mm=5.0)
    kidneys, centres, semi = _draw_kidneys(d)
    side = d.side()
    tumor, tumor_centre = _draw_tumor(d, side, centres[side], semi[side])
    cava = capsule((-19, 30, -400), (-16, 8, -20), d.about(10, 1))
    keep_off = (
        union(kidneys["left"], kidneys["right"], tumor).offset(4),
        trunk.spine.bone().offset(5),
        aorta.offset(4),
        cava.offset(1.5),
    )
    liver = organs.liver(
        ellipsoid(d.point((-58, -10, -72), 4), d.sizes((72, 70, 68), 0.06), d.turn(12)),
        ellipsoid(d.point((8, -34, -58), 4), d.sizes((58, 36, 30), 0.08), d.turn(12)),
        below,
        keep_off,
    )
    spleen = difference(
        intersection(
            ellipsoid(d.point((94, 26, -76), 3), d.sizes((20, 40, 42), 0.1), d.turn(10)),
            below,
            blend_mm=4.0,
        ),
        kidneys["left"].offset(4),
        tumor.offset(4),
        blend_mm=4.0,
    )
    stomach = difference(
        intersection(
            ellipsoid(d.point((52, -28, -76), 5), d.sizes((36, 36, 40), 0.1), d.turn(20)),
            below,
            blend_mm=4.0,
        ),
        liver.offset(3),
        spleen.offset(3),
        *keep_off,
        blend_mm=4.0,
    )
    loops = [
        ellipsoid(d.point((x, -22, z), 8), d.sizes((24, 30, 22), 0.25), d.turn(60))
        for x, z in (
            (-62, -158),
            (-18, -140),
            (28, -136),
            (70, -150),
            (2, -186),
            (48, -190),
            (-45, -200),
        )
    ]
    bowel = difference(
        intersection(union(*loops), below),
        liver.offset(3),
        stomach.offset(3),
        *keep_off,
        blend_mm=3.0,
    )
    lungs = [organs.lung(s, room, cut) for s in (1.0, -1.0)]
    landmarks = {
        "carina": carina,
        "tumor_center": tumor_centre,
        "aorta_arch_left": arch,
        "kidney_left_center": centres["left"],
        "kidney_right_center": centres["right"],
    }
    return Organs(
        difference(windpipe, *lungs),
        lungs[0],
        lungs[1],
        heart,
        middle,
        liver,
        spleen,
        stomach,
        bowel,
        kidneys,
        tumor,
        side,
        aorta,
        cava,
        landmarks,
    )


def _everywhere() -> tuple[Triple, Triple]:
    far = float("inf")
    return (-far, -far, -far), (far, far, far)


def _draw_kidneys(d: Draw) -> tuple[dict[str, Solid], dict[str, Triple], dict[str, Triple]]:
    centres = {"left": d.point((60, 42, -104), 4), "right": d.point((-60, 43, -114), 4)}
    semi = {side: d.sizes((25, 21, 47), 0.08) for side in ("left", "right")}
    lean = {side: d.about(11, 4) for side in ("left", "right")}
    kidneys = {
        side: organs.kidney(centres[side], semi[side], lean[side], -1.0 if side == "left" else 1.0)
        for side in ("left", "right")
    }
    return kidneys, centres, semi


def _draw_tumor(d: Draw, side: str, centre: Triple, semi: Triple) -> tuple[Solid, Triple]:
    """A mass on the kidney's outer front, half of it outside."""
    out = 1.0 if side == "left" else -1.0
    radius = d.about(10, 1.6)
    x, y, z = d.point((centre[0] + out * 0.5 * semi[0], centre[1] - 0.62 * semi[1], centre[2]), 3)
    z += d.about(0, 0.45 * semi[2])
    middle = (x, y, z)
    return ellipsoid(middle, d.sizes((radius, radius, radius), 0.08), d.turn(90)), middle
