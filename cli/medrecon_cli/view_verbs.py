"""`view` and `report`: look at a run, and write its page again."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from medrecon.errors import RenderingError, UsageError
from medrecon_cli import options as opt
from medrecon_cli.terminal import Terminal

DEFAULT_SIZE = "1600x1000"


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("view")(view)
    app.command("report")(report)


def view(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN…",
            help="Run folders (two stand side by side), mesh files, and one image or DICOM folder.",
        ),
    ],
    offscreen: Annotated[
        Path | None,
        typer.Option("--offscreen", metavar="FILE", help="Draw into a .png or .html instead."),
    ] = None,
    view_file: Annotated[
        Path | None,
        typer.Option("--view", metavar="FILE", help="Begin with this saved view; w saves there."),
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option("--keys", metavar="a,b", help="Keys to press first, for example s,2,A."),
    ] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="Deviation and uncertainty of every mesh, in mm.")
    ] = False,
    size: Annotated[str, typer.Option("--size", help="Width and height.")] = DEFAULT_SIZE,
    series: opt.Series = None,
    frame: opt.Frame = None,
    modality: opt.DeclaredModality = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Look at a run, meshes, an image: turn, cut, measure, grow, compare. h: keys."""
    from medrecon.options import LoadOptions
    from medrecon.recipes import view as viewer
    from medrecon_cli.road import new_folder

    pressed, pixels = opt.names_of(keys) or (), _size(size)
    if offscreen is not None and offscreen.suffix == ".html":
        _check_page({"view": view_file, "keys": keys, "errors": errors}, size)
    load = LoadOptions(series=series, frame=frame, modality=opt.modality_of(modality))
    content = viewer.collect(sources, errors=errors, load=load)
    file = view_file or Path("medrecon-view.json")
    restore = view_file is not None and view_file.is_file()
    if offscreen is not None:
        if view_file is not None and not restore:
            raise UsageError("--view: no such file, and with --offscreen none is written")
        viewer.draw(content, offscreen, view_file=file, restore=restore, keys=pressed, size=pixels)
        Terminal(quiet=quiet).say(f"written to {offscreen}")
        return
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        raise RenderingError("no display here; pass --offscreen FILE.png or --offscreen FILE.html")
    here = Path.cwd()
    viewer.show(
        content,
        view_file=file,
        pictures=here,
        restore=restore,
        keys=pressed,
        size=pixels,
        grow=viewer.place_to_grow(sources, new_folder(), load=load),
    )


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    for number in (width, height):
        if not (number.isdecimal() and 64 <= int(number) <= 8192):
            raise UsageError(
                f"--size {text}; two numbers of 64 to 8192 expected, as in {DEFAULT_SIZE}"
            )
    return int(width), int(height)


def _check_page(given: Mapping[str, object], size: str) -> None:
    """Refuse what a page cannot show: it has its own view, keys and size."""
    asked = [f"--{name}" for name, value in given.items() if value]
    asked += [] if size == DEFAULT_SIZE else ["--size"]
    if asked:
        raise UsageError(f"a page has no {', '.join(asked)}; draw a .png, or leave them out")


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The page. Default: DIR/report.html."),
    ] = None,
    with_name: Annotated[
        bool, typer.Option("--with-name", help="Show who approved; left out otherwise.")
    ] = False,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Write a run's report again, with what was edited and approved since."""
    from medrecon.recipes.report import render_report

    terminal = Terminal(quiet=quiet, as_json=as_json)
    page = render_report(folder, output, with_name=with_name)
    terminal.say(f"written to {page}")
    terminal.result({"output": str(page), "bytes": page.stat().st_size})
