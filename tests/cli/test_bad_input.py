"""Bad input: one line on standard error, the right exit code, nothing half-written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medrecon.core import Volume
from medrecon.dicom.write_ct import CtSeries, write_ct_series
from medrecon.phantom import make_torso

MEDRECON = (sys.executable, "-m", "medrecon_cli")


def medrecon(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would; the output of both streams is kept."""
    command = [*MEDRECON, *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "cli")}
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env=environment, timeout=240
    )


def refused(done: subprocess.CompletedProcess[str], code: int, kind: str, output: Path) -> str:
    """The one line of a refusal, after checking all that is promised of it."""
    lines = done.stderr.splitlines()
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert len(lines) == 1
    assert lines[0].startswith("medrecon: error: ")
    assert lines[0].endswith(f"[{kind}]")
    assert "Traceback" not in done.stderr
    assert not output.exists()
    return lines[0]


@pytest.fixture(scope="module")
def torso() -> Volume:
    return make_torso(9001, shape=(80, 64, 24), spacing_mm=(5.0, 5.0, 5.0)).volume


@pytest.fixture
def series(torso, tmp_path) -> Path:
    write_ct_series(torso, tmp_path / "series")
    return tmp_path / "series"


def test_an_empty_folder_holds_no_series(tmp_path):
    (tmp_path / "in").mkdir()
    done = medrecon("seg+mesh", "in", "-o", "out", cwd=tmp_path)
    refused(done, 3, "no-series", tmp_path / "out")


def test_a_folder_of_text_files_holds_no_series(tmp_path):
    (tmp_path / "in").mkdir()
    for n in range(5):
        (tmp_path / "in" / f"{n}.txt").write_text("a letter to the surgeon" * 100)
    done = medrecon("seg+mesh", "in", "-o", "out", cwd=tmp_path)
    refused(done, 3, "no-series", tmp_path / "out")


def test_an_input_that_is_not_there_is_unreadable(tmp_path):
    refused(
        medrecon("seg+mesh", "nowhere", "-o", "out", cwd=tmp_path),
        5,
        "unreadable",
        tmp_path / "out",
    )


def test_a_missing_slice_is_a_gap(series, tmp_path):
    middle = sorted(series.glob("*.dcm"))[10]
    middle.unlink()
    line = refused(
        medrecon("seg+mesh", series, "-o", "out", cwd=tmp_path), 4, "gap", tmp_path / "out"
    )
    assert "10" in line
    assert "--fill-gaps" in line


def test_two_equally_large_series_are_named_with_how_to_choose(torso, series, tmp_path):
    write_ct_series(torso, tmp_path / "other", series=CtSeries(number=2))
    shutil.move(tmp_path / "other", series / "other")
    done = medrecon("seg+mesh", series, "-o", "out", cwd=tmp_path)
    line = refused(done, 2, "series-tie", tmp_path / "out")
    assert "--series 1" in line
    assert "--series 2" in line


def test_two_inputs_are_a_usage_error(tmp_path):
    done = medrecon("seg+mesh", "a", "--input", "b", cwd=tmp_path)
    assert done.returncode == 2


def test_an_unknown_tissue_is_a_usage_error(series, tmp_path):
    done = medrecon("seg+mesh", series, "-o", "out", "--tissue", "feather", cwd=tmp_path)
    refused(done, 2, "usage", tmp_path / "out")


def test_a_model_that_is_not_installed_is_named(series, tmp_path):
    done = medrecon("seg+mesh", series, "-o", "out", "--model", "no_such", cwd=tmp_path)
    refused(done, 7, "model-missing", tmp_path / "out")


def test_an_output_folder_in_use_is_left_alone(series, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("keep")
    done = medrecon("seg+mesh", series, "-o", "out", cwd=tmp_path)
    assert done.returncode == 6
    assert done.stderr.strip().endswith("[output-exists]")
    assert [p.name for p in out.iterdir()] == ["precious.txt"]


@pytest.fixture
def tmpfs(tmp_path):
    """A small file system of its own; needs to be root, as CI is."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = []

    def mount(options: str) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", place], check=True)


@pytest.mark.root
def test_a_read_only_disk_is_refused(series, tmpfs, tmp_path):
    disk = tmpfs("ro,size=1m")
    done = medrecon("seg+mesh", series, "-o", disk / "out", cwd=tmp_path)
    refused(done, 6, "output", disk / "out")


@pytest.mark.root
def test_a_full_disk_is_refused_and_left_empty(series, tmpfs, tmp_path):
    disk = tmpfs("size=64k")
    done = medrecon("seg+mesh", series, "-o", disk / "out", "--tissue", "bone", cwd=tmp_path)
    refused(done, 6, "output", disk / "out")
    assert not list(disk.iterdir())


@pytest.mark.root
def test_a_disk_that_fills_up_under_way_is_refused_and_left_empty(series, tmpfs, tmp_path):
    # The input's 123,000 voxels ask for 0.5 MB beforehand; what is written is larger.
    disk = tmpfs("size=600k")
    done = medrecon("seg+mesh", series, "-o", disk / "out", "--tolerance-mm", 0, cwd=tmp_path)
    refused(done, 6, "output", disk / "out")
    assert not list(disk.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", [".unfinished", ".unfinished/meshes"])
def test_an_interrupted_run_leaves_nothing(series, tmp_path, number, moment):
    out = tmp_path / "out"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "cli")}
    child = subprocess.Popen(
        [*MEDRECON, "seg+mesh", series, "-o", out],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    begun = time.monotonic()
    while not (out / moment).exists() and time.monotonic() - begun < 120:
        time.sleep(0.002)
    child.send_signal(number)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 130
    assert errors.splitlines()[-1] == (
        "medrecon: error: interrupted; nothing was left half-written [interrupted]"
    )
    assert not out.exists()


@pytest.mark.parametrize("names", ["bone,kidny", "kidny", ","])
def test_a_structure_that_is_not_there_is_refused_by_its_name(series, tmp_path, names):
    words = ("seg+mesh", "series", "--tissue", "bone", "--labels", names, "-o", "out")
    line = refused(
        medrecon(*words, "-q", "--no-progress", cwd=tmp_path), 2, "usage", tmp_path / "out"
    )
    assert ("kidny: no such structure; there are: bone" in line) == (names != ",")


@pytest.mark.parametrize(
    "words",
    [
        ("seg+mesh",),
        ("segg",),
        ("mesh", "x", "--tolerance-mm", "nan"),
        ("mesh", "x", "--target-faces", "many"),
        ("info", "--nope"),
        ("seg", "--channel", "t1", "-o", "out"),
    ],
)
def test_a_word_that_is_not_known_is_one_line_with_a_code(tmp_path, words):
    refused(medrecon(*words, cwd=tmp_path), 2, "usage", tmp_path / "out")
