"""`grow`: a structure from a few clicks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from medrecon.errors import UsageError
from medrecon_cli import options as opt
from medrecon_cli.road import grid_of, modality_of, new_folder, tell_meshes
from medrecon_cli.terminal import Terminal

Points = Annotated[
    list[str] | None,
    typer.Option(metavar="X,Y,Z", help="A point in LPS mm. Repeatable.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("grow")(grow)


def grow(
    argument: opt.Input = None,
    source: opt.InputAlias = None,
    output: opt.Output = None,
    clicks: Annotated[
        Path | None,
        typer.Option("--clicks", metavar="JSON", help="Clicks, strokes and a box, LPS mm."),
    ] = None,
    inside: Points = None,
    outside: Points = None,
    box: Annotated[
        str | None,
        typer.Option("--box", metavar="X,Y,Z,X,Y,Z", help="Nothing beyond belongs to it."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What the structure is called.")] = "tumor",
    series: opt.Series = None,
    frame: opt.Frame = None,
    modality: opt.DeclaredModality = None,
    spacing: opt.Spacing = "iso",
    formats: opt.Formats = "stl,3mf",
    tolerance_mm: opt.Tolerance = 0.1,
    accept_mm: opt.Accept = 1.0,
    preview: opt.Preview = True,
    force: opt.Force = False,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    no_progress: opt.NoProgress = False,
) -> None:
    """Grow a structure from clicks inside and outside it; for tumours above all."""
    from medrecon import options as o
    from medrecon.recipes.growing import grow_study

    options = o.Options(
        o.LoadOptions(series, frame, modality=modality_of(modality)),
        mesh=o.MeshOptions(tolerance_mm, accept_mm=accept_mm),
        output=o.OutputOptions(grid_of(spacing), opt.names_of(formats) or (), force, preview),
    )
    guidance = _guidance(clicks, inside, outside, box)
    terminal = Terminal(quiet=quiet, as_json=as_json, no_progress=no_progress)
    with terminal.progress() as progress:
        run = grow_study(
            opt.the_input(argument, source),
            guidance,
            output=output or new_folder(),
            name=name,
            options=options,
            progress=progress,
        )
    tell_meshes(run, terminal)


def _guidance(
    clicks: Path | None, inside: list[str] | None, outside: list[str] | None, box: str | None
) -> Any:
    """What was pointed at: the file's clicks first, then those of the command line."""
    from medrecon.segmentation.guided.clicks import Click, Guidance, read_guidance

    told = Guidance() if clicks is None else read_guidance(clicks)
    points = [Click(_numbers(p, 3), True) for p in inside or ()]
    points += [Click(_numbers(p, 3), False) for p in outside or ()]
    corners = told.box_mm
    if box is not None:
        six = _numbers(box, 6)
        corners = (six[:3], six[3:])
    return Guidance((*told.clicks, *points), corners)


def _numbers(text: str, count: int) -> Any:
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise UsageError(f"{text!r}; {count} numbers with commas between them expected")
    return numbers
