"""Draws the house of architecture.md from the layers that `lint-imports` keeps."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import svg

HOME = Path(__file__).parents[2]
TARGET = HOME / "docs" / "images"
WIDTH, HIGH, GAP = 900, 46, 20


def pictures() -> dict[str, str]:
    """The drawing by its file name."""
    settings = tomllib.loads((HOME / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    parts = [
        part
        for n, layer in enumerate(layers)
        for part in _floor(14 + n * (HIGH + GAP), layer, last=n == len(layers) - 1)
    ]
    height = 14 + len(layers) * (HIGH + GAP)
    return {"architecture.svg": svg.page(WIDTH, height, "Rooms by layers", parts)}


def _floor(y: float, layer: str, *, last: bool) -> list[str]:
    rooms = [room.strip().removeprefix("medrecon.") for room in layer.split("|")]
    wide = (WIDTH - 20) / len(rooms)
    parts = []
    for n, room in enumerate(rooms):
        x = 10 + n * wide
        parts += [
            svg.box(x + 3, y, wide - 6, HIGH, svg.PALE, svg.BLUE),
            svg.text((x + wide / 2, y + HIGH / 2 + 5), room, size=14, anchor="middle"),
        ]
    if not last:
        middle = WIDTH / 2
        parts.append(svg.line((middle, y + HIGH + 2), (middle, y + HIGH + GAP - 3), arrow=True))
    return parts


if __name__ == "__main__":
    for name, drawn in pictures().items():
        (TARGET / name).write_text(drawn, "utf-8")
