"""A label cut into a part's surface, where it is flattest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from manifold3d import CrossSection, Manifold

from medrecon.errors import UsageError
from medrecon.printing.glyphs import drawn_lines, pen_mm
from medrecon.printing.solids import bounds_mm

Floats = npt.NDArray[np.float64]

_STEP_MM = 1.0
"""Between the rays that feel for a flat place."""

_RIM_MM = 1.5
"""Of plain surface around an inscription."""

_STEEPEST = 0.64
"""Least cosine between surface and viewing direction (50°): beyond, letters smear."""

_FALL = 1.5 * (1 / _STEEPEST**2 - 1) ** 0.5
"""Most that a surface falls from ray to ray, per mm: half more than the steepest slope does.
Beyond it is an edge, and letters across it would be on two surfaces."""

_CENTRED = 0.02
"""What the middle of a side is worth in flatness (cosine)."""

_SMALLER = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Sizes tried in turn, as parts of what was asked for."""

SIDES: dict[str, tuple[float, float, float]] = {
    "front": (0, -1, 0),
    "back": (0, 1, 0),
    "left": (-1, 0, 0),
    "right": (1, 0, 0),
    "bottom": (0, 0, -1),
    "top": (0, 0, 1),
}
"""Of a part on the bed, seen from where y grows away from the viewer."""


@dataclass(frozen=True, slots=True)
class Inscription:
    """What to engrave.

    Parameters
    ----------
    lines : tuple of str
    height_mm : float
        Of the letters; they are made smaller if the part has no room.
    depth_mm : float
        Below the surface, along the viewing direction.
    scale_bar_mm : float or None
    side : str or None
        A key of `SIDES`; None takes the flattest.
    least_stroke_mm : float
        Strokes are never made thinner than this.
    least_ridge_mm : float
        Nothing thinner is left standing between strokes.
    least_floor_mm : float
        Where less than that would be left under the letters is no place for them.
    """

    lines: tuple[str, ...]
    height_mm: float = 6.0
    depth_mm: float = 0.8
    scale_bar_mm: float | None = None
    side: str | None = None
    least_stroke_mm: float = 0.4
    least_ridge_mm: float = 0.5
    least_floor_mm: float = 0.5


@dataclass(frozen=True, slots=True)
class Engraved:
    """Where an inscription is.

    Parameters
    ----------
    side : str
    centre_mm : tuple of float
        In the part's frame.
    width_mm, tall_mm : float
        Of the whole inscription.
    height_mm, stroke_mm : float
        Of the letters as cut.
    depth_mm : float
    """

    side: str
    centre_mm: tuple[float, float, float]
    width_mm: float
    tall_mm: float
    height_mm: float
    stroke_mm: float
    depth_mm: float


def engrave(
    solid: Manifold, what: Inscription, *, avoid: tuple[tuple[float, float, float], ...] = ()
) -> tuple[Manifold, Engraved]:
    """The solid with the inscription cut into it, its floor parallel to the surface.

    What is taken away is all under the letters that is no longer in the solid when it is
    pushed in by the depth: exact booleans, and any surface is followed.

    Parameters
    ----------
    solid : Manifold
        As it stands on the bed.
    what : Inscription
    avoid : tuple of directions
        Sides that face one of these are not taken unless asked for (faces of a cut).

    Raises
    ------
    UsageError
        If no side has room, even for the smallest letters that stay readable.
    """
    for part in _SMALLER:
        height = part * what.height_mm
        if part < 1 and pen_mm(height) < what.least_stroke_mm:
            break
        for lines in _broken(what.lines):
            shape = drawn_lines(
                lines, height, what.scale_bar_mm, least_ridge_mm=what.least_ridge_mm
            )
            thick = what.depth_mm + what.least_floor_mm
            sides = _sides(what, avoid)
            spots = [s for side in sides if (s := _flattest(solid, side, shape, thick))]
            if spots:
                _, side, place = max(spots, key=lambda s: s[0])
                tool = _letters(solid, shape, side, place, what.depth_mm)
                return solid - tool, _where(side, place, shape, height, what.depth_mm)
    raise UsageError(
        f"no flat place for {' / '.join(what.lines) or 'the scale bar'}; "
        "engrave fewer or smaller letters, or a shorter scale bar"
    )


def _broken(lines: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The lines as they are, then broken at spaces, then at hyphens too."""
    ways = [lines]
    ways.append(tuple(word for line in lines for word in line.split()))
    ways.append(tuple(w for line in ways[1] for w in line.replace("-", "- ").split()))
    return list(dict.fromkeys(ways))


def recessed(solid: Manifold, label: Engraved) -> Manifold:
    """The solid with its whole field sunk by the letters' depth, as hollows shall take it.

    What keeps its wall to this keeps it under the letters. Under each letter alone fins of
    hollow would stand between them.

    Parameters
    ----------
    solid : Manifold
        Before it was engraved.
    label : Engraved
    """
    size = (label.width_mm + 2 * _RIM_MM, label.tall_mm + 2 * _RIM_MM)
    field = CrossSection.square(size, center=True)
    place = np.asarray(label.centre_mm)
    found: Manifold = solid - _letters(solid, field, label.side, place, label.depth_mm)
    return found


def _where(
    side: str, place: Floats, shape: CrossSection, height_mm: float, depth_mm: float
) -> Engraved:
    x, y, z = (round(float(c), 3) for c in place)
    low_x, low_y, high_x, high_y = shape.bounds()
    return Engraved(
        side,
        (x, y, z),
        round(high_x - low_x, 3),
        round(high_y - low_y, 3),
        round(height_mm, 3),
        round(pen_mm(height_mm), 3),
        depth_mm,
    )


def _sides(what: Inscription, avoid: tuple[tuple[float, float, float], ...]) -> list[str]:
    if what.side is not None:
        if what.side not in SIDES:
            raise UsageError(f"no side is called {what.side!r}; known are: {', '.join(SIDES)}")
        return [what.side]
    away = [np.asarray(a) for a in avoid]
    return [
        name
        for name, way in SIDES.items()
        if name not in ("bottom", "top") and not any(np.dot(a, way) > 0.9 for a in away)
    ]


def _frame(side: str) -> Floats:
    """Columns right, up and towards the viewer of somebody who looks at that side."""
    towards = np.asarray(SIDES[side], np.float64)
    up = np.array([0.0, 1.0, 0.0]) if abs(towards[2]) > 0.5 else np.array([0.0, 0.0, 1.0])
    return np.column_stack([np.cross(up, towards), up, towards])


def _flattest(
    solid: Manifold, side: str, shape: CrossSection, thick_mm: float
) -> tuple[float, str, Floats] | None:
    """How flat the best place for a shape is (cosine), and where its middle lies."""
    frame = _frame(side)
    low_x, low_y, high_x, high_y = shape.bounds()
    width, height = high_x - low_x + 2 * _RIM_MM, high_y - low_y + 2 * _RIM_MM
    turned = solid.transform(np.column_stack([frame.T, np.zeros(3)]))
    low, high = bounds_mm(turned)
    if width > high[0] - low[0] or height > high[1] - low[1]:
        return None
    u = np.arange(low[0] + _STEP_MM / 2, high[0], _STEP_MM)
    v = np.arange(low[1] + _STEP_MM / 2, high[1], _STEP_MM)
    slope, depth = _felt(turned, u, v, (low[2], high[2]), thick_mm)
    slope[_edges(slope, depth)] = 0.0
    across, along = (max(1, int(np.ceil(x / _STEP_MM))) for x in (width, height))
    if across > len(u) or along > len(v):
        return None
    windows = np.lib.stride_tricks.sliding_window_view(slope, (across, along))
    worst = windows.min(axis=(2, 3))
    mean = windows.mean(axis=(2, 3))
    # Of places equally flat, the most central one.
    away = [np.abs(np.linspace(-1, 1, n)) if n > 1 else np.zeros(1) for n in worst.shape]
    centred = mean - _CENTRED * (away[0][:, None] + away[1][None, :])
    score = np.where(worst >= _STEEPEST, centred, -1.0)
    i, j = np.unravel_index(int(np.argmax(score)), score.shape)
    if score[i, j] < 0:
        return None
    middle = u[i] + (across - 1) * _STEP_MM / 2, v[j] + (along - 1) * _STEP_MM / 2
    out = depth[i + across // 2, j + along // 2]
    return float(score[i, j]), side, frame @ np.array([*middle, out])


def _edges(slope: Floats, depth: Floats) -> npt.NDArray[np.bool_]:
    """Where the surface seen breaks off to another one, higher or lower."""
    found = np.zeros(slope.shape, np.bool_)
    for axis in (0, 1):
        here, there = (np.delete(np.arange(slope.shape[axis]), end) for end in (-1, 0))
        both = (slope.take(here, axis) > 0) & (slope.take(there, axis) > 0)
        jump = both & (np.abs(np.diff(depth, axis=axis)) > _FALL * _STEP_MM)
        along = [slice(None), slice(None)]
        for part in (slice(None, -1), slice(1, None)):
            along[axis] = part
            found[tuple(along)] |= jump
    return found


def _felt(
    turned: Manifold, u: Floats, v: Floats, reach: tuple[float, float], thick_mm: float
) -> tuple[Floats, Floats]:
    """Cosine of slope and height of the surface seen from above.

    The cosine is 0 where nothing is, or less of it than asked for.
    """
    low, high = reach
    slope, depth = np.zeros((len(u), len(v))), np.zeros((len(u), len(v)))
    for i, x in enumerate(u.tolist()):
        for j, y in enumerate(v.tolist()):
            hits = turned.ray_cast((x, y, high + 1.0), (x, y, low - 1.0))
            below = [float(hit.position[2]) for hit in hits[:2]]
            if hits and below[0] - below[-1] >= thick_mm:
                slope[i, j] = abs(float(hits[0].normal[2]))
                depth[i, j] = float(hits[0].position[2])
    return slope, depth


def _letters(
    solid: Manifold, shape: CrossSection, side: str, place: Floats, depth_mm: float
) -> Manifold:
    """What to take away: under the letters, down to the depth."""
    frame = _frame(side)
    low_x, low_y, high_x, high_y = shape.bounds()
    # On a slope of 50° over half the inscription's size the surface falls that much.
    fall = 0.6 * (max(high_x - low_x, high_y - low_y)) + depth_mm
    prism = Manifold.extrude(shape, 2 * fall).translate((0, 0, -fall))
    prism = prism.transform(np.column_stack([frame, place]))
    # Above the surface it takes air away, so that no two faces coincide.
    pushed = solid.translate(tuple(-depth_mm * frame[:, 2]))
    tool: Manifold = prism - pushed
    return tool
