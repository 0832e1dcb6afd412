"""What a study's process does in these tests: the real work, unless the study is poisoned.

A file `poison-KIND` among the study's files makes its process hang, crash or eat memory;
nothing that is read as an image could do so on purpose. Each finished study leaves one
line in the file `../finished.txt` beside the batch, so that two runs of one study show.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

from medrecon.batch.job import reconstruct_study


def work(job: dict[str, Any]) -> dict[str, Any]:
    for name in (Path(f).name for f in job["files"]):
        if name.startswith("poison-"):
            globals()["_" + name.removeprefix("poison-").removesuffix(".dcm")]()
    outcome = reconstruct_study(job)
    if outcome["state"] != "failed":
        line = f"{job['study']}\n".encode()
        book = os.open(
            Path(job["output"]).parent.parent / "finished.txt",
            os.O_WRONLY | os.O_APPEND | os.O_CREAT,
        )
        os.write(book, line)
    return outcome


def quick(job: dict[str, Any]) -> dict[str, Any]:
    """No reconstruction at all: what the batch itself costs."""
    time.sleep(0.01)
    return {"study": job["study"], "state": "done", "code": "", "reason": "", "structures": [],
            "seconds": 0.0, "peak_memory_mb": 0.0}  # fmt: skip


def _hang() -> None:
    # Deaf to everything that can be refused: only SIGKILL ends it.
    import signal

    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
    while True:
        time.sleep(60)


def _segfault() -> None:
    ctypes.string_at(0)


def _memory() -> None:
    held = []
    while True:
        held.append(b"x" * (64 << 20))


def _exit() -> None:
    sys.exit(3)
