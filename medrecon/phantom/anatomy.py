"""One synthetic person: every structure's solid, drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medrecon.core.geometry import Triple
from medrecon.phantom.person import BACK_MM, Draw, Organs, Trunk, draw_organs, draw_trunk
from medrecon.phantom.primitives import FAR_MM
from medrecon.phantom.render import Layer
from medrecon.phantom.solid import Array, Solid, difference, intersection, smooth_min, union

CORTEX_MM = {"rib": 1.9, "vertebra": 1.8, "sternum": 1.6}


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


def draw_anatomy(seed: int) -> Anatomy:
    """The person of that seed: sizes, positions, tilt, contrast, and the tumour's side."""
    d = Draw(seed)
    trunk = draw_trunk(d)
    organs = draw_organs(d, trunk)
    scale, shift = d.about(1.0, 0.06), (d.about(0, 4), 0.0, 0.0)

    def place(solid: Solid) -> Solid:
        return solid.scaled(scale).moved(shift)

    bones = _bones(trunk)
    inner = [Layer(place(y.solid), y.hu) for y in _layers(d, trunk, organs, bones)]
    points = {
        name: (scale * x + shift[0], scale * y, scale * z)
        for name, (x, y, z) in organs.landmarks.items()
    }
    solids = {name: place(s) for name, s in _labelled(trunk, organs, bones).items()}
    return Anatomy(solids, (*_table(BACK_MM * scale), *inner), points, organs.tumor_side)


def _bones(trunk: Trunk) -> dict[str, Solid]:
    return {"rib": trunk.ribs.bone(), "vertebra": trunk.spine.bone(), "sternum": trunk.sternum}


def _labelled(trunk: Trunk, organs: Organs, bones: dict[str, Solid]) -> dict[str, Solid]:
    """Every structure whose truth is stated."""
    solids = {
        "skin": trunk.body,
        "bone": union(*bones.values()),
        "lung_left": organs.lung_left,
        "lung_right": organs.lung_right,
        "airway": organs.airway,
        "liver": organs.liver,
        "tumor": organs.tumor,
        "aorta": organs.aorta,
    }
    for side, kidney in organs.kidneys.items():
        ill = side == organs.tumor_side
        solids[f"kidney_{side}"] = difference(kidney, organs.tumor) if ill else kidney
        solids[f"kidney_{side}_with_tumor"] = union(kidney, organs.tumor) if ill else kidney
    return solids


def _layers(d: Draw, trunk: Trunk, organs: Organs, bones: dict[str, Solid]) -> list[Layer]:
    """What fills the body, from the skin inwards."""
    hu = d.about
    fat, muscle, lung = hu(-102, 6), hu(52, 6), hu(-850, 20)
    cavity = intersection(trunk.chest.offset(-1.5), trunk.below_diaphragm.offset(-1.5))
    psoas = _psoas(trunk)
    air = organs.airway
    return [
        Layer(trunk.body, 25.0),
        Layer(trunk.body.offset(-2.0), fat),
        Layer(trunk.body.offset(-trunk.fat_mm), muscle),
        Layer(cavity, fat),
        Layer(psoas, muscle),
        Layer(organs.heart, hu(130, 15)),
        Layer(organs.lung_left, lung),
        Layer(organs.lung_right, lung),
        Layer(organs.bowel, hu(40, 12)),
        Layer(organs.stomach, hu(30, 12)),
        Layer(organs.spleen, hu(122, 10)),
        Layer(organs.liver, hu(108, 10)),
        Layer(organs.cava, hu(150, 15)),
        Layer(organs.aorta, hu(310, 25)),
        *(Layer(organs.kidneys[side], hu(180, 12)) for side in ("left", "right")),
        Layer(organs.tumor, hu(75, 12)),
        Layer(difference(air.offset(1.8), organs.lung_left, organs.lung_right), 40.0),
        Layer(air, -1000.0),
        Layer(trunk.ribs.cartilage(16.0), 105.0),
        Layer(trunk.spine.discs(), 85.0),
        Layer(trunk.spine.canal(), 30.0),
        *(Layer(bone, hu(1200, 60)) for bone in bones.values()),
        *(Layer(bone.offset(-CORTEX_MM[name]), hu(260, 40)) for name, bone in bones.items()),
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
        Layer(shell, 20.0),
        Layer(shell.offset(-2.2), -890.0),
    )
