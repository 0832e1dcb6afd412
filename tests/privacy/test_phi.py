"""Sixty canaries go in by every door; none comes out, whatever happens."""

from __future__ import annotations

import base64
import gzip
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from canaries import FOLDER, leaks, plant

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.phantom import shapes
from medrecon.phantom.scanner import Scanner
from medrecon.phantom.shape_scan import scan_shape

CLI = Path(__file__).parents[2] / "cli"


def medrecon(*words: object, cwd: Path) -> tuple[int, bytes]:
    """Exit code and everything that was said, on both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "medrecon_cli", *map(str, words)],
        cwd=cwd, capture_output=True, check=False, timeout=300,
        env=os.environ | {"PYTHONPATH": str(CLI)},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def volume() -> Volume:
    grid = Geometry((22, 21, 20), (1.6, 1.6, 1.6), (-16.8, -16.0, -15.2))
    ball = shapes.make_sphere(12.0).moved((0.3, -0.2, 0.4))
    image = scan_shape(ball, grid, scanner=Scanner(noise_hu=0.0), hu=(1000.0, -100.0)).volume
    return Volume(image.array, grid, Acquisition(Modality.CT, HuStatus.VERIFIED))


@pytest.fixture
def planted(tmp_path):
    (tmp_path / "work").mkdir()
    return plant(volume(), tmp_path / "archive")


def everything(folder: Path) -> bytes:
    """Names and contents of all files, one after the other."""
    pieces = []
    for path in sorted(folder.rglob("*")):
        pieces.append(path.relative_to(folder).as_posix().encode() + b"\n")
        pieces.append(path.read_bytes() if path.is_file() else b"")
    return b"".join(pieces)


def searched(folder: Path, canaries: list[str]) -> list[str]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    names = "\n".join(str(p.relative_to(folder)) for p in folder.rglob("*")).encode()
    found = leaks(names, canaries)
    for path in files:
        found += leaks(path.read_bytes(), canaries)
    return found


def test_there_are_sixty_canaries_and_the_search_finds_each_in_every_disguise(planted):
    folder, canaries = planted
    assert len(canaries) == len(set(canaries)) >= 60
    said = everything(folder.parent)
    missing = [c for c in canaries if not leaks(said, [c])]
    assert missing == []
    for c in canaries[:3]:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as z:
            z.writestr("a", gzip.compress(c.encode()))
        for disguise in (
            f"x{c}y".encode("utf-16"), f"..{c}".encode("utf-16-le"),
            base64.b64encode(f"abcdefg{c}hijklm".encode()),
            gzip.compress(c.encode()), package.getvalue(), c.encode().hex().encode(),
        ):  # fmt: skip
            assert leaks(disguise, [c]) == [c]


def test_a_run_its_report_and_its_audit_hold_no_canary(planted, tmp_path):
    folder, canaries = planted
    work = tmp_path / "work"
    code, said = medrecon("seg+mesh", folder, "--tissue", "bone", "-v", cwd=work)
    assert code == 0, said
    (run,) = work.iterdir()
    assert leaks(said, canaries) == []
    assert searched(work, canaries) == []
    code, said = medrecon("audit", run, "--json", cwd=work)
    assert code == 0, said
    for verb in (("info", "--json"), ("info",)):
        _, said = medrecon(verb[0], folder, *verb[1:], cwd=work)
        assert leaks(said, canaries) == []


@pytest.mark.parametrize("harm", ["cut", "gap", "twice", "unreadable name", "no volume"])
def test_an_error_and_its_traceback_hold_no_canary(planted, tmp_path, harm):
    folder, canaries = planted
    files = sorted(folder.iterdir())
    source = folder
    if harm == "cut":
        files[4].write_bytes(files[4].read_bytes()[:-100])
    elif harm == "gap":
        files[9].unlink()
    elif harm == "twice":
        files[9].write_bytes(files[9].read_bytes().replace(b"\x84\x03", b"\x85\x03"))
        (folder / "again").write_bytes(files[9].read_bytes() + b"")
    elif harm == "unreadable name":
        source = folder / "nobody" / FOLDER
    else:
        for path in files[1:]:
            path.unlink()
    work = tmp_path / "work"
    code, said = medrecon("seg+mesh", source, "--tissue", "bone", "-v", "-o", "out", cwd=work)
    if harm != "twice":
        assert code in (2, 3, 4, 5), said
        assert b"Traceback" in said
    assert leaks(said, canaries) == []
    assert searched(work, canaries) == []


def test_a_batch_holds_no_canary(planted, tmp_path):
    folder, canaries = planted
    bad = folder.parent / "Zwitscher2"
    bad.mkdir()
    (bad / "Zeisig.dcm").write_bytes(sorted(folder.iterdir())[0].read_bytes()[:900])
    work = tmp_path / "work"
    code, said = medrecon(
        "batch", folder.parent, "-o", "out", "--tissue", "bone", "--no-preview", "-v", cwd=work
    )
    assert code == 8, said
    assert leaks(said, canaries) == []
    assert searched(work, canaries) == []
    code, said = medrecon("audit", "out", "--json", cwd=work)
    assert code == 0, said


def test_burned_in_annotation_is_said(tmp_path):
    import pydicom

    from medrecon.dicom.write_ct import write_ct_series
    from medrecon.loading import BURNED_IN, load_volume
    from medrecon.options import LoadOptions
    from medrecon.recorder import Recorder

    for path in write_ct_series(volume(), tmp_path / "in"):
        ds = pydicom.dcmread(path)
        ds.BurnedInAnnotation = "YES"
        ds.save_as(path)
    log = Recorder()
    assert load_volume(tmp_path / "in", LoadOptions(), log).acquisition.burned_in
    assert BURNED_IN in log.provenance.warnings
