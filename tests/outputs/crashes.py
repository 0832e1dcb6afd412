"""A small run that is killed at a random moment, or whose n-th write fails: again and again.

`crashes.py kills COUNT SEED FOLDER` or `crashes.py writes STEP LAST FOLDER` prints what it saw
as JSON. Everything is forked from this process, which has loaded the road and never walks
it itself (VTK's threads do not survive a fork), so one run costs a third of a second.
"""

from __future__ import annotations

import errno
import io
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from medrecon.batch.job import ROAD
from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.dicom.write_ct import write_ct_series
from medrecon.errors import OutputError
from medrecon.files.output_folder import OURS
from medrecon.options import Options, OutputOptions, SegmentOptions
from medrecon.outputs.sameness import OWN, differing_files
from medrecon.phantom import shapes
from medrecon.phantom.scanner import Scanner
from medrecon.phantom.shape_scan import scan_shape
from medrecon.pipeline import reconstruct

for module in ROAD:
    import_module(module)

OPTIONS = Options(
    segment=SegmentOptions(tissues=("bone",)), output=OutputOptions(preview=False, resume=True)
)
FAILED_WELL, FAILED_BADLY = 6, 1


def write_study(folder: Path) -> Path:
    """A ball of 12 mm radius on 9,240 voxels."""
    grid = Geometry((22, 21, 20), (1.6, 1.6, 1.6), (-16.8, -16.0, -15.2))
    ball = shapes.make_sphere(12.0).moved((0.3, -0.2, 0.4))
    image = scan_shape(ball, grid, scanner=Scanner(noise_hu=0.0), hu=(1000.0, -100.0)).volume
    ct = Acquisition(Modality.CT, HuStatus.VERIFIED, is_phantom=True)
    write_ct_series(Volume(image.array, grid, ct), folder)
    return folder


def run(study: Path, output: Path, *, overwrite: bool = False, resume: bool = True) -> None:
    how = replace(OPTIONS.output, overwrite=overwrite, resume=resume)
    reconstruct(study, output=output, options=replace(OPTIONS, output=how))


def forked(work: Callable[[], None]) -> int:
    """Process id of a child that does the work; it exits 0, 6 or 1."""
    pid = os.fork()
    if pid:
        return pid
    status = FAILED_BADLY
    try:
        work()
        status = 0
    except OutputError:
        status = FAILED_WELL
    finally:
        os._exit(status)


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_at(seconds: float, work: Callable[[], None]) -> bool:
    """Whether the child was still at work when it was killed."""
    pid = forked(work)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    return status_of(pid) == -signal.SIGKILL


def torn(output: Path, reference: Path) -> list[str]:
    """Files under a final name that are not whole."""
    bad = []
    for path in output.rglob("*"):
        name = path.relative_to(output)
        if path.is_dir() or name.parts[0] in OURS:
            continue
        if path.name.endswith(".part"):
            bad.append(f"{name} is a leftover")
        elif name.as_posix() in OWN:
            text = path.read_text("utf-8")
            if path.suffix == ".json":
                json.loads(text)
            elif not text.rstrip().endswith("</html>"):
                bad.append(f"{name} is cut")
        elif path.read_bytes() != (reference / name).read_bytes():
            bad.append(f"{name} differs")
    return bad


def resumed_wrong(study: Path, output: Path, reference: Path) -> list[str]:
    """What is wrong after going on where the run was stopped; empty if all is as it should be."""
    finished = (output / "run.json").exists()
    if not finished and status_of(forked(lambda: run(study, output))) != 0:
        return ["the run could not be resumed"]
    wrong = differing_files(output, reference)
    if not finished:
        wrong += [p.name for p in output.iterdir() if p.name in OURS]
    return wrong


class FailingDisk:
    """From the n-th write, fsync, rename or mkdir on, the disk is full."""

    def __init__(self, fails_at: int, below: Path) -> None:
        self.count = 0
        self.fails_at = fails_at
        self.below = below

    def touch(self, path: Any = None) -> None:
        if path is not None and not Path(path).is_relative_to(self.below):
            return
        self.count += 1
        if self.count >= self.fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def install(self) -> None:
        """For this process, which is a fork."""
        disk, plain_open, plain_sync = self, Path.open, os.fsync
        plain_replace, plain_mkdir = Path.replace, Path.mkdir

        class Raw(io.FileIO):
            def write(self, content: Any) -> int:
                disk.touch()
                return super().write(content)

        def opened(self: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
            if mode == "wb" and self.is_relative_to(disk.below):
                disk.touch()
                return io.BufferedWriter(Raw(self, "w"))
            return plain_open(self, mode, *more, **named)

        def synced(descriptor: int) -> None:
            disk.touch()
            plain_sync(descriptor)

        def replaced(self: Path, target: Any) -> Path:
            disk.touch(target)
            return plain_replace(self, target)

        def made(self: Path, *more: Any, **named: Any) -> None:
            disk.touch(self)
            plain_mkdir(self, *more, **named)

        Path.open, Path.replace, Path.mkdir = opened, replaced, made  # type: ignore[method-assign]
        os.fsync = synced


def count_writes(study: Path, output: Path, *, resume: bool) -> int:
    """Writes, fsyncs, renames and mkdirs of one undisturbed run."""
    note = output.with_name("count")

    def work() -> None:
        disk = FailingDisk(10**9, output)
        disk.install()
        run(study, output, resume=resume)
        os.write(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), str(disk.count).encode())

    assert status_of(forked(work)) == 0
    return int(note.read_text())


def fail_write(n: int, study: Path, output: Path, *, resume: bool) -> int:
    """Exit status of a run whose n-th write and all later ones fail."""

    def work() -> None:
        FailingDisk(n, output).install()
        run(study, output, resume=resume)

    return status_of(forked(work))


def kills(count: int, seed: int, place: Path) -> dict[str, Any]:
    """Kill so many runs, every second one over an old run; what was seen."""
    study, reference = _prepare(place)
    begun = time.monotonic()
    assert status_of(forked(lambda: run(study, place / "timed"))) == 0
    usual, dice = time.monotonic() - begun, random.Random(seed)
    seen: dict[str, Any] = {"runs": count, "killed": 0, "unfinished": 0, "torn": [], "wrong": []}
    for n in range(count):
        output = place / f"run-{n}"
        if n % 2:
            shutil.copytree(reference, output)
        moment = dice.uniform(0, 1.1 * usual)
        seen["killed"] += kill_at(moment, lambda out=output: run(study, out, overwrite=True))
        if output.exists():
            seen["unfinished"] += not (output / "run.json").exists()
            seen["torn"] += torn(output, reference)
        seen["wrong"] += resumed_wrong(study, output, reference)
        shutil.rmtree(output)
    return seen


def writes(step: int, last: int, place: Path) -> dict[str, Any]:
    """Let every `step`-th write fail, up to `last`; what was seen."""
    study, reference = _prepare(place)
    total = {r: count_writes(study, place / f"counted-{r}", resume=r) for r in (False, True)}
    seen: dict[str, Any] = {"failed": 0, "badly": [], "torn": [], "wrong": []}
    seen["writes"], seen["writes_resumable"] = total[False], total[True]
    for resume in (False, True):
        some = range(1, min(total[resume], last) + 1, step)
        # The first ones make the folder and its lock.
        for n in sorted({1, 2, 3, *some}):
            output = place / f"run-{n}-{resume}"
            status = fail_write(n, study, output, resume=resume)
            seen["failed"] += 1
            if not _ended_well(status, output, resume=resume):
                seen["badly"].append([n, resume, status])
            if output.exists():
                seen["torn"] += torn(output, reference)
            seen["wrong"] += resumed_wrong(study, output, reference)
            shutil.rmtree(output)
    return seen


def _ended_well(status: int, output: Path, *, resume: bool) -> bool:
    """Whether the failure was said and nothing is left, or came when all was in its place.

    The last thing of a run is the fsync of its folder, which not every file system can do:
    `run.json` lies there then, and what lies there is compared in any case.
    """
    if (output / "run.json").exists():
        return status == 0
    return status == FAILED_WELL and (resume or not output.exists())


def _prepare(place: Path) -> tuple[Path, Path]:
    study, reference = write_study(place / "in"), place / "reference"
    assert status_of(forked(lambda: run(study, reference))) == 0
    return study, reference


if __name__ == "__main__":
    one, other, place = int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    found = kills(one, other, place) if sys.argv[1] == "kills" else writes(one, other, place)
    sys.stdout.write(json.dumps(found))
