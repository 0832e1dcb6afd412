"""Two hundred studies, every tenth of them poisoned, and a parent that is killed."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from drive import OPTIONS
from studies import POISONS, write_studies

from medrecon.batch.agreed import agree_on_options, options_to_keep
from medrecon.batch.dask_cluster import Tls
from medrecon.batch.journal import Journal, read_history
from medrecon.batch.outcome import Outcome, State
from medrecon.batch.study import Study, batch_key, named_studies, shard_of
from medrecon.dicom.studies import files_by_study
from medrecon.errors import ModelMissingError, NoSeriesError, OutputError, UsageError
from medrecon.models.store import shipped_folder
from medrecon.options import Options, as_plain
from medrecon.privacy.audit import audit_folder
from medrecon.recipes.batch import BatchPlan, list_studies, run_batch

HERE = Path(__file__).parent
CODES = {"hang": "timeout", "segfault": "crash", "memory": "memory", "bad": "pixel-data"}


def start(root: Path, output: Path, **plan: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, HERE / "drive.py", root, output, json.dumps(plan)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(HERE)},
    )


def drive(root: Path, output: Path, **plan: object) -> dict[str, list[str]]:
    with start(root, output, **plan) as child:
        said, errors = child.communicate(timeout=1500)
    assert child.returncode == 0, errors
    return json.loads(said)


def check(made: dict[str, list[str]], root: Path, output: Path) -> None:
    """Every good study was done once, every bad one has one row with its reason."""
    with (output / "summary.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == sum(len(names) for names in made.values())
    assert len({r["study"] for r in rows}) == len(rows)
    where = {study: folder.name for study, folder in list_studies(root, output).items()}
    found = {where[r["study"]]: r for r in rows}
    for name in made["good"]:
        assert found[name]["outcome"] == "done", found[name]
    for kind in POISONS:
        for name in made[kind]:
            assert found[name]["outcome"] == "failed"
            assert found[name]["code"] == CODES[kind], found[name]
            assert found[name]["reason"]
    good = {study for study, name in where.items() if name in set(made["good"])}
    finished = Counter((output.parent / "finished.txt").read_text().split())
    assert set(finished) <= good
    assert set(finished.values()) == {1}
    assert {p.parent.name for p in output.glob("*/run.json")} == good
    assert not list(output.glob("*/.unfinished"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_studies_and_a_parent_killed_again_and_again(tmp_path):
    root, output = tmp_path / "root", tmp_path / "out"
    made = write_studies(root, 200)
    dice = random.Random(7)
    for _ in range(6):
        child = start(root, output)
        time.sleep(dice.uniform(0.5, 9))
        child.kill()
        child.communicate()
    drive(root, output)
    check(made, root, output)


def test_a_batch_ends_with_one_row_for_each_study(tmp_path):
    root, output = tmp_path / "root", tmp_path / "out"
    made = write_studies(root, 8, every=2)
    said = drive(root, output, timeout_s=40.0)
    check(made, root, output)
    assert Counter(state for state, _ in said.values()) == {"done": 4, "failed": 4}
    page = (output / "summary.html").read_text()
    assert "segmentation fault" in page
    # Started again, nothing is done again.
    before = (output / "journal" / "1-of-1.jsonl").read_bytes()
    assert drive(root, output) == said
    assert (output / "journal" / "1-of-1.jsonl").read_bytes() == before


def test_shards_share_the_studies_out_without_a_coordinator(tmp_path):
    root, output = tmp_path / "root", tmp_path / "out"
    made = write_studies(root, 6, every=99)
    for i in (1, 2):
        drive(root, output, shard=[i, 2])
    check(made, root, output)


def find_studies(root: Path, key: bytes) -> tuple[tuple[Study, ...], int]:
    """Every study below a folder, and how many files are no image."""
    found, aside = files_by_study(root)
    return named_studies(found, key), aside


def test_shards_are_disjoint_and_complete(tmp_path):
    write_studies(tmp_path / "root", 12, every=99)
    studies, aside = find_studies(tmp_path / "root", b"k" * 32)
    parts = [shard_of(studies, i, 5) for i in range(1, 6)]
    assert sorted(s.id for part in parts for s in part) == [s.id for s in studies]
    assert (len(studies), aside) == (12, 0)
    with pytest.raises(UsageError, match="1 to 5"):
        shard_of(studies, 6, 5)


def test_a_study_scattered_over_folders_is_one_and_a_broken_file_joins_its_folder(tmp_path):
    write_studies(tmp_path / "root", 1)
    files = sorted((tmp_path / "root" / "study-0000").iterdir())
    (tmp_path / "root" / "elsewhere").mkdir()
    files[0].rename(tmp_path / "root" / "elsewhere" / "x")
    (tmp_path / "root" / "study-0000" / "broken.dcm").write_bytes(b"\0" * 500)
    (tmp_path / "root" / "letter.txt").write_text("Dear colleague")
    (study,), aside = find_studies(tmp_path / "root", b"k" * 32)
    assert len(study.files) == len(files) + 1
    assert aside == 1


def test_an_id_cannot_be_guessed_without_the_key_and_is_the_same_with_it(tmp_path):
    write_studies(tmp_path / "root", 2, every=99)
    one, two = (find_studies(tmp_path / "root", k * 32)[0] for k in (b"a", b"b"))
    assert {s.id for s in one}.isdisjoint({s.id for s in two})
    assert one == find_studies(tmp_path / "root", b"a" * 32)[0]
    key = batch_key(tmp_path)
    assert key == batch_key(tmp_path)
    assert (tmp_path / "batch.key").stat().st_mode & 0o077 == 0


def test_a_torn_last_line_of_the_journal_is_read_over(tmp_path):
    path = tmp_path / "journal" / "1-of-1.jsonl"
    with Journal(path) as journal:
        journal.begin("a")
        journal.end(Outcome("a", State.DONE))
    path.write_bytes(path.read_bytes() + b'{"event": "ended", "study": "b", "sta')
    with Journal(path) as journal:
        journal.end(Outcome("c", State.FAILED, "gap", "a gap"))
    history = read_history(tmp_path)
    assert set(history.ended) == {"a", "c"}
    assert history.ended["c"].reason == "a gap"


def test_the_last_word_on_a_study_is_the_latest_whichever_shard_spoke_it(tmp_path):
    with Journal(tmp_path / "journal" / "2-of-2.jsonl") as journal:
        journal.end(Outcome("s", State.FAILED, "gap", "a gap"))
    with Journal(tmp_path / "journal" / "1-of-1.jsonl") as journal:
        journal.end(Outcome("s", State.DONE))
    assert read_history(tmp_path).ended["s"].state is State.DONE


def begun(output: Path, options: Options) -> None:
    """A batch that stopped before its first study."""
    output.mkdir()
    agree_on_options(output, options, options_to_keep(options))


def asking(**choices: object) -> Options:
    segment, output = dataclasses.replace(OPTIONS.segment), dataclasses.replace(OPTIONS.output)
    for name, value in choices.items():
        if hasattr(segment, name):
            segment = dataclasses.replace(segment, **{name: value})
        else:
            output = dataclasses.replace(output, **{name: value})
    return dataclasses.replace(OPTIONS, segment=segment, output=output)


@pytest.mark.parametrize(
    "wrong", [{"tissues": ("foo",)}, {"formats": ("stl", "foo")}, {"device": "cuda:one"}]
)
def test_options_that_fit_no_study_are_refused_before_anything_is_written(tmp_path, wrong):
    write_studies(tmp_path / "root", 1)
    with pytest.raises(UsageError):
        run_batch(tmp_path / "root", output=tmp_path / "out", options=asking(**wrong))
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_not_there_is_missed_before_anything_is_written(tmp_path):
    write_studies(tmp_path / "root", 1)
    with pytest.raises(ModelMissingError):
        run_batch(tmp_path / "root", output=tmp_path / "out", options=asking(models=("no_such",)))
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_study_is_no_batch(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "letter.txt").write_text("Dear colleague")
    with pytest.raises(NoSeriesError, match="no study"):
        run_batch(tmp_path / "root", output=tmp_path / "out", options=OPTIONS)
    assert not (tmp_path / "out").exists()


def model_called(folder: Path, version: str) -> str:
    """A folder with a manifest as any model has one; its weights are never looked at."""
    (shipped,) = shipped_folder().glob("phantom_torso/manifest.toml")
    folder.mkdir(parents=True)
    text = re.sub(r"(?m)^name = .*$", 'name = "own"', shipped.read_text(), count=1)
    text = re.sub(r"(?m)^version = .*$", f'version = "{version}"', text, count=1)
    (folder / "manifest.toml").write_text(text)
    return str(folder)


def test_a_model_s_folder_can_bear_a_patient_s_name_so_the_batch_keeps_its_hash(tmp_path):
    one = model_called(tmp_path / "Mustermann_Erika" / "a", "1.0.0")
    begun(tmp_path / "out", asking(models=(one,)))
    assert "Mustermann" not in (tmp_path / "out" / "batch.json").read_text()
    assert audit_folder(tmp_path / "out") == []
    # The same model moved is the same; another in a folder of its name is not.
    moved = model_called(tmp_path / "elsewhere", "1.0.0")
    same = asking(models=(moved,))
    agree_on_options(tmp_path / "out", same, options_to_keep(same))
    other = asking(models=(model_called(tmp_path / "other" / "a", "2.0.0"),))
    with pytest.raises(UsageError, match=r"segment\.models"):
        agree_on_options(tmp_path / "out", other, options_to_keep(other))


def test_a_batch_begun_when_paths_were_kept_goes_on(tmp_path):
    one, two = (model_called(tmp_path / name, "1.0.0") for name in "ab")
    earlier = {"schema_version": 1, "options": as_plain(asking(models=(one,)))}
    (tmp_path / "batch.json").write_text(json.dumps(earlier))
    agree_on_options(tmp_path, asking(models=(one,)), options_to_keep(asking(models=(one,))))
    with pytest.raises(UsageError, match=r"segment\.models"):
        agree_on_options(tmp_path, asking(models=(two,)), options_to_keep(asking(models=(two,))))


def test_ids_are_told_of_a_batch_that_was_begun_and_nothing_is_written(tmp_path):
    write_studies(tmp_path / "root", 1)
    (tmp_path / "out").mkdir()
    for output in (tmp_path / "out", tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="no batch was begun"):
            list_studies(tmp_path / "root", output)
    assert not list((tmp_path / "out").iterdir())
    batch_key(tmp_path / "out")
    assert len(list_studies(tmp_path / "root", tmp_path / "out")) == 1


def test_certificates_without_a_cluster_are_refused(tmp_path):
    write_studies(tmp_path / "root", 1)
    tls = Tls(Path("ca.pem"), Path("cert.pem"), Path("key.pem"))
    with pytest.raises(UsageError, match="certificates"):
        run_batch(
            tmp_path / "root", output=tmp_path / "out", options=OPTIONS, plan=BatchPlan(tls=tls)
        )
    assert not (tmp_path / "out").exists()


def test_other_options_are_refused_in_a_folder_that_has_a_batch(tmp_path):
    write_studies(tmp_path / "root", 1)
    begun(tmp_path / "out", OPTIONS)
    with pytest.raises(UsageError, match=r"segment\.tissues"):
        run_batch(tmp_path / "root", output=tmp_path / "out", options=Options())


def test_two_batches_cannot_work_in_one_folder(tmp_path, monkeypatch):
    from medrecon.batch import lock

    monkeypatch.setattr(lock, "PATIENCE_S", 0.2)
    write_studies(tmp_path / "root", 1)
    (tmp_path / "out").mkdir()
    with (
        lock.only_one(tmp_path / "out" / ".lock-1-of-1"),
        pytest.raises(OutputError, match="another batch"),
    ):
        run_batch(tmp_path / "root", output=tmp_path / "out", options=OPTIONS)


def test_an_unknown_executor_is_a_usage_error(tmp_path):
    write_studies(tmp_path / "root", 1)
    with pytest.raises(UsageError, match="dask://"):
        run_batch(
            tmp_path / "root",
            output=tmp_path / "out",
            options=OPTIONS,
            plan=BatchPlan(executor="slurm"),
        )
