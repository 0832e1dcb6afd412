"""`edit`, `compare` and `approve`: what a person does with a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medrecon.errors import QualityGateError
from medrecon_cli import options as opt
from medrecon_cli.grouped import grouped
from medrecon_cli.groups import Meshing, Talking
from medrecon_cli.road import new_folder, tell_meshes
from medrecon_cli.terminal import Terminal

RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("edit")(grouped(edit))
    app.command("compare")(compare)
    app.command("approve")(approve)


def edit(
    folder: RunFolder,
    edits: Annotated[Path, typer.Option("--apply", metavar="JSON", help="The list of edits.")],
    output: opt.Output = None,
    undo: Annotated[
        int, typer.Option("--undo", metavar="N", min=0, help="Leave out the last N edits.")
    ] = 0,
    formats: opt.Formats = "stl,3mf",
    preview: opt.Preview = True,
    force: opt.Force = False,
    *,
    meshing: Meshing,
    talking: Talking,
) -> None:
    """Apply edits to a run's structures; the result is a new, judged run."""
    from medrecon import options as o
    from medrecon.recipes.editing import edit_run

    options = o.Options(
        mesh=meshing.options(),
        output=o.OutputOptions(o.Grid.NATIVE, opt.names_of(formats) or (), force, preview),
    )
    terminal = talking.terminal()
    with terminal.progress() as progress:
        run, done = edit_run(
            folder,
            edits,
            output=output or new_folder(),
            undo=undo,
            options=options,
            progress=progress,
        )
    for e in done:
        terminal.say(f"{e.edit} {e.label}: {e.volume_change_ml:+.3f} mL")
    tell_meshes(run, terminal)


def compare(
    folder: RunFolder,
    other: Annotated[Path, typer.Argument(metavar="FILE", help="Mesh or label map, LPS mm.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Default: DIR/compare/.")
    ] = None,
    structure: Annotated[
        str | None, typer.Option("--structure", help="Which structure of the run.")
    ] = None,
    register_first: Annotated[
        bool, typer.Option("--register", help="Move FILE onto it first, for a scanned print.")
    ] = False,
    accept_mm: opt.Accept = 1.0,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> None:
    """A mesh or label map edited elsewhere, or a scanned print, beside the run it began as."""
    from medrecon.recipes.comparing import compare_with

    terminal = Terminal(as_json=as_json)
    found, warning = compare_with(
        folder,
        other,
        output=output or folder / "compare",
        structure=structure,
        register=register_first,
        accept_mm=accept_mm,
    )
    if warning:
        terminal.warn(warning)
    d = found.distances
    x, y, z = d.offset_lps_mm
    rows = [
        (
            found.structure,
            f"{d.signed_mean_mm:+.2f}",
            f"{d.mean_mm:.2f}",
            f"{d.p95_mm:.2f}",
            f"{d.max_mm:.2f}",
            f"{x:+.2f} {y:+.2f} {z:+.2f}",
        )
    ]
    terminal.table(("structure", "signed mm", "mean", "p95", "max", "best shift LPS"), rows)
    terminal.result(found.as_dict())
    if not found.passed:
        raise QualityGateError(
            f"it leaves the run's surface by {d.p95_mm:.2f} mm (95 %) and up to {d.max_mm:.2f} mm"
        )


def approve(
    folder: RunFolder,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who approves.")],
    looked: Annotated[
        bool,
        typer.Option("--looked", help="The outlines were compared with the native slices."),
    ] = False,
    structures: Annotated[
        str | None, typer.Option("--labels", metavar="a,b", help="Approve only these structures.")
    ] = None,
    material: Annotated[str, typer.Option("--material", help="For the job ticket.")] = "",
    process: Annotated[str, typer.Option("--process", help="For the job ticket.")] = "",
    note: Annotated[str, typer.Option("--note", help="For the job ticket.")] = "",
    verbose: opt.Verbose = False,
) -> None:
    """Sign that a run's surfaces were looked at; one changed vertex voids it."""
    from medrecon.recipes.approval import Ticket, approve_run

    path = approve_run(
        folder,
        by,
        looked=looked,
        structures=opt.names_of(structures),
        ticket=Ticket(material, process, note),
    )
    Terminal().say(f"approved: {path.name}; render the report again with medrecon report")
