"""`--print PROCESS` and `--prepare STEP`: what is done to copies for a printer."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medrecon.errors import QualityGateError, UsageError
from medrecon_cli.terminal import Terminal

if TYPE_CHECKING:
    from medrecon.recipes.printing import Cut, PrintOptions

Print = Annotated[
    str | None,
    typer.Option(
        "--print",
        metavar="sla|sls|fdm|polyjet",
        help="Also make copies for this process, in the folder print/.",
    ),
]
Prepare = Annotated[
    list[str] | None,
    typer.Option(
        "--prepare",
        metavar="STEP=…",
        help="hollow=2, drain=4:2, cut=z:middle, pins=4:0.2, up=auto, base=1, engrave=TEXT, side, "
        "scale-bar=20, date=TEXT, letters=6, face=back, vessel=LABEL:1.5, open-at=z:-120, "
        "shrink=0.3,0.3,0.4, gap=PART:OTHER:0.3, margin=LABEL:5,10, boolean=NAME:A-B, only=A,B, "
        "bed=145,145,185. Repeatable.",
    ),
]


def print_options(process: str | None, steps: list[str] | None, formats: Any) -> Any:
    """What --print and --prepare ask for; None if nothing is to be printed.

    Raises
    ------
    UsageError
        If a step is not known, its value is not what it takes, or it needs another one.
    """
    if process is None:
        if steps:
            raise UsageError("--prepare says how to print; say for which process with --print")
        return None
    from medrecon.quality.processes import process as known_process
    from medrecon.recipes.printing import PrintOptions, check_steps

    known_process(process)
    options = PrintOptions(process, formats=tuple(formats) or ("stl",))
    for step in steps or []:
        word, _, value = step.partition("=")
        if word not in _STEPS:
            raise UsageError(f"--prepare {word}; known are: {', '.join(_STEPS)}")
        try:
            options = _STEPS[word](options, value)
        except ValueError:
            raise UsageError(
                f"--prepare {step}; medrecon mesh --help shows what it takes"
            ) from None
    check_steps(options)
    return options


def print_copies(
    folder: Path, options: PrintOptions, terminal: Terminal, *, force: bool
) -> list[str]:
    """Make the copies of a finished run, and tell; names of those that are not printable."""
    from medrecon.recipes.printing import prepare_run

    prepared = prepare_run(folder, options, overwrite=force)
    for warning in prepared.warnings:
        terminal.warn(warning)
    rows = [
        (
            p.sidecar["part"],
            f"{p.sidecar['triangles']:,}",
            " × ".join(f"{e:.1f}" for e in p.sidecar["size_mm"]),
            "printable" if p.judged.printable else "not printable",
        )
        for p in prepared.parts
    ]
    terminal.table(("copy", "triangles", "size in mm", "verdict"), rows)
    for p in prepared.parts:
        for words in (*p.judged.reasons, *(f"note: {note}" for note in p.judged.notes)):
            terminal.say(f"{p.sidecar['part']}: {words}")
    terminal.say(f"copies written to {folder / 'print'}")
    return [p.sidecar["part"] for p in prepared.parts if not p.judged.printable]


def refuse(bad: list[str]) -> None:
    """End with the gate's exit code if a copy is not printable.

    Raises
    ------
    QualityGateError
    """
    if bad:
        raise QualityGateError(f"not printable as they are: {', '.join(bad)}; the files say why")


def _with(**changes: Callable[[str], Any]) -> Callable[[Any, str], Any]:
    """A step that sets fields from its value."""
    return lambda options, value: dataclasses.replace(
        options, **{name: read(value) for name, read in changes.items()}
    )


def _more(field: str, read: Callable[[str], Any]) -> Callable[[Any, str], Any]:
    """A step that may come several times."""
    return lambda options, value: dataclasses.replace(
        options, **{field: (*getattr(options, field), read(value))}
    )


def _inscribed(**changes: Callable[[str], Any]) -> Callable[[Any, str], Any]:
    """A step that changes the inscription."""

    def step(options: Any, value: str) -> Any:
        from medrecon.printing.engrave import Inscription

        what = options.inscription or Inscription(())
        found = dataclasses.replace(what, **{n: read(value) for n, read in changes.items()})
        return dataclasses.replace(options, inscription=found)

    return step


def _line(options: Any, value: str) -> Any:
    """A further line of text: the case first, a date below it."""
    from medrecon.printing.engrave import Inscription

    if not value.strip():
        raise ValueError
    what = options.inscription or Inscription(())
    found = dataclasses.replace(what, lines=(*what.lines, value))
    return dataclasses.replace(options, inscription=found)


def _drain(options: Any, value: str) -> Any:
    diameter, _, count = value.partition(":")
    return dataclasses.replace(options, drain_mm=_number(diameter), drains=int(count or 2))


def _pins(options: Any, value: str) -> Any:
    from medrecon.printing.cut import Pins
    from medrecon.quality.processes import process

    diameter, _, clearance = value.partition(":")
    pins = Pins(
        diameter_mm=_number(diameter or "4"),
        clearance_mm=_number(clearance) if clearance else process(options.process).clearance_mm,
    )
    return dataclasses.replace(options, pins=pins)


def _cut(value: str) -> Cut:
    from medrecon.recipes.printing import Cut

    axis, _, place = value.partition(":")
    if axis not in ("x", "y", "z"):
        raise ValueError
    return Cut(axis, None if place in ("", "middle") else _number(place))


def _gap(value: str) -> tuple[str, str, float]:
    part, other, gap = value.split(":")
    return part, other, _number(gap)


def _margin(value: str) -> tuple[str, tuple[float, ...], str]:
    part, distances, *within = value.split(":")
    return part, tuple(sorted(_numbers(distances))), within[0] if within else ""


def _vessel(value: str) -> tuple[str, float]:
    part, wall = value.split(":")
    return part, _number(wall)


def _boolean(value: str) -> tuple[str, str, Any, str]:
    from medrecon.printing.fit import Boolean

    found = re.fullmatch(r"([^:]+):([^+&-]+)([+&-])([^+&-]+)", value)
    if not found:
        raise ValueError
    name, first, how, second = found.groups()
    return name, first, Boolean(how), second


def _number(text: str) -> float:
    """A finite number."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _numbers(value: str) -> tuple[float, ...]:
    return tuple(_number(word) for word in value.split(","))


def _triple(value: str) -> tuple[float, float, float]:
    x, y, z = _numbers(value)
    return x, y, z


_STEPS: dict[str, Callable[[Any, str], Any]] = {
    "hollow": _with(hollow_mm=_number),
    "drain": _drain,
    "cut": _more("cuts", _cut),
    "pins": _pins,
    "up": _with(up=str),
    "base": _with(base_mm=_number),
    "engrave": _line,
    "date": _line,
    "side": _with(engrave_side=lambda value: True),
    "scale-bar": _inscribed(scale_bar_mm=_number),
    "letters": _inscribed(height_mm=_number),
    "face": _inscribed(side=str),
    "vessel": _more("vessels", _vessel),
    "open-at": _more("open_at", _cut),
    "shrink": _with(shrink_percent=_triple),
    "gap": _more("gaps", _gap),
    "margin": _more("margins", _margin),
    "boolean": _more("booleans", _boolean),
    "only": _with(only=lambda value: tuple(value.split(","))),
    "bed": _with(bed_mm=_triple),
}
