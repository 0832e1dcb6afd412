"""Studies on this machine: so many at a time, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from medrecon.batch.job import RECONSTRUCT, Job, modules_for
from medrecon.batch.outcome import Budget, Outcome, State
from medrecon.errors import UsageError

# Words for the signals that end a process by itself (signal(7)).
SIGNALS = {4: "illegal instruction", 6: "abort", 7: "bus error", 8: "floating-point error"} | {
    9: "killed by the system, often for want of memory",
    11: "segmentation fault",
}


@dataclass(frozen=True, slots=True)
class Begun:
    """A study's process was started."""

    study: str


class LocalPool:
    """Runs jobs through a nursery of processes.

    Parameters
    ----------
    jobs : int
        Studies at a time.
    budget : Budget
    work : str
        `module:function` that a study's process calls.
    locks : sequence of int
        Descriptors of the batch's locks, for the processes to hold as long as they live.
    """

    def __init__(
        self,
        jobs: int,
        budget: Budget,
        *,
        work: str = RECONSTRUCT,
        locks: Sequence[int] = (),
    ) -> None:
        if not hasattr(os, "fork"):
            raise UsageError("a batch needs a POSIX system; on Windows use WSL")
        self.jobs = jobs
        self.budget = budget
        self.work = work
        self._kept = tuple(locks)
        self._nursery: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def run(self, jobs: Sequence[Job]) -> Iterator[Begun | Outcome]:
        """Start the jobs in order, at most so many at a time; say what begins and ends."""
        waiting, running = list(reversed(jobs)), set[str]()
        while waiting or running:
            while waiting and len(running) < self.jobs:
                job = waiting.pop()
                yield Begun(job.study)
                running.add(job.study)
                self._order(job)
            for outcome in self._answers(running):
                running.discard(outcome.study)
                yield outcome

    def _order(self, job: Job) -> None:
        order = {
            "study": job.study,
            "work": self.work,
            "job": job.as_json(),
            "timeout_s": self.budget.timeout_s,
            "memory_mb": self.budget.memory_mb,
        }
        # A nursery that has just been ended is told nothing more; `_answers` hears of its end.
        with suppress(BrokenPipeError):
            if self._nursery is None:
                self._start(job)
            self._send(order)

    def _end(self) -> None:
        if self._nursery is not None:
            for pipe in (self._nursery.stdin, self._nursery.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
            self._nursery.wait()
            self._nursery = None

    def _start(self, job: Job) -> None:
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "medrecon.batch.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=shared_out(self.jobs),
            pass_fds=self._kept,
            # Ctrl-C is for this process to deal with; the nursery ends with its input.
            start_new_session=True,
        )
        self._send({"preload": list(modules_for(job.options))})

    def _send(self, content: Mapping[str, Any]) -> None:
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(content).encode() + b"\n")
        self._nursery.stdin.flush()

    def _answers(self, running: set[str]) -> list[Outcome]:
        assert self._nursery is not None
        assert self._nursery.stdout is not None
        line = self._nursery.stdout.readline()
        if line:
            return [outcome_of(json.loads(line), self.budget)]
        self._end()
        lost = "the program that starts the studies' processes was ended"
        return [Outcome(study, State.FAILED, "crash", lost) for study in sorted(running)]


def outcome_of(answer: Mapping[str, Any], budget: Budget) -> Outcome:
    """The outcome of a process that answered, crashed or was stopped."""
    figures = {"seconds": answer["seconds"], "peak_memory_mb": answer["peak_memory_mb"]}
    if answer["outcome"] is not None:
        return Outcome.from_json(answer["outcome"] | figures)
    study, number = str(answer["study"]), int(answer["number"])
    if answer["ending"] == "time":
        code, reason = "timeout", f"stopped after its {budget.timeout_s:g} s; raise --timeout"
    elif answer["ending"] == "memory":
        code, reason = "memory", f"over its {budget.memory_mb:g} MB of memory; raise --memory"
    elif answer["ending"] == "signal":
        words = SIGNALS.get(number, f"signal {number}")
        code, reason = "crash", f"its process ended by itself: {words}"
    else:
        code, reason = "crash", f"its process ended without an answer (exit {number})"
    return Outcome(study, State.FAILED, code, reason, **figures)


def shared_out(jobs: int) -> dict[str, str]:
    """The environment of this process, with the cores shared out among the jobs."""
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return dict(os.environ) | dict.fromkeys(names, threads)
