"""A folder appears with everything in it, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from medrecon.errors import OutputError, OutputExistsError
from medrecon.files.new_folder import NewFolder


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_nothing_is_seen_until_all_is_there(tmp_path: Path) -> None:
    with NewFolder(tmp_path / "out") as folder:
        (folder.staging / "1").mkdir()
        (folder.staging / "1" / "a").write_text("a")
        assert not (tmp_path / "out").exists()
        folder.finish()
    assert names(tmp_path) == ["out/1/a"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with NewFolder(tmp_path / "out") as folder:
            (folder.staging / "a").write_text("a")
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part" / "torn").write_text("t")
    with NewFolder(tmp_path / "out") as folder:
        (folder.staging / "a").write_text("a")
        folder.finish()
    assert names(tmp_path) == ["out/a"]


def test_a_full_folder_is_kept_unless_it_may_be_added_to(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("m")
    with pytest.raises(OutputExistsError), NewFolder(tmp_path / "out"):
        pass
    with NewFolder(tmp_path / "out", overwrite=True) as folder:
        (folder.staging / "a").write_text("a")
        folder.finish()
    assert names(tmp_path / "out") == ["a", "mine"]


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with NewFolder(tmp_path / "out") as folder:
        (folder.staging / "a").write_text("a")
        folder.finish()
    assert names(tmp_path) == ["out/a"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError), NewFolder(tmp_path / "out"):
        pass
    assert (tmp_path / "out").read_text() == "mine"
