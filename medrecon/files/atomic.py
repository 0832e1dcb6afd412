"""Files that appear under their final name only when they are whole.

A result is written beside its final place, flushed to the disk and renamed
(POSIX rename(2) replaces in one step). A crash leaves the old file or none.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from filelock import FileLock, Timeout

from medrecon.errors import OutputError, OutputExistsError

RUN_FILE = "run.json"
STAGING = ".unfinished"


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
            _sync_folder(path.parent)
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


class OutputFolder:
    """A folder that is filled beside the finished files and shown when complete.

    Everything is written under `DIR/.unfinished/`. `finish` moves the files to their
    places and `run.json` last; leaving the block without it removes what was written,
    and the folder itself if it was made here. A killed process leaves `.unfinished`.

    Parameters
    ----------
    path : Path
        The folder; made if missing.
    overwrite : bool
        Replace an earlier run. Only files that the earlier `run.json` lists are
        removed; what else lies there stays.

    Raises
    ------
    OutputExistsError
        If the folder is not empty and `overwrite` is false.
    OutputError
        If it cannot be made or written, or is in use by another run.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        self.staging = path / STAGING
        self._overwrite = overwrite
        self._made: list[Path] = []
        self._lock = FileLock(path / ".lock", timeout=0)

    def __enter__(self) -> Self:
        with as_output_error():
            self._refuse_foreign_content()
            self._made = _make_folders(self.path)
            try:
                self._lock.acquire()
            except Timeout:
                raise OutputError("another run is writing to this output folder") from None
            try:
                shutil.rmtree(self.staging, ignore_errors=True)
                self.staging.mkdir()
            except OSError:
                self._clear()
                raise
        return self

    def require_space(self, needed_bytes: int) -> None:
        """Refuse now what the disk will not hold later.

        Raises
        ------
        OutputError
            If less is free.
        """
        with as_output_error():
            free = shutil.disk_usage(self.path).free
        if free < needed_bytes:
            raise OutputError(
                f"the disk of the output folder has {free / 1e6:.0f} MB free, and about "
                f"{needed_bytes / 1e6:.0f} MB are needed; choose another with --output"
            )

    def finish(self) -> None:
        """Move everything into place, `run.json` last."""
        with as_output_error():
            self._remove_earlier_run()
            files = sorted(p for p in self.staging.rglob("*") if p.is_file())
            files.sort(key=lambda p: p.name == RUN_FILE)
            for source in files:
                target = self.path / source.relative_to(self.staging)
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
                _sync_folder(target.parent)
        self._made = []

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear()

    def _clear(self) -> None:
        shutil.rmtree(self.staging, ignore_errors=True)
        self._lock.release()
        with suppress(OSError):
            (self.path / ".lock").unlink(missing_ok=True)
            for folder in reversed(self._made):
                folder.rmdir()

    def _refuse_foreign_content(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise OutputExistsError("the output is a file; a folder was expected")
        here = {p.name for p in self.path.iterdir()} if self.path.exists() else set()
        if here - {STAGING, ".lock"} and not self._overwrite:
            raise OutputExistsError(
                "the output folder is not empty; choose a new one with --output, or pass --force"
            )

    def _remove_earlier_run(self) -> None:
        run = self.path / RUN_FILE
        if not run.is_file():
            return
        try:
            names = list(json.loads(run.read_text("utf-8"))["outputs"])
        except (ValueError, KeyError, TypeError):
            names = []
        run.unlink()
        root = self.path.resolve()
        for name in names:
            old = (self.path / str(name)).resolve()
            if old.is_relative_to(root) and old.is_file():
                old.unlink()


def _make_folders(path: Path) -> list[Path]:
    """Make the folder and its parents; which of them were made, outermost first."""
    missing = [p for p in (path, *path.parents) if not p.exists()][::-1]
    for folder in missing:
        folder.mkdir(exist_ok=True)
    return missing


def _sync_folder(folder: Path) -> None:
    """Make a rename itself durable; where folders cannot be opened, nothing is lost."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
