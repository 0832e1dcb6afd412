"""The program that starts a process for each study: loaded once, then forked.

Loading the libraries takes a second and more; a fork takes milliseconds. A crash, a
hang or a greedy study costs that study only, since nothing is worked out in here.

Orders come as JSON lines on standard input: `{"study", "work", "job", "timeout_s",
"memory_mb"}`, and a first line `{"preload": [modules]}`. For each order one JSON line goes
out: `{"study", "ending", "number", "outcome", "seconds", "peak_memory_mb"}`. When standard
input ends, as it does when the parent dies in whatever way, every process is killed.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

# How often time and memory are looked at. A study can fill about 0.2 GB in between.
TICK_S = 0.05
PR_SET_PDEATHSIG = 1
OUT_OF_MEMORY = 9
PAGE = resource.getpagesize()


@dataclass
class _Child:
    order: dict[str, Any]
    pid: int
    answer: int
    begun: float = field(default_factory=time.monotonic)
    said: bytes = b""
    peak_bytes: int = 0
    killed_for: str = ""


def main() -> None:
    """Serve until standard input ends."""
    nursery = _Nursery()
    try:
        while nursery.step():
            pass
    finally:
        nursery.kill_all()


class _Nursery:
    def __init__(self) -> None:
        self.children: list[_Child] = []
        self.unread = b""
        # Replies go out on a descriptor of their own: what a library prints is not one.
        self.replies = os.dup(1)
        os.dup2(2, 1)

    def step(self) -> bool:
        """Wait for an order, an answer or the next look; False when there is nobody left."""
        answers = [c.answer for c in self.children]
        ready = select.select([0, *answers], [], [], TICK_S if self.children else None)[0]
        if 0 in ready:
            chunk = os.read(0, 1 << 20)
            if not chunk:
                return False
            *lines, self.unread = (self.unread + chunk).split(b"\n")
            for line in lines:
                self._obey(json.loads(line))
        for child in list(self.children):
            if child.answer in ready:
                self._listen(child)
            else:
                self._look_after(child)
        return True

    def kill_all(self) -> None:
        for child in self.children:
            _kill(child.pid)

    def _obey(self, order: dict[str, Any]) -> None:
        if "preload" in order:
            for name in order["preload"]:
                import_module(name)
            return
        mine, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(mine)
            _be_a_child(order, theirs, [c.answer for c in self.children] + [self.replies])
        os.close(theirs)
        self.children.append(_Child(order, pid, mine))

    def _listen(self, child: _Child) -> None:
        chunk = os.read(child.answer, 1 << 16)
        child.said += chunk
        if not chunk:
            self._bury(child)

    def _look_after(self, child: _Child) -> None:
        resident = sum(_resident_bytes(pid) for pid in (child.pid, *_descendants(child.pid)))
        child.peak_bytes = max(child.peak_bytes, resident)
        limit = child.order["memory_mb"]
        if time.monotonic() - child.begun > child.order["timeout_s"]:
            child.killed_for = "time"
        elif limit is not None and resident > limit * 1e6:
            child.killed_for = "memory"
        if child.killed_for:
            _kill(child.pid)

    def _bury(self, child: _Child) -> None:
        _, status, usage = os.wait4(child.pid, 0)
        _kill(child.pid)  # what it may have started itself
        os.close(child.answer)
        self.children.remove(child)
        code = os.waitstatus_to_exitcode(status)
        ending = child.killed_for or ("signal" if code < 0 else "exit")
        if ending == "exit" and code == OUT_OF_MEMORY:
            ending = "memory"
        answer = {
            "study": child.order["study"],
            "ending": ending,
            "number": abs(code),
            "outcome": json.loads(child.said) if ending == "exit" and child.said else None,
            "seconds": round(time.monotonic() - child.begun, 3),
            "peak_memory_mb": round(max(child.peak_bytes, usage.ru_maxrss * 1024) / 1e6, 1),
        }
        os.write(self.replies, json.dumps(answer).encode() + b"\n")


def _be_a_child(order: dict[str, Any], answer: int, not_mine: list[int]) -> None:
    """Do the work and answer; never returns."""
    status = 1
    try:
        os.setpgid(0, 0)
        _die_with_the_parent()
        for descriptor in not_mine:
            os.close(descriptor)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if order["memory_mb"] is not None and not order["job"].get("gpus"):
            # CUDA reserves addresses by the terabyte; there only what is resident counts.
            _limit_memory(order["memory_mb"])
        outcome = work_named(order["work"])(order["job"])
        os.write(answer, json.dumps(outcome).encode())
        status = 0
    except MemoryError:
        status = OUT_OF_MEMORY
    finally:
        os._exit(status)


def work_named(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The function that `module:function` names."""
    module, function = name.split(":")
    found: Callable[[dict[str, Any]], dict[str, Any]] = getattr(import_module(module), function)
    return found


def _die_with_the_parent() -> None:
    """Ask Linux to end this process with the nursery (prctl(2)); elsewhere it ends by itself."""
    if sys.platform != "linux":
        return
    nursery = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != nursery:
        os._exit(1)


def _limit_memory(memory_mb: float) -> None:
    """A single allocation beyond the budget fails at once, before the next look."""
    size = int(memory_mb * 1e6) + _resident_bytes(os.getpid())
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard == resource.RLIM_INFINITY or size < hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (size, hard))


def _kill(pid: int) -> None:
    """End a process and its group; before it has a group, itself alone."""
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _descendants(pid: int) -> Iterator[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except OSError:
        return
    for word in text.split():
        yield int(word)
        yield from _descendants(int(word))


if __name__ == "__main__":
    main()
