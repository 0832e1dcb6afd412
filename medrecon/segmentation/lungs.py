"""Lungs and airway as soft fields: left and right apart, the airway for itself.

A lung is filled: vessels up to about 6 mm belong to it, the hilum's larger ones, the
airway and its wall do not.
"""

from __future__ import annotations

import numpy as np

from medrecon.core import SoftField, Volume
from medrecon.segmentation.airspaces import (
    AIRWAY,
    LEFT,
    RIGHT,
    AirBlocks,
    find_airway,
    find_lungs,
    spaces_of,
    widened,
    with_vessels,
)
from medrecon.segmentation.body import Body, body_blocks, body_box
from medrecon.segmentation.fields import Box, place_field
from medrecon.segmentation.found import Found
from medrecon.segmentation.morphology import erode, radii_for
from medrecon.segmentation.orientation import PatientAxes
from medrecon.segmentation.pooling import Array, Factors, Mask, factors_for, pool_max, spread
from medrecon.segmentation.presets import TissuePreset, preset

NAMES = {"lung_left": LEFT, "lung_right": RIGHT, "airway": AIRWAY}


def find_air(volume: Volume, body: Body) -> dict[str, Found]:
    """Fields of both lungs and the airway, or for each the reason why there is none."""
    box = body_box(body, volume)
    if box is None:
        return {name: Found(None, ("no patient in the image",)) for name in NAMES}
    hu = volume.array.T[box]
    kji = (volume.geometry.spacing_mm[2], *volume.geometry.spacing_mm[1::-1])
    factors = factors_for(kji, preset("airway").mm("block"))
    axes = PatientAxes.of(volume.geometry)
    k, j, i = (n * mm for n, mm in zip(factors, kji, strict=True))
    depth = radii_for((k, j, i), preset("lungs").mm("depth"))
    inside = erode(body_blocks(body, box, factors, hu.shape), depth)
    blocks = AirBlocks(
        highest_hu=axes.turned(pool_max(hu, factors)),
        middle_hu=axes.turned(_middles(hu, factors)),
        inside=axes.turned(inside),
        size_mm=axes.sizes((k, j, i)),
    )
    airway = find_airway(blocks, find_lungs(blocks, preset("lungs")), preset("airway"))
    lungs = find_lungs(blocks, preset("lungs"), airway)
    spaces = spaces_of(lungs, airway, blocks, preset("lungs"))
    return {
        name: _found(name, (spaces, blocks, axes), (volume, hu, box, factors)) for name in NAMES
    }


def _middles(hu: Array, factors: Factors) -> Array:
    """One voxel of each block, its middle: enough for means over components."""
    pick = tuple(slice(min(f // 2, n - 1), None, f) for f, n in zip(factors, hu.shape, strict=True))
    middle = hu[pick]
    short = [(0, -(-n // f) - m) for n, f, m in zip(hu.shape, factors, middle.shape, strict=True)]
    return np.pad(middle, short, mode="edge")


def _found(
    name: str,
    where: tuple[Array, AirBlocks, PatientAxes],
    image: tuple[Volume, Array, Box, Factors],
) -> Found:
    spaces, blocks, axes = where
    number = NAMES[name]
    if not (spaces == number).any():
        return Found(None, ("none in the image, or too little of it to tell",))
    numbers = preset("airway" if number == AIRWAY else "lungs")
    core = spaces == number
    if number != AIRWAY:
        core = with_vessels(spaces, number, blocks, numbers)
    near = widened(spaces, blocks) == number
    field = _field(name, axes.back(near | core), axes.back(core), image, numbers)
    return Found(field)


def _field(
    name: str,
    near: Mask,
    core: Mask,
    image: tuple[Volume, Array, Box, Factors],
    numbers: TissuePreset,
) -> SoftField:
    """Field of the air near the space, and all of its core."""
    volume, hu, box, factors = image
    level = numbers.hu("level")
    inside = hu < level
    inside &= spread(near, factors, hu.shape)
    inside |= spread(core, factors, hu.shape)
    return place_field(name, volume, (inside, box), int(level), dark=True)
