"""The batch's memory: one line for each thing that happened, safe on the disk before the next.

A line is appended and fsync'ed. After kill -9 or a power cut at worst
the last line is torn; it is left where it is and read over.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from medrecon.batch.outcome import Outcome
from medrecon.files.atomic import as_output_error

FOLDER = "journal"


@dataclass
class History:
    """What the journals say.

    Parameters
    ----------
    begun : dict of str to int
        How often each study was begun.
    ended : dict of str to Outcome
        The last outcome of each study that has one.
    """

    begun: dict[str, int] = field(default_factory=dict)
    ended: dict[str, Outcome] = field(default_factory=dict)


class Journal:
    """An open journal; one writer each, which the batch's lock sees to.

    Parameters
    ----------
    path : Path
        Its folder is made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def __enter__(self) -> Self:
        with as_output_error():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def begin(self, study: str) -> None:
        """A process is about to be started for the study."""
        self._append({"event": "begun", "study": study})

    def end(self, outcome: Outcome) -> None:
        """A study has its outcome."""
        self._append({"event": "ended", **outcome.as_json()})

    def _append(self, content: Mapping[str, Any]) -> None:
        line = json.dumps({"at": time.time(), **content}, ensure_ascii=False).encode() + b"\n"
        with as_output_error():
            # A disk that is nearly full takes a part of a line without a word.
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)


def read_history(folder: Path) -> History:
    """What all journals of a batch say together, by the clock; torn lines are read over.

    Lines of one journal stay in their order, also where a clock was put back.
    """
    history, lines = History(), []
    for path in sorted((folder / FOLDER).glob("*.jsonl")):
        latest = 0.0
        for line in path.read_bytes().split(b"\n"):
            content = _parsed(line)
            latest = max(latest, _time_of(content))
            lines.append((latest, content))
    for _, content in sorted(lines, key=lambda pair: pair[0]):
        _remember(content, history)
    return history


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _time_of(content: Mapping[str, Any]) -> float:
    """Seconds since 1970; 0 in a line that does not say."""
    at = content.get("at", 0.0)
    return float(at) if isinstance(at, int | float) else 0.0


def _remember(content: Mapping[str, Any], history: History) -> None:
    try:
        study = content["study"]
        if content["event"] == "begun":
            history.begun[study] = history.begun.get(study, 0) + 1
        elif content["event"] == "ended":
            history.ended[study] = Outcome.from_json(content)
    except (ValueError, KeyError, TypeError):
        return
