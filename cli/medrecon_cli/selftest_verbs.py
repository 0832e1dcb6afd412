"""`selftest`: commissioning on shapes whose truth is a formula."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from medrecon.errors import OutputExistsError, QualityGateError
from medrecon_cli.grouped import grouped
from medrecon_cli.groups import Talking


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("selftest")(grouped(selftest))


def selftest(
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="JSON file for the quality system."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Overwrite the JSON file if it is there."),
    ] = False,
    *,
    talking: Talking,
) -> None:
    """Commissioning on this machine: geometry, chirality, units, volume, surface, determinism."""
    from medrecon.recipes.selftest import run_selftest, write_protocol

    if output is not None and output.exists() and not force:
        raise OutputExistsError("the output file exists; choose another or pass --force")
    terminal = talking.terminal()
    with terminal.progress() as progress:
        checks = run_selftest(progress=progress)
    rows = [
        (
            c.what,
            f"{c.measured:.3f} {c.unit}",
            f"{'≥' if c.at_least else '≤'} {c.limit:g} {c.unit}",
            "pass" if c.passed else "FAIL",
        )
        for c in checks
    ]
    terminal.table(("check", "measured", "limit", "verdict"), rows)
    if output is not None:
        write_protocol(checks, output)
    failed = [c.what for c in checks if not c.passed]
    terminal.result(
        {
            "passed": not failed,
            "checks": [dataclasses.asdict(c) | {"passed": c.passed} for c in checks],
        }
    )
    if failed:
        raise QualityGateError(f"{len(failed)} of {len(checks)} checks failed: {'; '.join(failed)}")
