"""`info`, `check` and `doctor`: look at what is there, change nothing."""

from __future__ import annotations

import dataclasses
import math
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from medrecon.errors import NoSeriesError, QualityGateError, UsageError
from medrecon_cli import options as opt
from medrecon_cli.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("info")(info)
    app.command("check")(check)
    app.command("doctor")(doctor)


def info(
    argument: opt.Input = None,
    source: opt.InputAlias = None,
    headers: Annotated[
        bool, typer.Option("--headers", help="Look at headers only, not at the voxels.")
    ] = False,
    frame: opt.Frame = None,
    modality: opt.DeclaredModality = None,
    max_memory: opt.MaxMemory = None,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> None:
    """The pre-flight: every series found, and whether surfaces can be made of it."""
    from medrecon.options import LoadOptions
    from medrecon.recipes.examine import examine

    terminal = Terminal(as_json=as_json)
    load = LoadOptions(frame=frame, modality=opt.modality_of(modality), max_memory_gb=max_memory)
    found = examine(opt.the_input(argument, source), load, voxels=not headers)
    for f in found.flights:
        terminal.say(f"series {f.series}: {f.description}: {f.verdict.value}")
        for words in (*facts(f), *f.reasons, *f.notes):
            terminal.say(f"    {words}")
    for reason, number in found.set_aside.items():
        terminal.say(f"set aside: {number} × {reason}")
    for warning in found.warnings:
        terminal.warn(warning)
    terminal.result(
        {
            "series": [plain(f) for f in found.flights],
            "set_aside": dict(found.set_aside),
            "warnings": list(found.warnings),
        }
    )
    if not found.flights:
        raise NoSeriesError("no CT or MR series in the input")


def facts(flight: Any) -> tuple[str, ...]:
    """Geometry, values and what to expect of a surface, a line each."""
    x, y, z = flight.spacing_mm
    i, j, k = flight.shape
    width, height, length = flight.coverage_mm
    thick = "" if flight.thickness_mm is None else f", slices {flight.thickness_mm:g} mm thick"
    steps = ""
    if flight.largest_step_mm > flight.smallest_step_mm * 1.001:
        steps = f", steps {flight.smallest_step_mm:.2f}–{flight.largest_step_mm:.2f} mm"
    values = flight.hu if flight.hu == "not CT" else f"HU {flight.hu}"
    kernel = f", {flight.kernel} kernel" if flight.kernel else ""
    return (
        f"{i}×{j}×{k} of {x:.3g}×{y:.3g}×{z:.3g} mm, {flight.geometry}{steps}{thick}",
        f"covers {width:.0f}×{height:.0f}×{length:.0f} mm; {values}{kernel}; "
        f"surfaces to expect within about {flight.expected_surface_error_mm:.2f} mm from slices",
    )


def plain(value: Any) -> Any:
    """A value of dataclasses, enums and tuples as JSON."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    return value


def check(
    meshes: Annotated[
        list[Path],
        typer.Argument(
            metavar="MESH…", help="STL, 3MF, OBJ, PLY, GLB, glTF, USDZ or VTP.", show_default=False
        ),
    ],
    process: Annotated[
        str | None,
        typer.Option(
            "--process",
            metavar="sla|sls|fdm|polyjet",
            help="Judge walls, overhangs and size for it.",
        ),
    ] = None,
    bed: Annotated[
        str | None,
        typer.Option("--bed", metavar="X,Y,Z", help="Inner size of the printer, in mm."),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option("--unit", metavar="mm|cm|m|inch|um", help="What the files' numbers mean."),
    ] = None,
    walls: Annotated[
        bool, typer.Option("--walls/--no-walls", help="Measure how thick walls are.")
    ] = True,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> None:
    """Whether meshes can be printed: solid, thick enough, of a size that fits."""
    from medrecon.recipes.check import CheckOptions, check_files

    terminal = Terminal(as_json=as_json)
    options = CheckOptions(process, bed_of(bed), _unit(unit), walls)
    found = check_files(meshes, options)
    terminal.table(
        ("mesh", "triangles", "volume", "size in mm", "thinnest", "verdict"),
        [_check_row(f) for f in found],
    )
    for f in found:
        for words in (*f.reasons, *(f"note: {note}" for note in f.notes)):
            terminal.say(f"{f.name}: {words}")
    rows = [plain(f) | {"printable": f.printable, "verdict": f.verdict} for f in found]
    terminal.result({"meshes": rows})
    bad = [f.name for f in found if not f.printable]
    if bad:
        raise QualityGateError(f"{len(bad)} of {len(found)} meshes are not printable as they are")


def _check_row(found: Any) -> tuple[str, ...]:
    walls = found.walls
    thinnest = f"{walls.least_mm:.2f} mm" if walls and walls.least_mm is not None else "–"
    return (
        found.name,
        f"{found.solidity.triangles:,}",
        f"{found.solidity.volume_ml:.1f} mL",
        " × ".join(f"{e:.1f}" for e in found.extent_mm),
        thinnest,
        found.verdict,
    )


def bed_of(text: str | None) -> tuple[float, float, float] | None:
    """Width, depth and height that --bed names."""
    if text is None:
        return None
    try:
        width, depth, height = (float(word) for word in text.replace("x", ",").split(","))
    except ValueError:
        raise UsageError(f"--bed {text}; three numbers of mm expected, as in 250,210,220") from None
    if not all(0 < size < math.inf for size in (width, depth, height)):
        raise UsageError(f"--bed {text}; sizes above 0 mm expected")
    return width, depth, height


def _unit(text: str | None) -> Any:
    from medrecon.quality.size import UNIT_NAMES

    if text is not None and text not in UNIT_NAMES:
        raise UsageError(f"--unit {text}; {', '.join(UNIT_NAMES)} expected")
    return None if text is None else UNIT_NAMES[text]


def doctor(as_json: opt.Json = False, verbose: opt.Verbose = False) -> None:
    """What this machine can do: Python, libraries, GPU, OpenGL, models, disk."""
    from medrecon.doctor import examine

    terminal = Terminal(as_json=as_json)
    findings = examine()
    terminal.table(("what", "finding"), [(f.what, f.finding) for f in findings])
    terminal.result({f.what: f.finding for f in findings})
