"""`seg+mesh`, `seg` and `mesh`: the road and its halves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from medrecon.errors import QualityGateError, UsageError
from medrecon_cli import options as opt
from medrecon_cli import print_options as prints
from medrecon_cli.terminal import Terminal

if TYPE_CHECKING:
    from medrecon.options import LoadOptions
    from medrecon.outputs.run import Run


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("seg+mesh")(seg_and_mesh)
    app.command("seg")(seg)
    app.command("mesh")(mesh)


def seg_and_mesh(
    argument: opt.Input = None,
    source: opt.InputAlias = None,
    output: opt.Output = None,
    series: opt.Series = None,
    frame: opt.Frame = None,
    fill_gaps: opt.FillGaps = False,
    skip_bad: opt.SkipBad = False,
    modality: opt.DeclaredModality = None,
    tissue: opt.Tissues = None,
    model: opt.Models = None,
    labels: opt.Labels = None,
    device: opt.Device = "auto",
    force_model: opt.ForceModel = False,
    tta: opt.Tta = False,
    channel: opt.Channels = None,
    registered: opt.Registered = False,
    spacing: opt.Spacing = "iso",
    formats: opt.Formats = "stl,3mf",
    tolerance_mm: opt.Tolerance = 0.1,
    target_faces: opt.TargetFaces = None,
    accept_mm: opt.Accept = 1.0,
    smooth: opt.Smooth = "none",
    preview: opt.Preview = True,
    fields: opt.Fields = True,
    max_memory: opt.MaxMemory = None,
    deface: opt.Deface = False,
    force: opt.Force = False,
    resume: opt.Resume = False,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    no_progress: opt.NoProgress = False,
) -> None:
    """From a scan to judged meshes: the whole road."""
    from medrecon import options as o
    from medrecon.pipeline import reconstruct

    load = _load(series, frame, fill_gaps, skip_bad, modality, max_memory, deface)
    image, first, channels = opt.images(argument, source, channel)
    segment = o.SegmentOptions(
        tuple_of(tissue),
        tuple_of(model),
        opt.names_of(labels),
        device,
        force_model,
        tta,
        registered,
        first,
    )
    options = o.Options(
        load,
        segment,
        o.MeshOptions(tolerance_mm, target_faces, accept_mm, opt.smoothing_of(smooth)),
        o.OutputOptions(
            grid_of(spacing), opt.names_of(formats) or (), force, preview, fields, resume
        ),
    )
    terminal = Terminal(quiet=quiet, as_json=as_json, no_progress=no_progress)
    folder = output or new_folder()
    with terminal.progress() as progress:
        run = reconstruct(
            image, output=folder, options=options, channels=channels, progress=progress
        )
    tell_meshes(run, terminal)


def seg(
    argument: opt.Input = None,
    source: opt.InputAlias = None,
    output: opt.Output = None,
    series: opt.Series = None,
    frame: opt.Frame = None,
    fill_gaps: opt.FillGaps = False,
    skip_bad: opt.SkipBad = False,
    modality: opt.DeclaredModality = None,
    tissue: opt.Tissues = None,
    model: opt.Models = None,
    labels: opt.Labels = None,
    device: opt.Device = "auto",
    force_model: opt.ForceModel = False,
    tta: opt.Tta = False,
    channel: opt.Channels = None,
    registered: opt.Registered = False,
    spacing: opt.Spacing = "iso",
    max_memory: opt.MaxMemory = None,
    deface: opt.Deface = False,
    force: opt.Force = False,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    no_progress: opt.NoProgress = False,
) -> None:
    """From a scan to a label map and soft fields; `mesh` makes surfaces of them."""
    from medrecon import options as o
    from medrecon.pipeline import segment_study

    load = _load(series, frame, fill_gaps, skip_bad, modality, max_memory, deface)
    image, first, channels = opt.images(argument, source, channel)
    segment = o.SegmentOptions(
        tuple_of(tissue),
        tuple_of(model),
        opt.names_of(labels),
        device,
        force_model,
        tta,
        registered,
        first,
    )
    written = o.OutputOptions(grid_of(spacing), (), force)
    options = o.Options(load, segment, output=written)
    terminal = Terminal(quiet=quiet, as_json=as_json, no_progress=no_progress)
    folder = output or new_folder()
    with terminal.progress() as progress:
        run = segment_study(
            image, output=folder, options=options, channels=channels, progress=progress
        )
    _tell(run, terminal)


def mesh(
    argument: opt.Segmented = None,
    source: opt.InputAlias = None,
    output: opt.Output = None,
    table: opt.Table = None,
    labels: opt.Labels = None,
    formats: opt.Formats = "stl,3mf",
    tolerance_mm: opt.Tolerance = 0.1,
    target_faces: opt.TargetFaces = None,
    accept_mm: opt.Accept = 1.0,
    smooth: opt.Smooth = "none",
    preview: opt.Preview = True,
    fields: opt.Fields = True,
    process: prints.Print = None,
    prepare: prints.Prepare = None,
    force: opt.Force = False,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    no_progress: opt.NoProgress = False,
) -> None:
    """From a run's fields, a label map or a folder of masks to judged meshes."""
    from medrecon import options as o
    from medrecon.recipes.meshing import mesh_segmented

    options = o.Options(
        segment=o.SegmentOptions(labels=opt.names_of(labels)),
        mesh=o.MeshOptions(tolerance_mm, target_faces, accept_mm, opt.smoothing_of(smooth)),
        output=o.OutputOptions(o.Grid.NATIVE, opt.names_of(formats) or (), force, preview, fields),
    )
    copies = prints.print_options(process, prepare, options.output.formats)
    source = opt.the_input(argument, source)
    terminal = Terminal(quiet=quiet, as_json=as_json, no_progress=no_progress)
    folder = output or new_folder()
    with terminal.progress() as progress:
        run = mesh_segmented(source, output=folder, options=options, table=table, progress=progress)
    bad = prints.print_copies(folder, copies, terminal, force=force) if copies else []
    tell_meshes(run, terminal)
    prints.refuse(bad)


def _load(
    series: int | None,
    frame: int | None,
    fill_gaps: bool,
    skip_bad: bool,
    modality: str | None,
    max_memory: float | None,
    deface: bool,
) -> LoadOptions:
    from medrecon import options as o

    declared = modality_of(modality)
    return o.LoadOptions(
        series, frame, fill_gaps, skip_bad, declared, max_memory_gb=max_memory, deface=deface
    )


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


def tuple_of(names: list[str] | None) -> tuple[str, ...] | None:
    """What a repeatable option was given; None if nothing."""
    return tuple(names) if names else None


def modality_of(name: str | None) -> Any:
    """The modality that --modality names."""
    from medrecon.core import Modality

    if name is None:
        return None
    try:
        return Modality[name.upper()]
    except KeyError:
        raise UsageError(f"--modality {name}; CT or MR expected") from None


def grid_of(text: str) -> Any:
    """The grid that --spacing names."""
    from medrecon.options import Grid

    if text in {grid.value for grid in Grid}:
        return Grid(text)
    try:
        spacing_mm = float(text)
    except ValueError:
        raise UsageError(f"--spacing {text}; iso, native or a number of mm expected") from None
    if not 0.05 <= spacing_mm <= 20:
        raise UsageError(f"--spacing {text}; between 0.05 and 20 mm expected")
    return spacing_mm
