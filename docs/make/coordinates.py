"""Draws what coordinates.md teaches: the patient's axes, and voxel centres in millimetres."""

from __future__ import annotations

import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import svg

TARGET = Path(__file__).parents[1] / "images"


def pictures() -> dict[str, str]:
    """The drawings by file name."""
    return {"axes.svg": _axes(), "voxels.svg": _voxels(), "oblique.svg": _oblique()}


def _axes() -> str:
    """An axial slice as it is shown, with LPS beside RAS."""
    return svg.page(
        720,
        310,
        "An axial slice seen from the feet: LPS x runs to the patient's left, y to the back",
        [*_slice(190, "LPS: DICOM, medrecon", 1), *_slice(530, "RAS: NIfTI", -1)],
    )


def _slice(x: float, name: str, sign: int) -> list[str]:
    y, far = 165.0, 85.0
    return [
        svg.text((x, 24), name, size=17, anchor="middle"),
        f'<ellipse cx="{x:g}" cy="{y:g}" rx="110" ry="72" fill="{svg.PALE}" stroke="{svg.GREY}"/>',
        svg.box(x - 12, y + 36, 24, 20, "white"),
        svg.text((x, y + 51), "spine", svg.GREY, 9, "middle"),
        svg.text((x, y - 80), "A (front)", svg.GREY, 13, "middle"),
        svg.text((x, y + 92), "P (back)", svg.GREY, 13, "middle"),
        svg.text((x - 118, y + 5), "R", svg.GREY, 16, "end"),
        svg.text((x + 118, y + 5), "L", svg.GREY, 16),
        svg.line((x, y), (x + sign * far, y), svg.RED, 3, arrow=True),
        svg.text((x + sign * far * 0.6, y - 8), "x", svg.RED, 16, "middle"),
        svg.line((x, y), (x, y + sign * 0.38 * far), svg.BLUE, 3, arrow=True),
        svg.text((x - 12, y + sign * 26), "y", svg.BLUE, 16, "middle"),
        svg.ring((x, y), 7),
        svg.line((x - 5, y - 5), (x + 5, y + 5)),
        svg.line((x - 5, y + 5), (x + 5, y - 5)),
        svg.text((x, 290), "z runs to the head, away from you", svg.INK, 13, "middle"),
    ]


def _voxels() -> str:
    """A row of voxels: indices at the centres, edges half a voxel further."""
    left, top, size = 90.0, 70.0, 90.0
    parts = []
    for i in range(5):
        x = left + i * size
        parts += [
            svg.box(x, top, size, size, svg.PALE if i % 2 else "white"),
            svg.dot((x + size / 2, top + size / 2)),
            svg.text((x + size / 2, top + 28), f"i = {i}", size=15, anchor="middle"),
            svg.line((x + size / 2, top + size / 2), (x + size / 2, top + size + 18), svg.BLUE),
            svg.text((x + size / 2, top + size + 34), _mm(i), svg.BLUE, 14, "middle"),
        ]
    edge = left + 5 * size
    return svg.page(
        640,
        270,
        "The index is the voxel's centre; the voxel's edge lies half a spacing further",
        [
            *parts,
            svg.text((left - 12, top + size + 34), "x in mm", svg.BLUE, 14, "end"),
            svg.line((edge, top - 12), (edge, top + size + 18), svg.RED, 2),
            svg.text((edge, top - 20), "edge: -96.4", svg.RED, 14, "middle"),
            svg.text(
                (320, 240),
                "x = -100.0 + 0.8 i",
                size=16,
                anchor="middle",
            ),
        ],
    )


def _mm(i: int) -> str:
    return f"{-100 + 0.8 * i:.1f}"


def _oblique() -> str:
    """A tilted grid: the affine turns indices into millimetres, and the mesh lies in them."""
    turn, step = math.radians(-18), 34.0
    along = (step * math.cos(turn), step * math.sin(turn))
    across = (-along[1], along[0])
    origin = (150.0, 120.0)

    def at(i: float, j: float) -> svg.Point:
        return (
            origin[0] + i * along[0] + j * across[0],
            origin[1] + i * along[1] + j * across[1],
        )

    lines = [svg.line(at(i - 0.5, -0.5), at(i - 0.5, 4.5), svg.GREY, 1) for i in range(9)]
    lines += [svg.line(at(-0.5, j - 0.5), at(7.5, j - 0.5), svg.GREY, 1) for j in range(6)]
    around = [math.tau * n / 90 for n in range(91)]
    middle = at(3.6, 2.1)
    shape = [(middle[0] + 62 * math.cos(a), middle[1] + 48 * math.sin(a)) for a in around]
    return svg.page(
        640,
        360,
        "A tilted grid of voxels, and a surface in the patient's millimetres",
        [
            *lines,
            svg.path(shape, svg.BLUE, 3),
            svg.dot(at(0, 0), 4, svg.RED),
            svg.text((at(0, 0)[0] - 8, at(0, 0)[1] - 10), "origin", svg.RED, 14, "end"),
            svg.line(at(0, 0), at(1, 0), svg.RED, 3, arrow=True),
            svg.text((at(1, 0)[0] + 2, at(1, 0)[1] - 12), "i", svg.RED, 16),
            svg.line(at(0, 0), at(0, 1), svg.RED, 3, arrow=True),
            svg.text((at(0, 1)[0] - 14, at(0, 1)[1] + 10), "j", svg.RED, 16),
            svg.line((60, 320), (160, 320), arrow=True),
            svg.text((168, 325), "x (to the left)"),
            svg.line((60, 320), (60, 240), arrow=True),
            svg.text((70, 250), "z (to the head)"),
            svg.text((480, 300), "the mesh: no grid, only mm", svg.BLUE, 14, "middle"),
        ],
    )


if __name__ == "__main__":
    for name, drawn in pictures().items():
        (TARGET / name).write_text(drawn, "utf-8")
