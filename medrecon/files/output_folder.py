"""A folder of results that is shown when it is complete, and not before.

What lies in it, besides the results::

    .lock          held while a run writes
    .unfinished/   the files of the run under way, each of them whole
    .earlier/      files of a run that was stopped, while it is resumed
    .stages/       which stages of the run under way are finished, and which files are
                   being moved to their places

A folder with `run.json` is complete; one without it is unfinished, whatever else it holds.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from medrecon.errors import OutputError, OutputExistsError, ResourceError
from medrecon.files.atomic import RUN_FILE, as_output_error, sync_folder, write_json

STAGING = ".unfinished"
EARLIER = ".earlier"
STAGES = ".stages"
LOCK = ".lock"
OURS = frozenset({STAGING, EARLIER, STAGES, LOCK})
MOVING = "moving.json"
# Somebody stopped it, or there was too little of something: the next attempt may get further.
# A refused input is refused again, so nothing is kept of it.
WORTH_RESUMING = (OutputError, ResourceError, MemoryError)


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
    resume : bool
        Keep the files of a run that was stopped, for `earlier`, and keep what this one
        has written if it is stopped itself, or if the disk or the memory is full.

    Raises
    ------
    OutputExistsError
        If the folder is not empty and `overwrite` is false.
    OutputError
        If it cannot be made or written, or is in use by another run.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, resume: bool = False) -> None:
        self.path = path
        self.staging = path / STAGING
        self.earlier = path / EARLIER
        self.stages = path / STAGES
        self.resume = resume
        self._overwrite = overwrite
        self._made: list[Path] = []
        self._lock = FileLock(path / LOCK, timeout=0)

    def __enter__(self) -> Self:
        with as_output_error():
            self._refuse_foreign_content()
            self._made = _make_folders(self.path)
            try:
                self._lock.acquire()
            except Timeout:
                raise OutputError("another run is writing to this output folder") from None
            except BaseException:
                self._unmake()
                raise
            try:
                self._undo_half_a_finish()
                self._begin()
            except BaseException:
                # A full disk, or somebody's Ctrl-C.
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
            new = sorted(_files_below(self.staging), key=lambda name: (name == RUN_FILE, name))
            old = self._files_of_earlier_run()
            # If this is interrupted, the next run reads here what lies about.
            write_json(self.stages / MOVING, {"moved": new, "removed": old})
            (self.path / RUN_FILE).unlink(missing_ok=True)
            self._remove(old)
            for name in new:
                target = self.path / name
                target.parent.mkdir(parents=True, exist_ok=True)
                (self.staging / name).replace(target)
                sync_folder(target.parent)
        self._made = []
        self.resume = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, WORTH_RESUMING):
            self.resume = False
        self._clear()

    def _begin(self) -> None:
        if self.resume:
            _move_files(self.staging, self.earlier)
        else:
            for folder in (self.earlier, self.stages):
                shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir()
        self.stages.mkdir(exist_ok=True)

    def _clear(self) -> None:
        if not self.resume:
            with suppress(OSError):
                self._remove(self._half_a_finish()[0])
            for folder in (self.staging, self.earlier, self.stages):
                shutil.rmtree(folder, ignore_errors=True)
        # Removed while it is held: whoever opens it now makes another one.
        with suppress(OSError):
            (self.path / LOCK).unlink(missing_ok=True)
        self._lock.release()
        self._unmake()

    def _unmake(self) -> None:
        """Remove the folders that were made here, as far as nothing lies in them."""
        with suppress(OSError):
            for folder in reversed(self._made):
                folder.rmdir()

    def _refuse_foreign_content(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise OutputExistsError("the output is a file; a folder was expected")
        here = {p.name for p in self.path.iterdir()} if self.path.exists() else set()
        moved, _ = self._half_a_finish()
        if here - OURS - {Path(name).parts[0] for name in moved} and not self._overwrite:
            raise OutputExistsError(
                "the output folder is not empty; choose a new one with --output, or pass --force"
            )

    def _half_a_finish(self) -> tuple[list[str], list[str]]:
        """Names that an interrupted `finish` was moving and removing; none if it was not."""
        if (self.path / RUN_FILE).exists() or not (self.stages / MOVING).is_file():
            return [], []
        try:
            content = json.loads((self.stages / MOVING).read_text("utf-8"))
            names = [[str(n) for n in content[key]] for key in ("moved", "removed")]
        except (ValueError, KeyError, TypeError):
            return [], []
        inside = [[n for n in some if _is_inside(self.path, n)] for some in names]
        return inside[0], inside[1]

    def _undo_half_a_finish(self) -> None:
        moved, removed = self._half_a_finish()
        self._remove(removed)
        for name in moved:
            if (self.path / name).is_file():
                target = self.staging / name
                target.parent.mkdir(parents=True, exist_ok=True)
                (self.path / name).replace(target)
        self._remove(moved)
        (self.stages / MOVING).unlink(missing_ok=True)

    def _remove(self, names: list[str]) -> None:
        """Remove files of a run, and the folders that are empty then."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)
        for parent in sorted({p for n in names for p in Path(n).parents}, reverse=True):
            if parent != Path():
                with suppress(OSError):
                    (self.path / parent).rmdir()

    def _files_of_earlier_run(self) -> list[str]:
        run = self.path / RUN_FILE
        if not run.is_file():
            return []
        try:
            names = [str(n) for n in json.loads(run.read_text("utf-8"))["outputs"]]
        except (ValueError, KeyError, TypeError):
            return []
        return [n for n in names if _is_inside(self.path, n)]


def _is_inside(folder: Path, name: str) -> bool:
    """Whether a name that was read from a file stays in the folder and is a file or free."""
    place = (folder / name).resolve()
    return place.is_relative_to(folder.resolve()) and not place.is_dir()


def _files_below(folder: Path) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]


def _move_files(source: Path, target: Path) -> None:
    """Move whole files; the beginnings of one are left behind."""
    for name in _files_below(source):
        if not Path(name).name.endswith(".part"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).replace(target / name)


def _make_folders(path: Path) -> list[Path]:
    """Make the folder and its parents; which of them were made, outermost first."""
    missing = [p for p in (path, *path.parents) if not p.exists()][::-1]
    for folder in missing:
        folder.mkdir(exist_ok=True)
    return missing
