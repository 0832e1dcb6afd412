"""`grow`: a structure from a few clicks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from medrecon.errors import UsageError
from medrecon_cli import options as opt
from medrecon_cli.grouped import grouped
from medrecon_cli.groups import Image, Loading, Meshing, Talking
from medrecon_cli.road import new_folder, tell_meshes

Points = Annotated[
    list[str] | None,
    typer.Option(metavar="X,Y,Z", help="A point in LPS mm. Repeatable.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("grow")(grouped(grow))


def grow(
    image: Image,
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
    spacing: opt.Spacing = "iso",
    formats: opt.Formats = "stl,3mf",
    preview: opt.Preview = True,
    force: opt.Force = False,
    *,
    loading: Loading,
    meshing: Meshing,
    talking: Talking,
) -> None:
    """Grow a structure from clicks inside and outside it; for tumours above all."""
    from medrecon import options as o
    from medrecon.recipes.growing import grow_study

    options = o.Options(
        loading.options(),
        mesh=meshing.options(),
        output=o.OutputOptions(opt.grid_of(spacing), opt.names_of(formats) or (), force, preview),
    )
    guidance = _guidance(clicks, inside, outside, box)
    terminal = talking.terminal()
    with terminal.progress() as progress:
        run = grow_study(
            image.path,
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
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise UsageError(f"{text!r}; {count} numbers with commas between them expected")
    return numbers
