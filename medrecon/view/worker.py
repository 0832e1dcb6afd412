"""Work beside the window: one job at a time, of those that wait only the latest."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from medrecon.errors import MedreconError

Job = Callable[[], Any]


class Worker:
    """A thread that the window looks at now and then."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "grow")
        self._running: Future[Any] | None = None
        self._next: Job | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a result is still to come."""
        return self._running is not None

    def ask(self, job: Job) -> None:
        """Do it next; what was asked for and not begun is forgotten."""
        self._next = job
        self._start()

    def forget(self) -> None:
        """Do nothing more than what was begun."""
        self._next = None

    def result(self) -> Any:
        """The result of a finished job, or its `MedreconError`; None while there is none."""
        if self._running is None or not self._running.done():
            return None
        done, self._running = self._running, None
        self._start()
        error = done.exception()
        if error is not None and not isinstance(error, MedreconError):
            raise error
        return error or done.result()

    def _start(self) -> None:
        if self._running is None and self._next is not None:
            self._running, self._next = self._pool.submit(self._next), None
