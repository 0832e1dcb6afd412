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
DIVISION = ".lock-of-"
AT_WORK = "another batch is at work in this output folder; wait for it, or give each its --shard"


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
        _acquire(descriptor, fcntl.LOCK_EX, AT_WORK)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def one_division(folder: Path, count: int) -> Iterator[int]:
    """Hold, with all shards of `count`, while the block runs; the lock's descriptor.

    The third shard of three and the third of four are batches of other studies, and of
    some of the same: two at a time would make those twice.

    Raises
    ------
    OutputError
        If a batch that is shared out otherwise holds.
    """
    own = folder / f"{DIVISION}{count}"
    refusal = (
        f"a batch of this output folder is at work that is not shared out among {count}; wait "
        "for it, or take its number in --shard"
    )
    with as_output_error():
        descriptor = os.open(own, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, fcntl.LOCK_SH, refusal)
        for other in sorted(set(folder.glob(f"{DIVISION}*")) - {own}):
            with as_output_error():
                probe = os.open(other, os.O_RDWR)
            try:
                _acquire(probe, fcntl.LOCK_EX, refusal)
            finally:
                os.close(probe)
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, kind: int, refusal: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > until:
                raise OutputError(refusal) from None
        time.sleep(0.05)
