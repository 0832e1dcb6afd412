"""A folder that appears with everything in it: what is written beside a run, or fetched."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from medrecon.errors import OutputExistsError
from medrecon.files.atomic import as_output_error, sync_folder


class NewFolder:
    """Files gathered in `staging` and shown under `path` by one rename.

    Leaving the block without `finish` removes them. A killed process leaves a hidden
    folder beside the place, which the next one of that name removes.

    Parameters
    ----------
    path : Path
    overwrite : bool
        Put the files into a folder that is there already, each replacing one of its
        name; other files stay.

    Raises
    ------
    OutputExistsError
        If there is a file, or a folder that is not empty and may not be overwritten.
    OutputError
        If it cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        self.staging = path.parent / f".{path.name}.part"
        self._overwrite = overwrite

    def __enter__(self) -> Self:
        with as_output_error():
            if self.path.exists() and not self.path.is_dir():
                raise OutputExistsError("the output is a file; a folder was expected")
            if self.path.exists() and any(self.path.iterdir()) and not self._overwrite:
                raise OutputExistsError(
                    "the output folder is not empty; choose another with --output, or pass --force"
                )
            shutil.rmtree(self.staging, ignore_errors=True)
            self.staging.mkdir(parents=True)
        return self

    def finish(self) -> None:
        """Show the files."""
        with as_output_error():
            if not self.path.exists() or not any(self.path.iterdir()):
                # Windows renames onto nothing, not onto an empty folder.
                with suppress(FileNotFoundError):
                    self.path.rmdir()
                self.staging.replace(self.path)
            else:
                for source in sorted(p for p in self.staging.rglob("*") if p.is_file()):
                    target = self.path / source.relative_to(self.staging)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.replace(target)
            sync_folder(self.path.parent)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            shutil.rmtree(self.staging, ignore_errors=True)
