"""One process at a time on each GPU, while the cores go on with the rest."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from medrecon.options import AUTO, Options
from medrecon.recorder import Progress, silent

NETWORK_STAGE = "network "


@contextmanager
def one_at_a_time(options: Options, gpus: int) -> Iterator[tuple[Options, Progress]]:
    """The options with this process's GPU in them, and a progress that waits for its turn.

    A stage that runs a network begins when no other process of this machine runs one on
    the same GPU, and its end lets the next one in; reading, boundaries, surfaces and
    files of other studies go on meanwhile. The lock is the kernel's: it ends with the
    process, however that ends.
    """
    if not gpus or options.segment.device not in (AUTO, "cuda"):
        yield options, silent
        return
    number = os.getpid() % gpus
    chosen = dataclasses.replace(options.segment, device=f"cuda:{number}")
    name = f"medrecon-{os.getuid()}-gpu-{number}.lock"
    lock = FileLock(Path(tempfile.gettempdir()) / name)

    def take_turns(stage: str, fraction: float) -> None:
        if not stage.startswith(NETWORK_STAGE):
            return
        if fraction <= 0 and not lock.is_locked:
            lock.acquire()
        elif fraction >= 1 and lock.is_locked:
            lock.release()

    try:
        yield dataclasses.replace(options, segment=chosen), take_turns
    finally:
        lock.release()
