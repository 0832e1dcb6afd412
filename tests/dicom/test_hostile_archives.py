"""Nothing leaves an archive but slices, nothing goes over its budget."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest
from hostile_archives import READABLE, REFUSED
from judge import verdict
from series_maker import stack, write_series

from medrecon.core import Volume
from medrecon.dicom import Limits, choose, read, scan
from medrecon.errors import MedreconError

PLAN = stack()
BUDGET = Limits(files=500, archive_bytes=64 << 20, volume_bytes=64 << 20)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return [p.read_bytes() for p in write_series(PLAN, tmp_path_factory.mktemp("good"))]


def everything_in(folder: Path) -> set[tuple[str, int]]:
    return {(str(p), p.lstat().st_size) for p in folder.rglob("*")}


def load(path: Path) -> Volume:
    volume = read(choose(scan(path, limits=BUDGET)), limits=BUDGET)
    assert isinstance(volume, Volume)
    return volume


def test_there_are_30_hostile_archives() -> None:
    assert len(READABLE) + len(REFUSED) >= 30


@pytest.mark.parametrize("name", READABLE)
def test_a_healthy_series_is_read_and_nothing_is_written(
    name: str, good: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    path = tmp_path / "a/b/c/in.zip"
    path.write_bytes(READABLE[name](good))
    monkeypatch.chdir(tmp_path / "a/b/c")
    before = everything_in(tmp_path)
    volume = load(path)
    assert verdict(np.asarray(volume.array, float), volume.geometry.affine_lps, PLAN) == ""
    assert everything_in(tmp_path) == before
    assert not list(Path("/tmp").glob("medrecon-escape-*"))


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_or_bloated_archive_is_refused_within_its_budget(
    name: str, good: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "in.zip"
    path.write_bytes(REFUSED[name](good))
    before = everything_in(tmp_path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MedreconError) as caught:
        load(path)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024
    assert grown < BUDGET.archive_bytes
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert everything_in(tmp_path) == before
