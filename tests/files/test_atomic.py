"""A result is whole or not there."""

from __future__ import annotations

import json

import pytest

from medrecon.errors import OutputError, OutputExistsError
from medrecon.files.atomic import open_atomic, write_json
from medrecon.files.output_folder import OutputFolder


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.stl"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), open_atomic(path) as stream:
        stream.write(b"half of the new")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.stl"]


def test_a_missing_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"), open_atomic(tmp_path / "no" / "a"):
        pass


def test_nan_is_refused_in_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"error_mm": float("nan")})
    assert not list(tmp_path.iterdir())


def test_an_interrupted_run_leaves_nothing(tmp_path):
    target = tmp_path / "deep" / "run"
    with pytest.raises(KeyboardInterrupt), OutputFolder(target) as folder:
        (folder.staging / "a.stl").write_bytes(b"x")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_finished_run_shows_all_its_files(tmp_path):
    with OutputFolder(tmp_path / "run") as folder:
        (folder.staging / "meshes").mkdir()
        (folder.staging / "meshes" / "a.stl").write_bytes(b"x")
        write_json(folder.staging / "run.json", {"outputs": {"meshes/a.stl": "hash"}})
        folder.finish()
    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {"run/run.json", "run/meshes/a.stl"}


def test_a_second_run_needs_force_and_keeps_strangers(tmp_path):
    test_a_finished_run_shows_all_its_files(tmp_path)
    run = tmp_path / "run"
    (run / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError), OutputFolder(run):
        pass
    with OutputFolder(run, overwrite=True) as folder:
        write_json(folder.staging / "run.json", {"outputs": {}})
        folder.finish()
    assert json.loads((run / "run.json").read_text()) == {"outputs": {}}
    assert not (run / "meshes" / "a.stl").exists()
    assert (run / "notes.txt").read_text() == "mine"


def test_a_hostile_run_file_cannot_delete_outside_the_folder(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "precious.txt").write_text("keep")
    write_json(run / "run.json", {"outputs": ["../precious.txt"]})
    with OutputFolder(run, overwrite=True) as folder:
        folder.finish()
    assert (tmp_path / "precious.txt").exists()


def test_two_runs_cannot_write_one_folder(tmp_path):
    with (
        OutputFolder(tmp_path / "run"),
        pytest.raises(OutputError, match="another run"),
        OutputFolder(tmp_path / "run"),
    ):
        pass


def test_a_disk_too_small_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(OutputError, match="MB free"), OutputFolder(tmp_path / "r") as folder:
        folder.require_space(10**18)
    assert not (tmp_path / "r").exists()
