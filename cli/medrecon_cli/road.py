"""`seg+mesh`, `seg` and `mesh`: the road and its halves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from medrecon.errors import QualityGateError
from medrecon_cli import options as opt
from medrecon_cli import print_options as prints
from medrecon_cli.first_use import tell_first_use
from medrecon_cli.grouped import grouped
from medrecon_cli.groups import Image, Loading, Meshing, Segmenting, Talking
from medrecon_cli.terminal import Terminal

if TYPE_CHECKING:
    from medrecon.outputs.run import Run


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("seg+mesh")(grouped(seg_and_mesh))
    app.command("seg")(grouped(seg))
    app.command("mesh")(grouped(mesh))


def seg_and_mesh(
    image: Image,
    output: opt.Output = None,
    *,
    loading: Loading,
    segmenting: Segmenting,
    meshing: Meshing,
    talking: Talking,
    spacing: opt.Spacing = "iso",
    formats: opt.Formats = "stl,3mf",
    preview: opt.Preview = True,
    fields: opt.Fields = True,
    force: opt.Force = False,
    resume: opt.Resume = False,
) -> None:
    """From a scan to judged meshes: the whole road."""
    from medrecon import options as o
    from medrecon.pipeline import reconstruct

    path, first, channels = segmenting.images(image)
    written = o.OutputOptions(
        opt.grid_of(spacing), opt.names_of(formats) or (), force, preview, fields, resume
    )
    options = o.Options(loading.options(), segmenting.options(first), meshing.options(), written)
    terminal = talking.terminal()
    tell_first_use(terminal)
    with terminal.progress() as progress:
        run = reconstruct(
            path,
            output=output or new_folder(),
            options=options,
            channels=channels,
            progress=progress,
        )
    tell_meshes(run, terminal)


def seg(
    image: Image,
    output: opt.Output = None,
    *,
    loading: Loading,
    segmenting: Segmenting,
    talking: Talking,
    spacing: opt.Spacing = "iso",
    force: opt.Force = False,
) -> None:
    """From a scan to a label map and soft fields; `mesh` makes surfaces of them."""
    from medrecon import options as o
    from medrecon.pipeline import segment_study

    path, first, channels = segmenting.images(image)
    written = o.OutputOptions(opt.grid_of(spacing), (), force)
    options = o.Options(loading.options(), segmenting.options(first), output=written)
    terminal = talking.terminal()
    tell_first_use(terminal)
    with terminal.progress() as progress:
        run = segment_study(
            path,
            output=output or new_folder(),
            options=options,
            channels=channels,
            progress=progress,
        )
    _tell(run, terminal)


def mesh(
    argument: opt.Segmented = None,
    source: opt.InputAlias = None,
    output: opt.Output = None,
    table: opt.Table = None,
    labels: opt.Labels = None,
    *,
    meshing: Meshing,
    talking: Talking,
    formats: opt.Formats = "stl,3mf",
    preview: opt.Preview = True,
    fields: opt.Fields = True,
    process: prints.Print = None,
    prepare: prints.Prepare = None,
    force: opt.Force = False,
) -> None:
    """From a run's fields, a label map or a folder of masks to judged meshes."""
    from medrecon import options as o
    from medrecon.recipes.meshing import mesh_segmented

    options = o.Options(
        segment=o.SegmentOptions(labels=opt.names_of(labels)),
        mesh=meshing.options(),
        output=o.OutputOptions(o.Grid.NATIVE, opt.names_of(formats) or (), force, preview, fields),
    )
    copies = prints.print_options(process, prepare, options.output.formats)
    path = opt.the_input(argument, source)
    terminal = talking.terminal()
    tell_first_use(terminal)
    folder = output or new_folder()
    with terminal.progress() as progress:
        run = mesh_segmented(path, output=folder, options=options, table=table, progress=progress)
    bad = prints.print_copies(folder, copies, terminal, force=force) if copies else []
    tell_meshes(run, terminal)
    prints.refuse(bad)


def new_folder() -> Path:
    """The output folder when none is named: a date and a time, nothing of the input."""
    return Path(time.strftime("medrecon-%Y%m%d-%H%M%S"))


def _tell(run: Run, terminal: Terminal) -> None:
    for warning in run.provenance.warnings:
        terminal.warn(warning)
    for words in models_said(run):
        terminal.say(words)
    terminal.say(f"written to {run.folder}")
    terminal.result(run.summary())


def models_said(run: Run) -> list[str]:
    """Which network ran, why, what it may be used for, and what could be pulled for more."""
    said = []
    for step in run.provenance.steps:
        noted = step.figures
        if "why" not in noted:
            continue
        if noted.get("model") is None:
            said.append(f"no network: {noted['why']}")
        else:
            said.append(f"network {noted['model']} for {noted['use']}: {noted['why']}")
        more = noted.get("could_be_pulled")
        if isinstance(more, list) and more:
            said.append(f"more with medrecon models pull: {', '.join(map(str, more))}")
    return list(dict.fromkeys(said))


def tell_meshes(run: Run, terminal: Terminal) -> None:
    """What was made of a scan; a mesh that failed its gate is an error.

    Raises
    ------
    QualityGateError
        If one did.
    """
    terminal.table(
        ("structure", "volume", "triangles", "error", "verdict"), [_row(p) for p in run.parts]
    )
    _tell(run, terminal)
    failed = [p.label.name for p in run.parts if not p.gate.passed]
    if failed:
        raise QualityGateError(
            f"not for print: {', '.join(failed)}; the files are written, and quality.json says why"
        )


def _row(part: Any) -> tuple[str, ...]:
    error = f"{part.budget.max_mm:.2f} mm"
    return (
        part.label.name.replace("_", " "),
        f"{part.volume_ml:.1f} mL",
        f"{len(part.mesh.faces):,}",
        error,
        part.words,
    )
