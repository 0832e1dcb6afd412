"""Lumps to grow with the truth known: small and large, in tissue that makes it hard.

Each case is made from its number alone: an irregular ellipsoid in muscle, fat and bright
tubes that touch it; texture, a core of other values, blur, noise, a bias field; voxels
of CT and of thick MR slices. `small` ones have radii of 5 to 15 mm, `large` ones 18 to 45;
`hidden` ones are large and lie in muscle of nearly their own values.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import gaussian_filter

from medrecon.core import Acquisition, Geometry, Modality, Volume

Floats = np.ndarray
SPACINGS_MM = ((1.0, 1.0, 1.0), (0.8, 0.8, 3.0), (1.9, 1.9, 1.9), (1.0, 1.0, 4.0))
FAT, MUSCLE, BRIGHT = 900.0, 350.0, 1300.0
KINDS = ("small", "large", "hidden")


def phantoms(count: int, kind: str) -> Iterator[tuple[str, Volume, np.ndarray]]:
    """Name, image and truth of each case."""
    for number in range(count):
        yield f"{kind} {number}", *phantom(number, kind)


def phantom(number: int, kind: str) -> tuple[Volume, np.ndarray]:
    """Image and truth of one case."""
    rng = np.random.default_rng([number, KINDS.index(kind)])
    spacing = np.array(SPACINGS_MM[number % len(SPACINGS_MM)])
    radius = rng.uniform(5, 15) if kind == "small" else rng.uniform(18, 45)
    half = np.full(3, 1.6 * radius + 40)
    shape = np.ceil(2 * half / spacing).astype(int)
    axes = [(np.arange(n) - n / 2) * s for n, s in zip(shape, spacing, strict=True)]
    mm = np.stack(np.meshgrid(*axes, indexing="ij"))
    centre = rng.uniform(-12, 12, 3)
    inside = _lump(rng, mm - centre[:, None, None, None], radius)
    truth = inside > 0
    hidden = kind == "hidden"
    values = _surroundings(rng, mm, spacing, radius, centre, hidden=hidden)
    lump = _tumour(rng, inside, spacing, radius, hidden=hidden)
    values = np.where(truth, lump, values)
    values = gaussian_filter(values, rng.uniform(0.5, 0.9))
    field = gaussian_filter(rng.normal(size=shape), 60 / spacing, mode="nearest")
    values *= np.exp(rng.uniform(0, 0.2) * field / max(np.abs(field).max(), 1e-9))
    values += rng.normal(0, rng.uniform(15, 45), values.shape)
    grid = Geometry(tuple(int(n) for n in shape), tuple(spacing), tuple(-half))
    image = np.asfortranarray(values.astype(np.float32))
    return Volume(image, grid, Acquisition(Modality.MR)), truth


def _lump(rng: np.random.Generator, mm: Floats, radius: float) -> Floats:
    """About how far inside, in mm: an ellipsoid with bumps, turned."""
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    x = np.tensordot(turn, mm, 1) / rng.uniform(0.8, 1.3, 3)[:, None, None, None]
    distance = np.sqrt((x**2).sum(axis=0))
    unit = x / np.maximum(distance, 1e-6)
    bumps = sum(
        np.cos(np.tensordot(rng.normal(0, 2.2, 3), unit, 1) + rng.uniform(0, 6)) for _ in range(4)
    )
    return radius * (1 + rng.uniform(0.03, 0.08) * bumps) - distance


def _noise(rng: np.random.Generator, shape: tuple[int, ...], width: Floats) -> Floats:
    field = gaussian_filter(rng.normal(size=shape), width)
    return field / field.std()


def _surroundings(
    rng: np.random.Generator,
    mm: Floats,
    spacing: Floats,
    radius: float,
    centre: Floats,
    *,
    hidden: bool,
) -> Floats:
    """Bundles of muscle in fat, bright tubes, one of which touches the lump."""
    shape = mm.shape[1:]
    bundles = _noise(rng, shape, np.maximum(9.0, 0.5 * radius) / spacing)
    share = rng.uniform(0.4, 1.0) if hidden else rng.uniform(-0.8, 0.6)
    values = np.where(bundles > share, FAT, MUSCLE)
    for n in range(2):
        along = rng.normal(size=3)
        along /= np.linalg.norm(along)
        aside = np.cross(along, rng.normal(size=3))
        aside *= (radius * 1.05 + (0 if n == 0 else 25)) / np.linalg.norm(aside)
        off = mm - (centre + aside)[:, None, None, None]
        off = off - along[:, None, None, None] * np.tensordot(along, off, 1)
        values = np.where((off**2).sum(axis=0) < rng.uniform(3, 8) ** 2, BRIGHT, values)
    return values + 30 * _noise(rng, shape, 1.5 / spacing) + 25 * _noise(rng, shape, 6 / spacing)


def _tumour(
    rng: np.random.Generator, inside: Floats, spacing: Floats, radius: float, *, hidden: bool
) -> Floats:
    """Near muscle's values or between muscle and fat, uneven, with a core of other values."""
    level = rng.uniform(0.35, 0.75) * (FAT - MUSCLE) + MUSCLE
    level = level if rng.uniform() < 0.6 and not hidden else MUSCLE + rng.uniform(-40, 110)
    core = rng.uniform(-60, 60) * (inside > rng.uniform(0.4, 0.7) * radius)
    texture = 30 * _noise(rng, inside.shape, 1.5 / spacing)
    return level + core + texture + 25 * _noise(rng, inside.shape, 0.2 * radius / spacing)
