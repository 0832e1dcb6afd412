"""Limbs with a tumour in the muscle, the truth known: where a first click swallows too much.

Each limb is made from its number alone: skin and fat around bundles of muscle with thin,
partly missing sheets of fat between them, a bone with marrow, and a long uneven lump that
lies in the muscle and has nearly its values; part of its border carries a rim of fat.
As CT the values are those of unenhanced low-dose scans (fat −100, muscle 55, tumour up to
35 HU less, noise of 12 to 30 HU that hangs together over a voxel); as MR those of T1.
Cut 50 mm around the lump, as scans for research often are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from medrecon.core import Acquisition, Geometry, Modality, Volume

Floats = np.ndarray
AROUND_MM = 50.0


@dataclass(frozen=True)
class Values:
    """Of tissues: HU, or a T1 signal in parts of fat's 900."""

    air: float
    fat: float
    muscle: float
    cortex: float
    marrow: float
    tumour: tuple[float, float]
    texture: float
    noise: tuple[float, float]
    spacing_mm: tuple[tuple[float, float, float], ...]
    modality: Modality


CT = Values(
    *(-1000.0, -100.0, 55.0, 900.0, -40.0),
    tumour=(-35.0, 5.0),
    texture=6.0,
    noise=(12.0, 30.0),
    spacing_mm=((0.98, 0.98, 3.27), (0.98, 0.98, 2.0)),
    modality=Modality.CT,
)
MR = Values(
    *(20.0, 900.0, 300.0, 60.0, 800.0),
    tumour=(-40.0, 70.0),
    texture=18.0,
    noise=(12.0, 35.0),
    spacing_mm=((0.98, 0.98, 3.27), (0.7, 0.7, 5.0)),
    modality=Modality.MR,
)


def limb(number: int, values: Values) -> tuple[Volume, np.ndarray]:
    """Image and truth of one limb."""
    rng = np.random.default_rng([number, int(values is CT), 7])
    spacing = np.array(values.spacing_mm[number % len(values.spacing_mm)])
    radius = rng.uniform(16, 42)
    semi = radius * np.array([1.0, rng.uniform(1.0, 1.5), rng.uniform(1.1, 2.1)])
    half = 1.1 * semi + AROUND_MM
    shape = np.ceil(2 * half / spacing).astype(int)
    axes = [(np.arange(n) - n / 2) * s for n, s in zip(shape, spacing, strict=True)]
    mm = np.stack(np.meshgrid(*axes, indexing="ij"))
    inside = _lump(rng, mm, semi)
    truth = inside > 0
    image = _limb(rng, mm, semi, spacing, values)
    image = _with_rim(rng, image, inside, spacing, values)
    image = np.where(truth, _tumour(rng, inside, spacing, radius, values), image)
    image = gaussian_filter(image, rng.uniform(0.5, 0.8))
    if values.modality is Modality.MR:
        field = _noise(rng, image.shape, 60 / spacing)
        image *= np.exp(rng.uniform(0, 0.08) * field)
    noise = _noise(rng, image.shape, np.array([0.6, 0.6, 0.0]))
    image += rng.uniform(*values.noise) * noise
    grid = Geometry(tuple(int(n) for n in shape), tuple(spacing), tuple(-half))
    array = np.asfortranarray(image.astype(np.float32))
    return Volume(array, grid, Acquisition(values.modality)), truth


def _noise(rng: np.random.Generator, shape: tuple[int, ...], width: Floats) -> Floats:
    field = gaussian_filter(rng.normal(size=shape), width, mode="nearest")
    return field / field.std()


def _lump(rng: np.random.Generator, mm: Floats, semi: Floats) -> Floats:
    """About how far inside, in mm: long in z, leaning by up to 20 degrees, with bumps."""
    lean, turn = np.deg2rad(rng.uniform(-20, 20)), rng.uniform(0, np.pi)
    x = mm[0] - np.tan(lean) * mm[2]
    u = np.stack([np.cos(turn) * x + np.sin(turn) * mm[1], np.cos(turn) * mm[1] - np.sin(turn) * x])
    scaled = np.concatenate([u, mm[2:]]) / semi[:, None, None, None]
    distance = np.sqrt((scaled**2).sum(axis=0))
    unit = scaled / np.maximum(distance, 1e-6)
    bumps = sum(
        np.cos(np.tensordot(rng.normal(0, 2.0, 3), unit, 1) + rng.uniform(0, 6)) for _ in range(4)
    )
    return semi[0] * (1 + rng.uniform(0.02, 0.07) * bumps - distance)


def _limb(
    rng: np.random.Generator, mm: Floats, semi: Floats, spacing: Floats, values: Values
) -> Floats:
    """Without the lump: muscle bundles, sheets of fat between them, bone, fat, air."""
    wide = max(semi[1] * 1.25, 45) + rng.uniform(10, 30)
    off = rng.uniform(-0.5, 0.5, 2) * (wide - semi[0])
    x, y = mm[0] - off[0], mm[1] - off[1]
    out = np.sqrt(x**2 + (y * rng.uniform(0.85, 1.15)) ** 2) + 0.08 * mm[2]
    image = values.muscle + values.texture * _noise(rng, out.shape, 2.0 / spacing)
    image += 0.7 * values.texture * _noise(rng, out.shape, 8.0 / spacing)
    sheets = _sheets(rng, x, y, mm[2], wide)
    present = _noise(rng, out.shape, np.full(3, 12.0) / spacing) > rng.uniform(-0.6, 0.6)
    image = np.where(sheets & present, values.fat, image)
    at = rng.uniform(-0.3, 0.3, 2) * wide
    bone = np.hypot(x - at[0], y - at[1])
    image = np.where(bone < 14, values.cortex, image)
    image = np.where(bone < 9, values.marrow, image)
    image = np.where(out > wide, values.fat, image)
    return np.where(out > wide + rng.uniform(5, 30), values.air, image)


def _sheets(rng: np.random.Generator, x: Floats, y: Floats, z: Floats, wide: float) -> Floats:
    """Where two bundles meet: bundles are cells around axes that run along the limb."""
    count = int(rng.integers(5, 10))
    near = np.full((2, *x.shape), np.inf)
    for _ in range(count):
        place, lean = rng.uniform(-0.8, 0.8, 2) * wide, rng.uniform(-0.1, 0.1, 2)
        d = np.hypot(x - place[0] - lean[0] * z, y - place[1] - lean[1] * z)
        near = np.sort(np.concatenate([near, d[None]]), axis=0)[:2]
    return near[1] - near[0] < rng.uniform(2, 5)


def _with_rim(
    rng: np.random.Generator, image: Floats, inside: Floats, spacing: Floats, values: Values
) -> Floats:
    """A rim of fat on part of the lump's border."""
    part = _noise(rng, inside.shape, np.full(3, 15.0) / spacing) > rng.uniform(-0.3, 1.0)
    return np.where((inside > -rng.uniform(1, 3)) & part, values.fat, image)


def _tumour(
    rng: np.random.Generator, inside: Floats, spacing: Floats, radius: float, values: Values
) -> Floats:
    """Nearly muscle's values, uneven, with a core of other values."""
    level = values.muscle + rng.uniform(*values.tumour)
    core = rng.uniform(-1.5, 1.5) * values.texture * (inside > rng.uniform(0.4, 0.7) * radius)
    fine = values.texture * _noise(rng, inside.shape, 2.0 / spacing)
    return level + core + fine + values.texture * _noise(rng, inside.shape, 0.3 * radius / spacing)
