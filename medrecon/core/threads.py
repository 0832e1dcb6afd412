"""One job in parts on the processor's cores.

For compiled loops, which let go of Python's lock. A part writes to its own places alone,
so that the result does not depend on how many there are.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")
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
    made: dict[int, _Result] = {}
    # A deque is emptied safely by several threads; this one works too, so that one fewer starts.
    waiting = deque(range(parts))

    def work_off() -> None:
        while waiting:
            try:
                n = waiting.popleft()
            except IndexError:
                return
            made[n] = work(cuts[n], cuts[n + 1])

    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work_off) for _ in range(threads - 1)]
        try:
            work_off()
        finally:
            waiting.clear()
        for other in others:
            other.result()
    return [made[n] for n in range(parts)]


def in_order(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
    """What `work` gives for each of the items, in their order, as many at a time as cores.

    An error ends it: what was not begun by then is not begun.
    """
    with ThreadPoolExecutor(cores()) as pool:
        yield from pool.map(work, items)


@contextmanager
def second_thread() -> Iterator[ThreadPoolExecutor]:
    """A thread for what can be done meanwhile; an error drops what it has not begun."""
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
