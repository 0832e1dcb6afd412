"""A batch that is begun again, beside another, on a full disk or without its helper."""

from __future__ import annotations

import json
import math
import os
import shutil
import threading
from pathlib import Path

import pytest
from drive import OPTIONS
from studies import write_studies

from medrecon.batch import journal as journals
from medrecon.batch import lock
from medrecon.batch.dask_cluster import run_one
from medrecon.batch.job import Job
from medrecon.batch.journal import Journal, read_history
from medrecon.batch.local import LocalPool
from medrecon.batch.outcome import Budget, Outcome, State
from medrecon.errors import OutputError, UsageError
from medrecon.recipes.batch import BatchPlan, Standing, run_batch

FINISHED = {"meshes": {"bone": {"passed": True}}}


def batch(folder: Path, **plan: object) -> Standing:
    """A batch whose studies end at once, finished (`work` below)."""
    chosen = {"jobs": 1, "work": "test_batch_again:work"} | plan
    return run_batch(
        folder / "root", output=folder / "out", options=OPTIONS, plan=BatchPlan(**chosen)
    )


def work(job: dict[str, object]) -> dict[str, object]:
    """What a study's process does here: the two files that say that it is finished."""
    folder = Path(str(job["output"]))
    if (folder / "run.json").exists():
        reason = "the output folder is not empty"
        return Outcome(str(job["study"]), State.FAILED, "output-exists", reason).as_json()
    finish(folder)
    return Outcome(str(job["study"]), State.DONE, structures=("bone",)).as_json()


def finish(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "quality.json").write_text(json.dumps(FINISHED))
    (folder / "run.json").write_text("{}")


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A folder of two studies and the batch of them, both done."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(lock, "PATIENCE_S", 0.2)
    write_studies(tmp_path / "root", 2, every=99)
    standing = batch(tmp_path)
    assert standing.count(State.DONE) == 2
    return tmp_path, sorted(standing.rows)


def test_a_study_whose_results_were_taken_away_is_made_again(begun):
    folder, (one, two) = begun
    shutil.rmtree(folder / "out" / one)
    kept = (folder / "out" / two / "run.json").stat().st_mtime_ns
    assert batch(folder).count(State.DONE) == 2
    assert (folder / "out" / one / "run.json").is_file()
    assert (folder / "out" / two / "run.json").stat().st_mtime_ns == kept


def test_a_study_that_was_finished_when_it_was_stopped_is_not_tried_into_its_own_files(begun):
    """Its last moment was the limit's: the files are whole, and the row says timeout."""
    folder, (one, _) = begun
    with Journal(folder / "out" / "journal" / "1-of-1.jsonl") as journal:
        journal.end(Outcome(one, State.FAILED, "timeout", "stopped after its 1 s"))
    assert batch(folder).rows[one].state is State.FAILED
    assert batch(folder, retry_failed=True).rows[one].state is State.DONE


def test_one_damaged_run_does_not_stop_the_others(begun):
    folder, (one, two) = begun
    shutil.rmtree(folder / "out" / "journal")
    (folder / "out" / one / "quality.json").write_text("{")
    rows = batch(folder).rows
    assert (rows[one].state, rows[one].code) == (State.FAILED, "damaged")
    assert rows[two].state is State.DONE


@pytest.mark.parametrize(("at_work", "wanted"), [(2, (1, 1)), (1, (1, 2)), (3, (2, 4))])
def test_two_divisions_of_one_batch_do_not_run_at_once(begun, at_work, wanted):
    folder, _ = begun
    with (
        lock.one_division(folder / "out", at_work),
        pytest.raises(OutputError, match="not shared out among"),
    ):
        batch(folder, shard=wanted)
    assert batch(folder, shard=wanted).count(State.FAILED) == 0


def test_shards_of_one_division_run_at_once(begun):
    folder, _ = begun
    with lock.one_division(folder / "out", 2):
        assert batch(folder, shard=(1, 2)).count(State.FAILED) == 0


def test_the_table_of_a_shard_waits_for_that_of_another(begun, monkeypatch):
    folder, _ = begun
    monkeypatch.setattr(lock, "PATIENCE_S", 20.0)
    (folder / "out" / "summary.csv").unlink()
    with lock.only_one(folder / "out" / ".lock-tables"):
        other = threading.Thread(target=batch, args=(folder,))
        other.start()
        other.join(1.0)
        assert not (folder / "out" / "summary.csv").exists()
    other.join(30)
    assert (folder / "out" / "summary.csv").is_file()


def test_a_disk_that_takes_half_a_line_tears_none(tmp_path, monkeypatch):
    write = os.write

    class Stingy:
        """The operating system, whose disk takes ten bytes at a time."""

        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def write(self, descriptor: int, content: bytes) -> int:
            return write(descriptor, bytes(content)[:10])

    monkeypatch.setattr(journals, "os", Stingy())
    with Journal(tmp_path / "journal" / "1-of-1.jsonl") as journal:
        journal.begin("a")
        journal.end(Outcome("a", State.DONE))
    history = read_history(tmp_path)
    assert (history.begun, list(history.ended)) == ({"a": 1}, ["a"])


def test_a_helper_that_ends_between_two_studies_is_said_and_replaced(begun):
    """A broken pipe would end the batch, and exit 0 means that all went well."""
    folder, _ = begun
    jobs = [Job(name, (), str(folder / name), OPTIONS) for name in ("a", "b", "c")]
    said = []
    with LocalPool(1, Budget(), work="test_batch_again:work") as pool:
        for event in pool.run(jobs):
            if isinstance(event, Outcome):
                said.append((event.study, event.state.value, event.code))
                if event.study == "a":
                    assert pool._nursery is not None
                    pool._nursery.kill()
                    pool._nursery.wait()
    assert said == [("a", "done", ""), ("b", "failed", "crash"), ("c", "done", "")]


@pytest.mark.parametrize(
    "budget",
    [Budget(math.nan), Budget(0.0), Budget(60.0, math.nan), Budget(60.0, math.inf), Budget(9, 0)],
)
def test_a_budget_that_is_no_number_is_refused(tmp_path, budget):
    write_studies(tmp_path / "root", 1)
    with pytest.raises(UsageError, match="--timeout and --memory"):
        batch(tmp_path, budget=budget)
    assert not (tmp_path / "out").exists()


def test_a_worker_that_cannot_start_a_study_says_so_and_logs_no_files(monkeypatch):
    """Dask logs the arguments of what fails, and among them are the names of files."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("medrecon.batch.dask_cluster.subprocess.Popen", refuse)
    answer = run_one({"study": "0f", "job": {"files": ["/in/Zwitscherling.dcm"]}}, [])
    assert (answer["study"], answer["ending"], answer["outcome"]) == ("0f", "signal", None)
