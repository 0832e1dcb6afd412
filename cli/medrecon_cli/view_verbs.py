"""`report`: the page of a run, written again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medrecon_cli import options as opt
from medrecon_cli.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("report")(report)


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
