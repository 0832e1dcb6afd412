"""A folder that was stopped half-way says so, and the next run puts it right."""

from __future__ import annotations

import json

import pytest

from medrecon.errors import GapError, OutputError, OutputExistsError
from medrecon.files.atomic import write_json
from medrecon.files.output_folder import OutputFolder


class PowerCutError(BaseException):
    """The machine stops; nothing is cleaned up."""


def fill(folder: OutputFolder, *names: str) -> None:
    for name in names:
        (folder.staging / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.staging / name).write_text(f"new {name}")
    write_json(folder.staging / "run.json", {"outputs": dict.fromkeys(names, "")})


def finish_until(folder: OutputFolder, moves: int, monkeypatch) -> None:
    """Finish, but the power fails after so many files were moved."""
    from medrecon.files import output_folder

    left = iter(range(moves))

    def fail(_path):
        if next(left, None) is None:
            raise PowerCutError

    monkeypatch.setattr(output_folder, "sync_folder", fail)
    monkeypatch.setattr(OutputFolder, "_clear", lambda self: self._lock.release())
    with pytest.raises(PowerCutError), folder:
        fill(folder, "a", "meshes/b", "c")
        folder.finish()
    monkeypatch.undo()


@pytest.mark.parametrize("moves", range(3))
@pytest.mark.parametrize("resume", [False, True])
def test_a_run_stopped_while_files_are_moved_is_unfinished_and_can_be_run_again(
    tmp_path, monkeypatch, moves, resume
):
    run = tmp_path / "run"
    finish_until(OutputFolder(run), moves, monkeypatch)
    assert not (run / "run.json").exists()
    with OutputFolder(run, resume=resume) as folder:
        assert not (run / "a").exists()
        fill(folder, "a")
        folder.finish()
    assert {p.name for p in run.iterdir()} == {"a", "run.json"}


@pytest.mark.parametrize("moves", range(3))
def test_what_an_overwritten_run_left_does_not_survive_a_power_cut(tmp_path, monkeypatch, moves):
    run = tmp_path / "run"
    with OutputFolder(run) as folder:
        fill(folder, "a", "old")
        folder.finish()
    finish_until(OutputFolder(run, overwrite=True), moves, monkeypatch)
    with OutputFolder(run) as folder:
        fill(folder, "d")
        folder.finish()
    assert {p.name for p in run.iterdir()} == {"d", "run.json"}


def test_strangers_in_a_stopped_folder_are_still_refused(tmp_path, monkeypatch):
    run = tmp_path / "run"
    finish_until(OutputFolder(run), 1, monkeypatch)
    (run / "letter.txt").write_text("mine")
    with pytest.raises(OutputExistsError), OutputFolder(run):
        pass
    assert (run / "letter.txt").read_text() == "mine"


def test_a_hostile_list_of_moved_files_reaches_nothing_outside(tmp_path):
    run = tmp_path / "run"
    (run / ".stages").mkdir(parents=True)
    (tmp_path / "precious").write_text("keep")
    content = {"moved": ["../precious"], "removed": ["../precious"]}
    (run / ".stages" / "moving.json").write_text(json.dumps(content))
    with OutputFolder(run) as folder:
        fill(folder, "a")
        folder.finish()
    assert (tmp_path / "precious").read_text() == "keep"


@pytest.mark.parametrize(
    ("error", "kept"),
    [(KeyboardInterrupt(), True), (OutputError("full"), True), (GapError("a gap"), False)],
)
def test_resuming_keeps_what_was_stopped_and_nothing_of_what_was_refused(tmp_path, error, kept):
    run = tmp_path / "run"
    with pytest.raises(type(error)), OutputFolder(run, resume=True) as folder:
        fill(folder, "a")
        raise error
    assert (run / ".unfinished" / "a").exists() is kept
    assert run.exists() is kept
