"""Time and memory of whole processes, run in turn so that noise hits both alike."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

Command = Sequence[str | Path]

# medrecon's files are complete when a mesh fails its gate; it only says so.
GATE_FAILED = 10


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians over the runs of one command."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run_once(command: Command, cwd: Path) -> Timing:
    """Run a command to its end; its largest process's resident memory (wait4(2))."""
    begun = time.perf_counter()
    child = subprocess.Popen(
        [str(c) for c in command], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    words = child.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, GATE_FAILED):
        raise RuntimeError(f"{command[0]} ended with {child.returncode}: {words[-400:]}")
    wall = time.perf_counter() - begun
    return Timing(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def in_turn(commands: Mapping[str, Command], cwd: Path, runs: int) -> dict[str, Timing]:
    """Medians of `runs` rounds, each command once a round; one round before is not counted."""
    rounds = [{n: run_once(c, cwd) for n, c in commands.items()} for _ in range(runs + 1)][1:]
    return {
        name: Timing(
            median(r[name].wall_s for r in rounds),
            median(r[name].cpu_s for r in rounds),
            median(r[name].peak_mb for r in rounds),
        )
        for name in commands
    }
