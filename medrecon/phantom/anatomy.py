"""One synthetic person: every structure's solid, drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medrecon.core.geometry import Triple
from medrecon.phantom.abdomen import Abdomen, Kidneys, draw_abdomen, draw_kidneys
from medrecon.phantom.draw import Draw
from medrecon.phantom.primitives import FAR_MM
from medrecon.phantom.render import Layer
from medrecon.phantom.solid import Array, Solid, difference, smooth_min, union
from medrecon.phantom.thorax import Mediastinum, draw_mediastinum, lung
from medrecon.phantom.trunk import BACK_MM, Trunk, draw_trunk

CORTEX_MM = 2.4


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """Solids of one torso in LPS mm, the person's middle near the origin.

    Parameters
    ----------
    solids : mapping of str to Solid
        By label name, each as its surface would be measured: skin and bone filled,
        a kidney without its tumour; `kidney_*_with_tumor` beside it.
    layers : tuple of Layer
        In painting order.
    landmarks_mm : mapping of str to point
    tumor_side : str
        "left" or "right".
    """

    solids: Mapping[str, Solid]
    layers: tuple[Layer, ...]
    landmarks_mm: Mapping[str, Triple]
    tumor_side: str


@dataclass(frozen=True, slots=True, eq=False)
class _Person:
    """All parts in the torso's own frame."""

    trunk: Trunk
    middle: Mediastinum
    kidneys: Kidneys
    abdomen: Abdomen
    lungs: Mapping[str, Solid]
    airway: Solid
    bones: tuple[Solid, ...]


def draw_anatomy(seed: int) -> Anatomy:
    """The person of that seed: sizes, positions, tilt, contrast, and the tumour's side."""
    d = Draw(seed)
    person = _draw_person(d)
    scale, shift = d.about(1.0, 0.06), (d.about(0, 4), 0.0, 0.0)

    def place(solid: Solid) -> Solid:
        return solid.scaled(scale).moved(shift)

    inside = [Layer(place(y.solid), y.hu, y.inner) for y in _layers(d, person)]
    points = {
        name: (scale * x + shift[0], scale * y, scale * z)
        for name, (x, y, z) in _landmarks(person).items()
    }
    solids = {name: place(s) for name, s in _labelled(person).items()}
    layers = (*_table(BACK_MM * scale), *inside)
    return Anatomy(solids, layers, points, person.kidneys.tumor_side)


def _draw_person(d: Draw) -> _Person:
    trunk = draw_trunk(d)
    middle = draw_mediastinum(d)
    kidneys = draw_kidneys(d, trunk)
    abdomen = draw_abdomen(d, trunk, kidneys, middle.aorta)
    lungs = {
        side: lung(sign, trunk, middle, kidneys.whole[side])
        for side, sign in (("left", 1.0), ("right", -1.0))
    }
    airway = difference(middle.airway, *lungs.values())
    bones = (trunk.ribs.bone(), trunk.spine.bone(), trunk.sternum)
    return _Person(trunk, middle, kidneys, abdomen, lungs, airway, bones)


def _landmarks(p: _Person) -> dict[str, Triple]:
    return {
        **p.middle.landmarks_mm,
        "kidney_left_center": p.kidneys.centres_mm["left"],
        "kidney_right_center": p.kidneys.centres_mm["right"],
        "tumor_center": p.kidneys.tumor_center_mm,
    }


def _labelled(p: _Person) -> dict[str, Solid]:
    """Every structure whose truth is stated."""
    tumor = p.kidneys.tumor
    solids = {
        "skin": p.trunk.body,
        "bone": union(*p.bones),
        "lung_left": p.lungs["left"],
        "lung_right": p.lungs["right"],
        "airway": p.airway,
        "liver": p.abdomen.liver,
        "tumor": tumor,
        "aorta": p.middle.aorta,
    }
    for side, kidney in p.kidneys.whole.items():
        ill = side == p.kidneys.tumor_side
        solids[f"kidney_{side}"] = difference(kidney, tumor) if ill else kidney
        solids[f"kidney_{side}_with_tumor"] = union(kidney, tumor) if ill else kidney
    return solids


def _layers(d: Draw, p: _Person) -> list[Layer]:
    """What fills the body, from the skin inwards; HU of a portal-venous contrast CT."""
    hu = d.about
    fat, muscle, lung_hu = hu(-102, 6), hu(52, 6), hu(-850, 20)
    cartilage = p.trunk.ribs.cartilage(16.0)
    wall = difference(p.airway.offset(1.8), *p.lungs.values())
    return [
        Layer(p.trunk.body, 25.0, ((2.0, fat), (p.trunk.fat_mm, muscle))),
        Layer(p.trunk.below_diaphragm(1.5), fat),
        Layer(_psoas(p.trunk), muscle),
        Layer(p.middle.heart, hu(130, 15)),
        *(Layer(lung, lung_hu) for lung in p.lungs.values()),
        Layer(p.abdomen.bowel, hu(40, 12)),
        Layer(p.abdomen.stomach, hu(30, 12)),
        Layer(p.abdomen.spleen, hu(122, 10)),
        Layer(p.abdomen.liver, hu(108, 10)),
        Layer(p.abdomen.cava, hu(150, 15)),
        Layer(p.middle.aorta, hu(310, 25)),
        *(Layer(kidney, hu(180, 12)) for kidney in p.kidneys.whole.values()),
        Layer(p.kidneys.tumor, hu(75, 12)),
        Layer(wall, 40.0),
        Layer(p.airway, -1000.0),
        Layer(cartilage, 105.0),
        Layer(p.trunk.spine.discs(), 85.0),
        Layer(p.trunk.spine.canal(), 30.0),
        *(Layer(bone, hu(1200, 60), ((CORTEX_MM, hu(300, 40)),)) for bone in p.bones),
    ]


def _psoas(trunk: Trunk) -> Solid:
    """Muscle on both sides of the lumbar spine."""
    spine = trunk.spine

    def field(x: Array, y: Array, z: Array) -> Array:
        ax, ay = spine.axis(z)
        side, back = np.abs(x - ax) - 29, y - ay - 4
        down = np.clip((-80 - z) / 60, 0, 1)
        depth: Array = 17 * down - np.sqrt(side * side + back * back * 0.7)
        return depth

    return Solid(field, (-60.0, 25.0, -FAR_MM), (60.0, 100.0, -75.0))


def _table(back_mm: float) -> tuple[Layer, ...]:
    """Foam mattress, carbon shell and its foam core; the back rests at `back_mm`."""

    def slab(half_width: float, top: float, bottom: float) -> Solid:
        def field(x: Array, y: Array, z: Array) -> Array:
            sag = 0.00035 * x * x
            inside = smooth_min(y - (back_mm + top) + sag, (back_mm + bottom) - sag - y, 4.0)
            return smooth_min(inside, half_width - np.abs(x), 6.0)

        low, high = (-half_width, back_mm - 30, -FAR_MM), (half_width, back_mm + bottom, FAR_MM)
        return Solid(field, low, high)

    shell = slab(196.0, 11.0, 36.0)
    return (
        Layer(slab(190.0, 0.0, 12.0), -925.0),
        Layer(shell, 20.0, ((2.2, -890.0),)),
    )
