"""Text and a scale bar as flat shapes, drawn with a round pen."""

from __future__ import annotations

import itertools
import tomllib
from functools import cache
from importlib import resources

from manifold3d import CrossSection, JoinType, OpType

from medrecon.errors import UsageError

Stroke = tuple[tuple[float, float], ...]

_HEIGHT, _WIDTH, _ADVANCE = 6.0, 4.0, 6.0
"""Of a letter in the font's units, and the step to the next one."""

PEN = 1.0
"""Width of the pen in the font's units: a sixth of the height, the gap twice as wide."""

_LINE = 1.7
"""Step between lines, in letter heights."""

_ROUND = 16
"""Sides of the pen's tip."""

_TICK = 0.5
"""Height of the scale bar's ends, in letter heights."""


@cache
def strokes() -> dict[str, tuple[Stroke, ...]]:
    """Every letter's strokes."""
    text = resources.files("medrecon.presets").joinpath("stroke_font.toml").read_text("utf-8")
    return {letter: _parsed(row) for letter, row in tomllib.loads(text)["strokes"].items()}


def _parsed(row: str) -> tuple[Stroke, ...]:
    lines = [line.split() for line in row.split("|") if line.strip()]
    pairs = [[point.split(",") for point in line] for line in lines]
    return tuple(tuple((float(x), float(y)) for x, y in line) for line in pairs)


def pen_mm(height_mm: float) -> float:
    """Width of a stroke in letters of a height."""
    return PEN * height_mm / _HEIGHT


def drawn_lines(
    lines: tuple[str, ...],
    height_mm: float,
    scale_bar_mm: float | None,
    *,
    least_ridge_mm: float = 0.0,
) -> CrossSection:
    """Lines of text above one another, the scale bar below them, all about the origin.

    Parameters
    ----------
    lines : tuple of str
    height_mm : float
        Of a letter.
    scale_bar_mm : float or None
    least_ridge_mm : float
        Gaps between strokes that are narrower, as in the corners of an M, are filled:
        what would be left standing there could not be printed.

    Raises
    ------
    UsageError
        If a letter is not in the font, or there is nothing to draw.
    """
    rows = [_text(line, height_mm) for line in lines if line.strip()]
    if scale_bar_mm is not None:
        rows.append(_bar(scale_bar_mm, height_mm))
    if not rows:
        raise UsageError("nothing to engrave")
    placed = []
    for n, row in enumerate(rows):
        low_x, _, high_x, _ = row.bounds()
        placed.append(row.translate((-(low_x + high_x) / 2, -n * _LINE * height_mm)))
    whole = CrossSection.batch_boolean(placed, OpType.Add)
    if least_ridge_mm > 0:
        half = least_ridge_mm / 2
        for step in (half, -half):
            whole = whole.offset(step, JoinType.Round, circular_segments=4 * _ROUND)
    low_x, low_y, high_x, high_y = whole.bounds()
    return whole.translate((-(low_x + high_x) / 2, -(low_y + high_y) / 2))


def check_letters(text: str) -> None:
    """Refuse a text that the font cannot write.

    Raises
    ------
    UsageError
        If a letter is not in the font.
    """
    known = strokes()
    unknown = sorted(set(text.upper()) - set(known))
    if unknown:
        raise UsageError(
            f"{' '.join(unknown)} cannot be engraved; letters A to Z, digits and - _ . , : / + = # "
            "( ) can"
        )


def _text(text: str, height_mm: float) -> CrossSection:
    check_letters(text)
    known = strokes()
    unit = height_mm / _HEIGHT
    lines = [
        [((x + n * _ADVANCE) * unit, y * unit) for x, y in line]
        for n, letter in enumerate(text.upper())
        for line in known[letter]
    ]
    return _inked(lines, pen_mm(height_mm))


def _bar(length_mm: float, height_mm: float) -> CrossSection:
    """A bar whose ends are the length apart, outer edge to outer edge, with its length."""
    pen, tick = pen_mm(height_mm), _TICK * height_mm / 2
    half = (length_mm - pen) / 2
    bar = _inked(
        [[(-half, 0), (half, 0)], [(-half, -tick), (-half, tick)], [(half, -tick), (half, tick)]],
        pen,
    )
    words = _text(f"{length_mm:g} MM", 0.8 * height_mm)
    low, _, high, _ = words.bounds()
    return bar + words.translate((-(low + high) / 2, -1.5 * height_mm))


def _inked(lines: list[list[tuple[float, float]]], pen: float) -> CrossSection:
    tip = CrossSection.circle(pen / 2, _ROUND)
    pieces = [
        CrossSection.batch_hull([tip.translate(a), tip.translate(b)])
        for line in lines
        for a, b in itertools.pairwise(line)
    ]
    return CrossSection.batch_boolean(pieces, OpType.Add)
