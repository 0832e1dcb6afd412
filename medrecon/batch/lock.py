"""One batch at a time in a folder, until the last of its processes has ended."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medrecon.errors import OutputError
from medrecon.files.atomic import as_output_error

# A batch that was killed a moment ago is still ending its processes.
PATIENCE_S = 20.0


@contextmanager
def only_one(path: Path) -> Iterator[int]:
    """Hold the lock file while the block runs; its descriptor.

    flock(2) belongs to the open file, not to the process: who inherits the descriptor
    holds the lock too. So after kill -9 of the parent the next batch waits until no
    process of the last one is left.

    Raises
    ------
    OutputError
        If another batch holds it.
    """
    with as_output_error():
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > until:
                raise OutputError(
                    "another batch is at work in this output folder; wait for it, "
                    "or give each its --shard"
                ) from None
        time.sleep(0.05)
