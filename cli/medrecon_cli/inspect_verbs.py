"""`info`, `check` and `doctor`: look at what is there, change nothing."""

from __future__ import annotations

import dataclasses
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from medrecon.errors import NoSeriesError, QualityGateError
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
    max_memory: opt.MaxMemory = None,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> None:
    """The pre-flight: every series found, and whether surfaces can be made of it."""
    from medrecon.options import LoadOptions
    from medrecon.recipes.examine import examine_series

    terminal = Terminal(as_json=as_json)
    load = LoadOptions(max_memory_gb=max_memory)
    scan, flights = examine_series(opt.the_input(argument, source), load, voxels=not headers)
    for f in flights:
        terminal.say(f"series {f.series}: {f.description}: {f.verdict.value}")
        for words in (*f.reasons, *f.notes):
            terminal.say(f"    {words}")
    for reason, number in scan.set_aside.items():
        terminal.say(f"set aside: {number} × {reason}")
    for warning in scan.warnings:
        terminal.warn(warning)
    terminal.result(
        {
            "series": [plain(f) for f in flights],
            "set_aside": dict(scan.set_aside),
            "warnings": list(scan.warnings),
        }
    )
    if not flights:
        raise NoSeriesError("no CT or MR series in the input")


def plain(value: Any) -> Any:
    """A value of dataclasses, enums and tuples as JSON."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    return value


def check(
    meshes: Annotated[list[Path], typer.Argument(metavar="MESH…", help="STL files.")],
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> None:
    """Whether meshes are closed, two-manifold, consistently wound and outward."""
    from medrecon.core import Label, Mesh
    from medrecon.files.stl import read_stl
    from medrecon.surface.validity import judge

    terminal = Terminal(as_json=as_json)
    found = {str(path): judge(Mesh(*read_stl(path), Label(1, path.stem))) for path in meshes}
    rows = [
        (
            name,
            f"{v.triangles:,}",
            f"{v.volume_mm3 / 1000:.1f} mL",
            "valid" if v.valid else "not a valid solid",
        )
        for name, v in found.items()
    ]
    terminal.table(("mesh", "triangles", "volume", "verdict"), rows)
    terminal.result({name: dataclasses.asdict(v) | {"valid": v.valid} for name, v in found.items()})
    bad = [name for name, v in found.items() if not v.valid]
    if bad:
        raise QualityGateError(f"{len(bad)} of {len(found)} meshes are not valid solids")


def doctor(as_json: opt.Json = False, verbose: opt.Verbose = False) -> None:
    """What this machine can do: Python, libraries, GPU, OpenGL, models, disk."""
    from medrecon.doctor import examine

    terminal = Terminal(as_json=as_json)
    findings = examine()
    terminal.table(("what", "finding"), [(f.what, f.finding) for f in findings])
    terminal.result({f.what: f.finding for f in findings})
