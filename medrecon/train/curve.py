"""The training curve as a table and as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from medrecon.train.options import TrainOptions
from medrecon.train.state import Curve

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 360, 48, 32


def write_curve(curve: Curve, options: TrainOptions, folder: Path) -> None:
    """Write ``curve.csv`` (one row a validation) and ``curve.svg`` (Dice over steps)."""
    columns = ["step", "loss", "learning_rate", *(f"dice_{x.name}" for x in options.labels)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in curve:
        writer.writerow([f"{row[c]:.6g}" if c in row else "" for c in columns])
    (folder / "curve.csv").write_text(text.getvalue(), "utf-8")
    (folder / "curve.svg").write_text(_svg(curve, options), "utf-8")


def _svg(curve: Curve, options: TrainOptions) -> str:
    last = max(float(options.schedule.steps), 1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 130} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH + 130}" height="{HEIGHT}" fill="white"/>',
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(tick)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}">steps (of {last:.0f})</text>')
    for number, label in enumerate(options.labels):
        name = f"dice_{label.name}"
        points = [(row["step"] / last, row[name]) for row in curve if name in row]
        colour = "#{:02x}{:02x}{:02x}".format(*label.color)
        parts.append(_line(points, colour))
        y = 24 + 18 * number
        parts.append(f'<text x="{WIDTH + 10}" y="{y}" fill="{colour}">{label.name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    where = " ".join(f"{LEFT + x * (WIDTH - LEFT):.1f},{_y(y):.1f}" for x, y in points)
    return f'<polyline points="{where}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _y(dice: float) -> float:
    return HEIGHT - BOTTOM - dice * (HEIGHT - BOTTOM - 12)
