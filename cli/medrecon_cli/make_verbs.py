"""`convert` and `phantom`: volumes and sample data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medrecon.errors import OutputExistsError, UsageError
from medrecon_cli import options as opt
from medrecon_cli.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("convert")(convert)
    app.command("phantom")(phantom)


def convert(
    argument: opt.Input = None,
    source: opt.InputAlias = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File to write, .nii or .nii.gz.")
    ] = Path("volume.nii.gz"),
    series: opt.Series = None,
    frame: opt.Frame = None,
    fill_gaps: opt.FillGaps = False,
    skip_bad: opt.SkipBad = False,
    spacing: opt.Spacing = "native",
    max_memory: opt.MaxMemory = None,
    deface: opt.Deface = False,
    force: opt.Force = False,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """A scan as one NIfTI volume, checked as for a reconstruction."""
    from medrecon import options as o
    from medrecon.recipes.convert import convert_to_nifti
    from medrecon_cli.road import grid_of

    if output.exists() and not force:
        raise OutputExistsError("the output file exists; choose another or pass --force")
    terminal = Terminal(quiet=quiet, as_json=as_json)
    grid = grid_of(spacing)
    native = grid is o.Grid.NATIVE
    load = o.LoadOptions(
        series, frame, fill_gaps, skip_bad, native=native, max_memory_gb=max_memory, deface=deface
    )
    volume, warnings = convert_to_nifti(
        opt.the_input(argument, source), output, load=load, spacing=grid
    )
    for warning in warnings:
        terminal.warn(warning)
    geometry = volume.geometry
    terminal.say(f"{volume!r} written to {output}")
    terminal.result(
        {
            "output": str(output),
            "shape": list(geometry.shape),
            "spacing_mm": list(geometry.spacing_mm),
            "warnings": list(warnings),
        }
    )


def phantom(
    kind: Annotated[
        str, typer.Argument(help="torso, sphere, torus, shell, screw, box or letter-f.")
    ] = "torso",
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the DICOM files and truth.json.")
    ] = Path("phantom"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which one of its kind.")] = 2026,
    force: opt.Force = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Sample data with exact truth: a CT series of an analytic shape or a synthetic torso."""
    from medrecon.phantom import PhantomKind, write_phantom

    known = [k.value for k in PhantomKind]
    if kind not in known:
        raise UsageError(f"no phantom {kind!r}; known are: {', '.join(known)}")
    if output.exists() and any(output.iterdir()) and not force:
        raise OutputExistsError("the output folder is not empty; choose another or pass --force")
    made = write_phantom(kind, output, seed=seed)
    Terminal(quiet=quiet).say(f"{made.volume!r} and its truth written to {output}")
