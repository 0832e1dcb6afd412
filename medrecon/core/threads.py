"""One job in parts on the processor's cores.

For compiled loops, which let go of Python's lock. A part writes to its own places alone,
so that the result does not depend on how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Result = TypeVar("_Result")

MOST = 4
"""Threads at most: the loops soon wait for the memory, and a batch has other studies to do."""

_PARTS = 4
"""Parts for each thread, so that none waits long for a part with more to do."""


def cores() -> int:
    """How many threads are worth while here."""
    # Where a scheduler has bound the process to some cores, only these count.
    allowed = getattr(os, "sched_getaffinity", None)
    return min(MOST, len(allowed(0)) if allowed else os.cpu_count() or 1)


def in_parts(work: Callable[[int, int], _Result], count: int, *, threads: int) -> list[_Result]:
    """What `work(first, stop)` gives for parts that cover 0 to `count`, several at a time.

    Parameters
    ----------
    work : callable
        Writes where its part alone belongs.
    count : int
    threads : int
        1 does all in this thread, as one part.
    """
    if threads == 1 or count < 2:
        return [work(0, count)]
    parts = min(count, threads * _PARTS)
    cuts = [count * n // parts for n in range(parts + 1)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, cuts[:-1], cuts[1:]))
