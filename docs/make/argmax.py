"""Draws why-never-an-argmax.md's picture: one disc as voxels see it, and as their values do."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import svg

TARGET = Path(__file__).parents[1] / "images"
SIZE, COUNT = 26.0, 12
CENTRE, RADIUS = (5.62, 5.41), 4.13


def pictures() -> dict[str, str]:
    """The drawing by its file name."""
    inside = _share_inside()
    left = [*_voxels(inside, 30), *_stairs(inside, 30), _truth(30)]
    right = [*_voxels(inside, 400), _truth(400), *_crossings(inside, 400)]
    words = [
        svg.text((30, 384), "argmax: the edge is where voxels end", svg.RED, 15),
        svg.text((400, 384), "values: where they pass one half", svg.BLUE, 15),
        svg.text((30, 30), f"disc of radius {RADIUS} voxels (thin line: the truth)", size=15),
    ]
    return {
        "argmax.svg": svg.page(740, 400, "A disc by argmax and by values", left + right + words)
    }


def _share_inside() -> np.ndarray:
    """How much of each voxel the disc covers, from 16 x 16 points in it."""
    sub = (np.arange(COUNT * 16) + 0.5) / 16 - 0.5
    filled = np.hypot(sub[:, None] - CENTRE[0], sub[None] - CENTRE[1]) < RADIUS
    return filled.reshape(COUNT, 16, COUNT, 16).mean(axis=(1, 3))


def _at(i: float, j: float, x: float) -> svg.Point:
    return x + (i + 0.5) * SIZE, 45 + (j + 0.5) * SIZE


def _voxels(share: np.ndarray, x: float) -> list[str]:
    cells = []
    for (i, j), value in np.ndenumerate(share):
        grey = round(250 - 110 * float(value))
        corner = _at(i - 0.5, j - 0.5, x)
        cells.append(svg.box(*corner, SIZE, SIZE, f"#{grey:02x}{grey:02x}{grey:02x}", "#ffffff"))
    return cells


def _truth(x: float) -> str:
    return svg.ring(_at(*CENTRE, x), RADIUS * SIZE, svg.INK, 1)


def _stairs(share: np.ndarray, x: float) -> list[str]:
    """The edges between voxels that are mostly inside and others."""
    mask = np.pad(share > 0.5, 1)
    lines = []
    for i, j in np.argwhere(mask[:-1] != mask[1:]):
        lines.append(svg.line(_at(i - 0.5, j - 1.5, x), _at(i - 0.5, j - 0.5, x), svg.RED, 3))
    for i, j in np.argwhere(mask[:, :-1] != mask[:, 1:]):
        lines.append(svg.line(_at(i - 1.5, j - 0.5, x), _at(i - 0.5, j - 0.5, x), svg.RED, 3))
    return lines


def _crossings(share: np.ndarray, x: float) -> list[str]:
    """Where the values pass one half between neighbouring centres, around the disc."""
    found = []
    for axis, (di, dj) in enumerate([(1, 0), (0, 1)]):
        a = share[:-1] if axis == 0 else share[:, :-1]
        b = share[1:] if axis == 0 else share[:, 1:]
        for i, j in np.argwhere((a > 0.5) != (b > 0.5)):
            part = float((0.5 - a[i, j]) / (b[i, j] - a[i, j]))
            found.append((float(i + di * part), float(j + dj * part)))
    found.sort(key=lambda p: math.atan2(p[1] - CENTRE[1], p[0] - CENTRE[0]))
    points = [_at(*p, x) for p in [*found, found[0]]]
    return [svg.path(points, svg.BLUE, 2), *(svg.dot(p, 3, svg.BLUE) for p in points[:-1])]


if __name__ == "__main__":
    for name, drawn in pictures().items():
        (TARGET / name).write_text(drawn, "utf-8")
