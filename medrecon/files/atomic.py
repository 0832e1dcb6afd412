"""Files that appear under their final name only when they are whole.

A result is written beside its final place, flushed to the disk and renamed
(POSIX rename(2) replaces in one step). A crash leaves the old file or none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from medrecon.errors import OutputError

RUN_FILE = "run.json"


@contextmanager
def open_atomic(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends without an error.

    Raises
    ------
    OutputError
        If it cannot be written (read-only, full, no such folder).
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with as_output_error():
            with part.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
            sync_folder(path.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, UTF-8, indented, keys in the order given, NaN refused."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with open_atomic(path) as stream:
        stream.write(text.encode())


@contextmanager
def as_output_error() -> Iterator[None]:
    """Turn the operating system's refusal to write into an `OutputError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(
            f"the output cannot be written: {reason.lower()}; free some space or choose "
            "another folder with --output"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make a rename itself durable; where folders cannot be opened, nothing is lost."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
