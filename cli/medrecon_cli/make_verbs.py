"""`convert` and `phantom`: volumes and sample data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medrecon.errors import OutputError, OutputExistsError, UsageError
from medrecon_cli import options as opt
from medrecon_cli.grouped import grouped
from medrecon_cli.groups import Image, Loading, Talking
from medrecon_cli.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("convert")(grouped(convert))
    app.command("phantom")(phantom)


def convert(
    image: Image,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File to write, .nii or .nii.gz.")
    ] = Path("volume.nii.gz"),
    spacing: opt.Spacing = "native",
    force: Annotated[
        bool,
        typer.Option("--force", help="Overwrite the file if it is there."),
    ] = False,
    *,
    loading: Loading,
    talking: Talking,
) -> None:
    """A scan as one NIfTI volume, checked as for a reconstruction."""
    from medrecon import options as o
    from medrecon.recipes.convert import convert_to_nifti

    if output.exists() and not force:
        raise OutputExistsError("the output file exists; choose another or pass --force")
    terminal = talking.terminal()
    grid = opt.grid_of(spacing)
    load = loading.options(native=grid is o.Grid.NATIVE)
    volume, warnings = convert_to_nifti(image.path, output, load=load, spacing=grid)
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
    force: opt.ForceInto = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Sample data with exact truth: a CT series of an analytic shape or a synthetic torso."""
    from medrecon.phantom import PhantomKind, write_phantom

    known = [k.value for k in PhantomKind]
    if kind not in known:
        raise UsageError(f"no phantom {kind!r}; known are: {', '.join(known)}")
    if output.exists() and not output.is_dir():
        raise OutputError("the output is a file; name a folder with --output")
    if output.exists() and any(output.iterdir()) and not force:
        raise OutputExistsError("the output folder is not empty; choose another or pass --force")
    made = write_phantom(kind, output, seed=seed)
    Terminal(quiet=quiet).say(f"{made.volume!r} and its truth written to {output}")
