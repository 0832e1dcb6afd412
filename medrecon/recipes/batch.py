"""Many studies, each in a process of its own, in a way that survives being killed."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from medrecon.batch.agreed import agree_on_options, check_options, options_to_keep
from medrecon.batch.job import RECONSTRUCT, Job
from medrecon.batch.journal import FOLDER, Journal, read_history
from medrecon.batch.local import Begun, LocalPool
from medrecon.batch.lock import one_division, only_one
from medrecon.batch.outcome import Budget, Outcome, State
from medrecon.batch.study import (
    Study,
    batch_key,
    kept_key,
    named_studies,
    shard_of,
)
from medrecon.batch.table import write_tables
from medrecon.dicom.studies import files_by_study
from medrecon.errors import DamagedInputError, NoSeriesError, UsageError
from medrecon.files.atomic import RUN_FILE, as_output_error
from medrecon.options import Options

LOCAL = "local"


class Executor(Protocol):
    """Whoever runs jobs: this machine's cores, or a cluster."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Begun | Outcome]:
        """What begins and ends, as it does."""
        ...


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How a batch is run; nothing here changes a result.

    Parameters
    ----------
    executor : str
        "local" or `dask://host:port`.
    jobs : int or None
        Studies at a time on this machine; None: one for each core.
    shard : tuple of int
        (i, n): the i-th of n parts, from 1.
    budget : Budget
    retry_failed : bool
        Begin failed studies again.
    gpus : int
        GPUs for networks, one study at a time on each.
    tls : object or None
        `dask_cluster.Tls` for a Dask cluster that speaks TLS.
    work : str
        What a study's process calls.
    """

    executor: str = LOCAL
    jobs: int | None = None
    shard: tuple[int, int] = (1, 1)
    budget: Budget = field(default_factory=Budget)
    retry_failed: bool = False
    gpus: int = 0
    tls: Any = None
    work: str = RECONSTRUCT


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a batch is: told whenever a study begins or ends."""

    studies: int
    running: tuple[str, ...]
    rows: Mapping[str, Outcome]

    def count(self, state: State) -> int:
        """Studies that ended so."""
        return sum(r.state is state for r in self.rows.values())


Watch = Callable[[Standing], None]


def run_batch(
    root: Path,
    *,
    output: Path,
    options: Options,
    plan: BatchPlan | None = None,
    watch: Watch = lambda standing: None,
) -> Standing:
    """Reconstruct every study below a folder that has no outcome yet.

    Started again in the same output folder, it goes on where it was stopped: what is
    finished is kept, what was interrupted is resumed, and what failed keeps its row.

    Parameters
    ----------
    root : Path
        Folder of DICOM files, archives and volumes at any depth.
    output : Path
        Gets a folder for each study, called by its keyed hash, and the tables.
    options : Options
        The same for every study.
    plan : BatchPlan, optional
    watch : callable
        Told how far it is.

    Raises
    ------
    UsageError
        If the plan or the options cannot be followed, or the output folder holds a batch
        with other options.
    NoSeriesError
        If there is no study below the root; nothing is written then.
    ModelMissingError
        If a model that is named is not there.
    OutputError
        If it cannot be written or another batch is at work in it.
    UnreadableInputError
        If the root cannot be opened.
    """
    plan = plan or BatchPlan()
    index, count = plan.shard
    _check_plan(plan)
    check_options(options)
    asked = options_to_keep(options)
    found, _ = files_by_study(root)
    if not found:
        raise NoSeriesError("no study below the folder: neither DICOM files nor volumes")
    with as_output_error():
        output.mkdir(parents=True, exist_ok=True)
    with only_one(output / f".lock-{index}-of-{count}") as lock, one_division(output, count) as one:
        with only_one(output / ".lock-options"):
            agree_on_options(output, options, asked)
        mine = shard_of(named_studies(found, batch_key(output)), index, count)
        ledger = _Ledger(mine, watch)
        with Journal(output / FOLDER / f"{index}-of-{count}.jsonl") as journal:
            jobs = _left_to_do(mine, output, options, plan, ledger, journal)
            if jobs:
                with _executor(plan, (lock, one)) as executor:
                    ledger.follow(executor.run(jobs), journal)
        # Two shards that end together: the last table is to have the rows of both.
        with only_one(output / ".lock-tables"):
            write_tables(list(read_history(output).ended.values()), output)
    return Standing(len(mine), (), ledger.rows)


def list_studies(root: Path, output: Path) -> dict[str, Path]:
    """Which folder each study's id stands for; for the eyes of who may see the names.

    Nothing of this is ever written.

    Raises
    ------
    UsageError
        If no batch was begun in the output folder, so that there are no ids yet.
    UnreadableInputError
        If the root cannot be opened.
    """
    key = kept_key(output)
    if key is None:
        raise UsageError("no batch was begun in that output folder, so no study has an id yet")
    studies = named_studies(files_by_study(root)[0], key)
    return {s.id: Path(os.path.commonpath([f.parent for f in s.files])) for s in studies}


class _Ledger:
    """Rows so far, and who is under way."""

    def __init__(self, studies: Sequence[Study], watch: Watch) -> None:
        self.rows: dict[str, Outcome] = {}
        self._running: dict[str, None] = {}
        self._studies = len(studies)
        self._watch = watch

    def enter(self, outcome: Outcome) -> None:
        self._running.pop(outcome.study, None)
        self.rows[outcome.study] = outcome
        self.tell()

    def follow(self, events: Iterable[Begun | Outcome], journal: Journal) -> None:
        for event in events:
            if isinstance(event, Begun):
                journal.begin(event.study)
                self._running[event.study] = None
                self.tell()
            else:
                journal.end(event)
                self.enter(event)

    def tell(self) -> None:
        self._watch(Standing(self._studies, tuple(self._running), dict(self.rows)))


def _left_to_do(
    studies: Sequence[Study],
    output: Path,
    options: Options,
    plan: BatchPlan,
    ledger: _Ledger,
    journal: Journal,
) -> list[Job]:
    """Jobs for the studies without an outcome; what is finished enters the ledger."""
    ended = read_history(output).ended
    jobs = []
    for study in studies:
        folder = output / study.id
        row = _still_holds(ended.get(study.id), folder, retry_failed=plan.retry_failed)
        if row is None and (folder / RUN_FILE).is_file():
            # It was finished, and its process or the parent was killed before it said so.
            row = _outcome_of_run(study.id, folder)
            journal.end(row)
        if row is not None:
            ledger.enter(row)
            continue
        files = tuple(str(f) for f in study.files)
        jobs.append(Job(study.id, files, str(folder.resolve()), with_resume(options), plan.gpus))
    return jobs


def _still_holds(row: Outcome | None, folder: Path, *, retry_failed: bool) -> Outcome | None:
    """The row, unless it is to be tried again, or its files were taken away since."""
    if row is None or (row.state is State.FAILED and retry_failed):
        return None
    if row.state is not State.FAILED and not (folder / RUN_FILE).is_file():
        return None
    return row


def _outcome_of_run(study: str, folder: Path) -> Outcome:
    """What a finished run's record says; a damaged one costs that study only."""
    try:
        meshes = json.loads((folder / "quality.json").read_text("utf-8"))["meshes"]
        failed = [name for name, row in meshes.items() if not row["passed"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        reason = "its finished run is damaged; remove its folder, then pass --retry-failed"
        return Outcome(study, State.FAILED, DamagedInputError.code, reason)
    if not failed:
        return Outcome(study, State.DONE, structures=tuple(meshes))
    reason = f"not for print: {', '.join(failed)}"
    return Outcome(study, State.GATE, "quality", reason, tuple(meshes))


def _check_plan(plan: BatchPlan) -> None:
    """Refuse a plan that cannot be followed, before anything is written."""
    from medrecon.batch.dask_cluster import PREFIX

    if plan.executor == LOCAL:
        if plan.tls is not None:
            raise UsageError(f"certificates are for --executor {PREFIX}host:port; local needs none")
    elif not plan.executor.startswith(PREFIX):
        raise UsageError(f"--executor {plan.executor}; local or {PREFIX}host:port expected")
    shard_of((), *plan.shard)
    memory_mb = plan.budget.memory_mb
    if not plan.budget.timeout_s > 0 or not (memory_mb is None or 0 < memory_mb < math.inf):
        raise UsageError("--timeout and --memory: a number over 0 expected; none for no limit")


def _executor(plan: BatchPlan, locks: tuple[int, ...]) -> AbstractContextManager[Executor]:
    if plan.executor == LOCAL:
        jobs = plan.jobs or os.cpu_count() or 1
        return LocalPool(jobs, plan.budget, work=plan.work, locks=locks)
    from medrecon.batch.dask_cluster import DaskCluster

    return DaskCluster(plan.executor, plan.budget, tls=plan.tls, work=plan.work)


def with_resume(options: Options) -> Options:
    """The options with which a study goes on where an earlier process was killed."""
    return dataclasses.replace(options, output=dataclasses.replace(options.output, resume=True))
