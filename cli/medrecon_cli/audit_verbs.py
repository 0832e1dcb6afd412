"""`audit`: does anything in the outputs say who the patient is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medrecon.errors import AuditError, UsageError
from medrecon_cli import options as opt
from medrecon_cli.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("audit")(audit)


def audit(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of outputs.")],
    show: Annotated[
        bool,
        typer.Option("--show", help="Also print what was found; it may be somebody's name."),
    ] = False,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> None:
    """Search outputs for patient data: everything but what medrecon writes is a finding."""
    from medrecon.recipes.audit import audit_outputs

    if not folder.is_dir():
        raise UsageError("audit needs a folder of outputs")
    terminal = Terminal(as_json=as_json)
    found = audit_outputs(folder)
    for f in found:
        terminal.say(f.words + (f": {f.value}" if show and f.value else ""))
    terminal.result(
        {
            "clean": not found,
            "findings": [
                {"file": f.file, "place": f.place, "kind": f.kind.name.lower()}
                | ({"value": f.value} if show else {})
                for f in found
            ],
        }
    )
    if found:
        raise AuditError(
            f"{len(found)} places in the outputs could tell who the patient is; "
            "look at them before the folder leaves the house"
        )
    terminal.say("nothing but what medrecon writes")
