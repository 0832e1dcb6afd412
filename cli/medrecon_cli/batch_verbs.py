"""`batch`: many studies overnight."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medrecon.errors import BatchError, UsageError
from medrecon_cli import options as opt
from medrecon_cli.grouped import grouped
from medrecon_cli.groups import Meshing, Talking
from medrecon_cli.terminal import Terminal

if TYPE_CHECKING:
    from medrecon.recipes.batch import BatchPlan, Standing

Certificate = Annotated[Path | None, typer.Option(show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("batch")(grouped(batch))


def batch(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Folder of studies.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Gets a folder for each study, and the tables.")
    ],
    executor: Annotated[
        str, typer.Option("--executor", metavar="local|dask://HOST:PORT", help="Who runs them.")
    ] = "local",
    jobs: Annotated[
        int | None,
        typer.Option("-j", "--jobs", min=1, help="Studies at a time. Default: one a core."),
    ] = None,
    shard: Annotated[
        str, typer.Option("--shard", metavar="i/n", help="Only the i-th of n parts.")
    ] = "1/1",
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=1, help="Seconds that a study may take.")
    ] = 3600.0,
    memory: Annotated[
        float | None,
        typer.Option("--memory", metavar="GB", min=0.01, help="Memory that a study may take."),
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option("--gpus", min=0, help="GPUs to share. Default: those there are."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Begin failed studies again.")
    ] = False,
    where: Annotated[
        bool, typer.Option("--where", help="Only print which folder each study's id stands for.")
    ] = False,
    tls_ca: Certificate = None,
    tls_cert: Certificate = None,
    tls_key: Certificate = None,
    modality: opt.DeclaredModality = None,
    tissue: opt.Tissues = None,
    model: opt.Models = None,
    labels: opt.Labels = None,
    device: opt.Device = "auto",
    deface: opt.Deface = False,
    spacing: opt.Spacing = "iso",
    formats: opt.Formats = "stl,3mf",
    preview: opt.Preview = True,
    *,
    meshing: Meshing,
    talking: Talking,
) -> None:
    """Every study below ROOT, each in a process of its own; started again, it goes on."""
    from medrecon import options as o
    from medrecon.batch.outcome import Budget, State
    from medrecon.recipes.batch import BatchPlan, list_studies, run_batch

    terminal = talking.terminal()
    if where and talking.quiet:
        raise UsageError("--where only prints, and --quiet forbids it; leave one out")
    if where:
        _tell_where(list_studies(root, output), terminal)
        return
    if executor.startswith("dask") and jobs is not None:
        raise UsageError("--jobs: with Dask the cluster says how many run at a time")
    options = o.Options(
        o.LoadOptions(modality=opt.modality_of(modality), deface=deface),
        o.SegmentOptions(opt.tuple_of(tissue), opt.tuple_of(model), opt.names_of(labels), device),
        meshing.options(),
        o.OutputOptions(opt.grid_of(spacing), opt.names_of(formats) or (), preview=preview),
    )
    plan = BatchPlan(
        executor=executor,
        jobs=jobs,
        shard=shard_of(shard),
        budget=Budget(timeout, None if memory is None else memory * 1000),
        retry_failed=retry_failed,
        gpus=gpus if gpus is not None else _gpus(options),
        tls=_tls(tls_ca, tls_cert, tls_key),
    )
    with _live_table(terminal, plan) as watch:
        standing = run_batch(root, output=output, options=options, plan=plan, watch=watch)
    rows = [r for r in standing.rows.values() if r.state is not State.DONE]
    if rows:
        cells = [(r.study, r.state.value, f"{r.reason} [{r.code}]") for r in rows]
        terminal.table(("study", "outcome", "reason"), cells)
    counts = {state: standing.count(state) for state in State}
    words = ", ".join(f"{number} {state.value}" for state, number in counts.items())
    terminal.say(f"{standing.studies} studies: {words}; tables in {output}")
    terminal.result(
        {
            "studies": standing.studies,
            "counts": {state.name.lower(): number for state, number in counts.items()},
            "rows": [r.as_json() for r in standing.rows.values()],
        }
    )
    if counts[State.FAILED]:
        raise BatchError(f"{counts[State.FAILED]} of {standing.studies} studies failed")


def _tell_where(folders: Mapping[str, Path], terminal: Terminal) -> None:
    """Each study's id beside the folder that it stands for."""
    terminal.table(("study", "folder"), [(k, str(v)) for k, v in folders.items()])
    terminal.result({"studies": {k: str(v) for k, v in folders.items()}})


def shard_of(text: str) -> tuple[int, int]:
    """The two numbers of `i/n`."""
    first, slash, second = text.partition("/")
    if not (slash and first.isdigit() and second.isdigit()):
        raise UsageError(f"--shard {text}; i/n expected, for example 1/8")
    return int(first), int(second)


def _gpus(options: Any) -> int:
    from medrecon.batch.gpus import count_gpus

    return count_gpus(options)


def _tls(authority: Path | None, certificate: Path | None, key: Path | None) -> Any:
    given = [p for p in (authority, certificate, key) if p is not None]
    if not given:
        return None
    if authority is None or certificate is None or key is None:
        raise UsageError("TLS needs --tls-ca, --tls-cert and --tls-key together")
    from medrecon.batch.dask_cluster import Tls

    return Tls(authority, certificate, key)


@contextmanager
def _live_table(terminal: Terminal, plan: BatchPlan) -> Iterator[Callable[[Standing], None]]:
    """Draws the batch's standing while the block runs, if somebody looks."""
    if not terminal.shows_progress:
        yield lambda standing: None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(file=sys.stderr), refresh_per_second=4) as live:

        def show(standing: Standing) -> None:
            live.update(_table(standing))

        yield show


def _table(standing: Standing) -> Any:
    from rich.table import Table

    from medrecon.batch.outcome import State

    table = Table(title=f"{len(standing.rows)} of {standing.studies} studies")
    for heading in ("study", "outcome", "seconds", "reason"):
        table.add_column(heading)
    for study in standing.running:
        table.add_row(study, "running", "", "")
    latest = list(standing.rows.values())[-8:]
    for row in reversed(latest):
        table.add_row(row.study, row.state.value, f"{row.seconds:.1f}", row.reason)
    counts = ", ".join(f"{standing.count(s)} {s.value}" for s in State)
    table.caption = counts
    return table
