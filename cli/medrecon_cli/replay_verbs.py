"""`replay` and `diff`: the same again, and what is not the same."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from medrecon.errors import DifferenceError
from medrecon_cli import options as opt
from medrecon_cli.grouped import grouped
from medrecon_cli.groups import Talking
from medrecon_cli.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("replay")(grouped(replay))
    app.command("diff")(diff)


def replay(
    record: Annotated[Path, typer.Argument(metavar="RUN.JSON|DIR", help="A finished run.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="The scan that it was made from.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Keep the repeated run here.", show_default=False),
    ] = None,
    model: opt.Models = None,
    *,
    talking: Talking,
) -> None:
    """Repeat a run with its own options, and say whether the result is byte-identical."""
    from medrecon.recipes.replay import replay as repeat

    terminal = talking.terminal()
    with tempfile.TemporaryDirectory(prefix="medrecon-") as place, terminal.progress() as progress:
        found = repeat(
            record,
            source,
            output=output or Path(place) / "run",
            models=model or (),
            progress=progress,
        )
    if not found.same_input:
        terminal.warn("the input is not the image of the run")
    for words in found.versions:
        terminal.warn(f"another version: {words}")
    terminal.result(dataclasses.asdict(found))
    if not found.identical:
        raise DifferenceError(f"not identical: {', '.join(found.differing)}")
    terminal.say("byte-identical")


def diff(
    one: Annotated[Path, typer.Argument(metavar="A", help="A finished run.")],
    other: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> None:
    """Compare two runs: options, software, volumes, distances between their surfaces."""
    from medrecon.recipes.diff import compare_runs

    terminal = Terminal(as_json=as_json)
    found = compare_runs(one, other)
    for kind, values in (("option", found.options), ("software", found.software)):
        for name, (a, b) in values.items():
            terminal.say(f"{kind} {name}: {a} | {b}")
    for which, names in (("first", found.only_first), ("second", found.only_second)):
        for name in names:
            terminal.say(f"only in the {which}: {name}")
    rows = [
        (
            s.name.replace("_", " "),
            f"{s.volume_ml[0]:.2f} mL",
            f"{s.volume_ml[1]:.2f} mL",
            f"{s.mean_mm:.3f} mm",
            f"{s.p95_mm:.3f} mm",
            f"{s.max_mm:.3f} mm",
        )
        for s in found.structures
    ]
    if rows:
        terminal.table(("structure", "A", "B", "mean", "95 %", "largest"), rows)
    terminal.say(
        f"{len(found.files)} outputs differ: {', '.join(found.files)}"
        if found.files
        else "byte-identical"
    )
    terminal.result(dataclasses.asdict(found))
