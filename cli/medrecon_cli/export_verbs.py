"""`export`: a finished run in other systems' formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medrecon_cli import options as opt
from medrecon_cli.grouped import grouped
from medrecon_cli.groups import Talking


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("export")(grouped(export))


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    formats: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT,…",
            help="dicom-seg, dicom-seg-occupancy, dicom-labelmap, rtstruct, m3d, m3d-obj, "
            "seg.nrrd, 3mf, glb, obj, ply, …",
        ),
    ],
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            metavar="IN",
            help="The scan that the run was made of; DICOM objects take their identity from it.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder to write. Default: DIR/export."),
    ] = None,
    series: opt.Series = None,
    deidentify: Annotated[
        bool,
        typer.Option("--deidentify", help="DICOM objects under a pseudonym, with new UIDs."),
    ] = False,
    force: opt.ForceInto = False,
    *,
    talking: Talking,
) -> None:
    """A finished run as DICOM SEG, RTSTRUCT, encapsulated models, .seg.nrrd or meshes."""
    from medrecon.recipes.export import ExportOptions, export_run

    terminal = talking.terminal()
    options = ExportOptions(
        opt.names_of(formats) or (), source, series, deidentify, overwrite=force
    )
    with terminal.progress() as report:
        made = export_run(folder, options, output=output, progress=report)
    rows = [
        (form, name, f"{f['volume_ml']:.2f} mL", _change(f["difference_percent"]))
        for form, structures in made.figures.items()
        for name, f in structures.items()
    ]
    if rows:
        terminal.table(("format", "structure", "holds", "against its field"), rows)
    if any(name.endswith(".dcm") for name in made.files) and not deidentify:
        terminal.warn("the DICOM objects carry the patient's identity, as the scan does")
    terminal.say(f"{len(made.files)} files written to {made.folder}")
    terminal.result(
        {"output": str(made.folder), "files": list(made.files), "figures": dict(made.figures)}
    )


def _change(percent: float | None) -> str:
    return "" if percent is None else f"{percent:+.2f} %"
