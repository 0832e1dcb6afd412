"""Install hostile models under an audit hook; the child of test_hostile.

Prints one JSON line for each: what was raised, and every event that a model must not
cause. The hook sees what Python does in this process, C extensions' imports included.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import torch

import medrecon.models.bundle_install
import medrecon.models.nnunet_install  # noqa: F401
from medrecon.errors import MedreconError
from medrecon.models.install import add

FORBIDDEN = {
    "exec",
    "compile",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "subprocess.Popen",
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "urllib.Request",
    "ctypes.dlopen",
    "code.__new__",
    "marshal.loads",
    "webbrowser.open",
    "shutil.rmtree",
}
CONTROL, TRACE = ".control", "touched"
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """Collects forbidden events while it is on."""

    def __init__(self, store: Path) -> None:
        self.on, self.seen, self._store = False, [], str(store)
        self._inside = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook."""
        if not self.on or self._inside:
            return
        self._inside = True
        try:
            if self._is_forbidden(event, arguments):
                self.seen.append(f"{event} {arguments!r}"[:200])
        finally:
            self._inside = False

    def _is_forbidden(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, mode, flags = arguments
            writes = bool((flags or 0) & WRITES) or any(c in (mode or "") for c in "wax+")
            return writes and not str(path).startswith(self._store)
        if event == "compile":
            # The reader parses expressions to look at them: a tree, never code to run.
            return not is_parse()
        if event == "shutil.rmtree":
            return not str(arguments[0]).startswith(self._store)
        return event in FORBIDDEN


def is_parse() -> bool:
    """Whether `compile` was called by `ast.parse`, which makes a tree and no code."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "parse" and frame.f_code.co_filename.endswith("ast.py"):
            return True
        frame = frame.f_back
    return False


def main() -> None:
    """Arguments: the store, harmless models, "--", and every source."""
    store, rest = Path(sys.argv[1]), sys.argv[2:]
    # What any load imports is imported before, so that only the model's own doings are seen.
    middle = rest.index("--")
    for number, harmless in enumerate(rest[:middle]):
        add(Path(harmless), folder=store, name=f"harmless{number}")
    torch.set_num_threads(1)
    watch = Watch(store)
    sys.addaudithook(watch)
    for source in rest[middle + 1 :]:
        watch.seen = []
        watch.on = True
        try:
            if source.endswith(CONTROL):
                # What the hook is to see, so that its silence means something.
                pickle.loads(Path(source).read_bytes())
            else:
                add(Path(source), folder=store)
            answer: dict[str, Any] = {"raised": None}
        except MedreconError as error:
            answer = {
                "raised": type(error).__name__,
                "exit": error.exit_code,
                "message": str(error),
            }
        finally:
            watch.on = False
        answer |= {"events": watch.seen, "trace": Path(TRACE).exists()}
        line = json.dumps({"source": source, **answer})
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
