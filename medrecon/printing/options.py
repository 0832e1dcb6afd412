"""What is asked of copies for a printer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from manifold3d import Manifold

from medrecon.errors import UsageError
from medrecon.printing.cut import Pins, Plane
from medrecon.printing.engrave import SIDES, Inscription
from medrecon.printing.fit import Boolean
from medrecon.printing.glyphs import check_letters
from medrecon.printing.solids import bounds_mm
from medrecon.printing.stand import AUTO, DIRECTIONS, rotation_of

Triple = tuple[float, float, float]

MOST_DRAINS = 20
"""Holes for each hollow."""

AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut across an axis of the patient, at an LPS coordinate or in the middle."""

    axis: str
    at_mm: float | None = None

    def plane(self, solid: Manifold) -> Plane:
        """The plane for a solid."""
        number = "xyz".index(self.axis)
        middle = float(bounds_mm(solid)[:, number].mean())
        return Plane(AXES[self.axis], middle if self.at_mm is None else self.at_mm)


@dataclass(frozen=True, slots=True)
class PrintOptions:
    """What to do to which parts; what is not asked for is not done.

    Parameters
    ----------
    process : str
        "sla", "sls", "fdm" or "polyjet"; gives clearances, strokes and what `check` asks.
    only : tuple of str or None
        Parts to make; None makes all.
    booleans : tuple of (name, first, how, second)
        New parts out of two.
    gaps : tuple of (part, other, mm)
        The other is taken out of the part with a gap, so that it fits in.
    margins : tuple of (part, (mm, …), within or "")
        Shells around a part: 5, 10 make two, 0–5 and 5–10.
    vessels : tuple of (part, wall in mm)
        The part is a lumen: make its wall, open at its flat ends.
    open_at : tuple of Cut
        Where lumens are cut open first; the larger part stays.
    cuts : tuple of Cut
    pins : Pins or None
        At every cut.
    up : str
        Direction of the patient that points up on the bed, or "auto".
    base_mm : float
        Cut off at the bottom for a flat to stand on.
    inscription : Inscription or None
    engrave_side : bool
        Add L or R, if that is certain.
    hollow_mm : float or None
        Wall; None prints solid.
    drain_mm : float or None
        Diameter of holes out of every hollow; None takes what the process needs.
    drains : int
        Holes for each hollow.
    shrink_percent : tuple of float
        Of the user's own calibration: how much the print shrinks along each axis of the
        bed; copies are made larger by that.
    bed_mm : tuple of float or None
    formats : tuple of str
    """

    process: str
    only: tuple[str, ...] | None = None
    booleans: tuple[tuple[str, str, Boolean, str], ...] = ()
    gaps: tuple[tuple[str, str, float], ...] = ()
    margins: tuple[tuple[str, tuple[float, ...], str], ...] = ()
    vessels: tuple[tuple[str, float], ...] = ()
    open_at: tuple[Cut, ...] = ()
    cuts: tuple[Cut, ...] = ()
    pins: Pins | None = None
    up: str = "superior"
    base_mm: float = 0.0
    inscription: Inscription | None = None
    engrave_side: bool = False
    hollow_mm: float | None = None
    drain_mm: float | None = None
    drains: int = 2
    shrink_percent: Triple = (0.0, 0.0, 0.0)
    bed_mm: Triple | None = None
    formats: tuple[str, ...] = ("stl",)


@dataclass(frozen=True, slots=True)
class Patient:
    """What is known of where things lie.

    Parameters
    ----------
    middle_x_mm : float or None
        LPS x of the body's middle.
    laterality : str
        DICOM's, "L", "R" or "".
    """

    middle_x_mm: float | None = None
    laterality: str = ""


def check_steps(options: PrintOptions) -> None:
    """Refuse a number that no step can be made with, and a step that would do nothing.

    Raises
    ------
    UsageError
        Drains without a hollow, pins without a cut, an opening without a vessel; a size
        that is none; fewer than one pin or more than 20 drains; letters, a side or a
        direction that there are not; an inscription that says nothing; no format.
    """
    _check_words(options)
    factors_of(options.shrink_percent)
    for step, value in _sizes(options):
        if not 0 < value < math.inf:
            raise UsageError(f"{step} of {value:g} mm; more than 0 expected")
    for step, value in _gaps(options):
        if not 0 <= value < math.inf:
            raise UsageError(f"{step} of {value:g} mm; 0 or more expected")
    for cut in (*options.cuts, *options.open_at):
        if cut.axis not in AXES:
            raise UsageError(f"a cut across {cut.axis!r}; x, y or z expected")
        if cut.at_mm is not None and not math.isfinite(cut.at_mm):
            raise UsageError(f"a cut at {cut.axis} = {cut.at_mm:g} mm; a finite place expected")
    if options.pins is not None and options.pins.count < 1:
        raise UsageError(f"pins: {options.pins.count} at each cut; 1 or more expected")
    if not 0 <= options.drains <= MOST_DRAINS:
        raise UsageError(f"drain: {options.drains} holes; 0 to {MOST_DRAINS} expected")
    wanting = (
        ("drain", options.drain_mm is not None, "hollow", options.hollow_mm is not None),
        ("pins", options.pins is not None, "cut", bool(options.cuts)),
        ("open-at", bool(options.open_at), "vessel", bool(options.vessels)),
    )
    for step, asked, other, there in wanting:
        if asked and not there:
            raise UsageError(f"{step} does nothing without {other}; ask for both, or for neither")


def _check_words(options: PrintOptions) -> None:
    """Refuse names that are none, before any part is made."""
    if options.up not in (AUTO, *DIRECTIONS):
        rotation_of(options.up)
    if not options.formats:
        raise UsageError("no format for the copies; name one, such as stl")
    if (what := options.inscription) is None:
        return
    if what.side is not None and what.side not in SIDES:
        raise UsageError(f"no side is called {what.side!r}; known are: {', '.join(SIDES)}")
    for line in what.lines:
        check_letters(line)
    bare = not any(line.strip() for line in what.lines) and what.scale_bar_mm is None
    if bare and not options.engrave_side:
        raise UsageError("letters without a text; give one, a side or a scale bar")


def _sizes(options: PrintOptions) -> Iterator[tuple[str, float]]:
    """Steps and their lengths that are more than 0."""
    if options.hollow_mm is not None:
        yield "hollow: a wall", options.hollow_mm
    for _, wall_mm in options.vessels:
        yield "vessel: a wall", wall_mm
    for _, distances, _ in options.margins:
        yield from (("margin: a distance", mm) for mm in distances)
    if (pins := options.pins) is not None:
        yield "pins: a diameter", pins.diameter_mm
        yield "pins: a length", pins.length_mm
    if (what := options.inscription) is not None:
        yield "letters: a height", what.height_mm
        yield "letters: a depth", what.depth_mm
        if what.scale_bar_mm is not None:
            yield "scale-bar: a length", what.scale_bar_mm
    yield from (("bed: a side", mm) for mm in options.bed_mm or ())


def _gaps(options: PrintOptions) -> Iterator[tuple[str, float]]:
    """Steps and their lengths that may be 0."""
    yield "base: a height", options.base_mm
    yield from (("gap: a gap", gap_mm) for _, _, gap_mm in options.gaps)
    if options.drain_mm is not None:
        yield "drain: a diameter", options.drain_mm
    if (pins := options.pins) is not None:
        yield "pins: a clearance", pins.clearance_mm
        yield "pins: a wall", pins.wall_mm


def factor_words(shrink_percent: Triple) -> str:
    """The factor as file names carry it: "x1.0000", or three where axes differ."""
    factors = [f"{f:.4f}" for f in factors_of(shrink_percent)]
    return "x" + (factors[0] if len(set(factors)) == 1 else "_".join(factors))


def factors_of(shrink_percent: Triple) -> list[float]:
    """What a copy is scaled by along each axis, so that it is of the right size once shrunk.

    Raises
    ------
    UsageError
        If a shrinkage is not between −5 and 20 %.
    """
    if not all(-5 < s < 20 for s in shrink_percent):
        raise UsageError(
            f"shrinkage of {', '.join(f'{s:g}' for s in shrink_percent)} %; -5 to 20 % expected"
        )
    return [1 / (1 - s / 100) for s in shrink_percent]
