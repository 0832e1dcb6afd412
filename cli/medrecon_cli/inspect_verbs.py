"""`info`, `check` and `doctor`: look at what is there, change nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from medrecon.errors import QualityGateError
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
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> None:
    """Every series found, its geometry, and whether it can be used."""
    from medrecon import dicom

    terminal = Terminal(as_json=as_json)
    scan = dicom.scan(opt.the_input(argument, source))
    rows = [
        (str(s.number), s.modality.value, "×".join(map(str, s.shape)), s.description)
        for s in scan.series
    ]
    terminal.table(("series", "kind", "voxels", "what"), rows)
    for reason, number in scan.set_aside.items():
        terminal.say(f"set aside: {number} × {reason}")
    for warning in scan.warnings:
        terminal.warn(warning)
    terminal.result(
        {
            "series": [
                {
                    "number": s.number,
                    "modality": s.modality.value,
                    "shape": list(s.shape),
                    "spacing_mm": list(s.spacing_mm),
                    "description": s.description,
                    "phantom": s.is_phantom,
                }
                for s in scan.series
            ],
            "set_aside": dict(scan.set_aside),
            "warnings": list(scan.warnings),
        }
    )


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
