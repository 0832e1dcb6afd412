"""Every file of the input that may be DICOM, and a count of what is left aside."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from medrecon.dicom import archive
from medrecon.dicom.limits import Limits
from medrecon.dicom.sources import FileSource, Source
from medrecon.errors import ResourceError, UnreadableInputError

LINK = "symbolic link"
SPECIAL = "FIFO, socket or device"
UNREADABLE = "unreadable file or folder"
EMPTY = "empty file"
NESTED_ARCHIVE = "archive inside the input"


class Found:
    """Sources in the input, counting on the way what is none.

    Parameters
    ----------
    paths : sequence of Path
        Folders, files, DICOMDIRs or zip archives. A DICOMDIR stands for the folder
        that it is in: what it lists is a hint that copying and renaming make wrong.
    limits : Limits
    """

    def __init__(self, paths: Sequence[Path], limits: Limits) -> None:
        self.paths = tuple(paths)
        self.limits = limits
        self.left_aside: Counter[str] = Counter()
        self.named_files = 0
        self._seen = 0

    def __iter__(self) -> Iterator[Source]:
        for path in self.paths:
            yield from self._of_path(path)

    def _of_path(self, path: Path) -> Iterator[Source]:
        try:
            real = path.resolve(strict=True)
            kind = real.stat()
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or "a loop of links"
            raise UnreadableInputError(f"the input cannot be opened: {reason}") from error
        if stat.S_ISDIR(kind.st_mode):
            yield from self._of_folder(real)
        elif not stat.S_ISREG(kind.st_mode):
            raise UnreadableInputError("the input is a FIFO, socket or device; a file is expected")
        else:
            yield from self._of_file(FileSource(real, kind.st_size))

    def _of_file(self, source: FileSource) -> Iterator[Source]:
        head = source.head(4)
        if archive.is_zip(head):
            yield from self._of_archive(source)
        elif source.path.name.upper().split(".")[0] == "DICOMDIR":
            yield from self._of_folder(source.path.parent)
        else:
            self.named_files += 1
            yield from self._counted([source])

    def _of_archive(self, source: FileSource) -> Iterator[Source]:
        for member in archive.members(source.path, source.size, self.limits):
            if member.source is None:
                self.left_aside[member.left_out] += 1
            elif member.source.size:
                yield from self._counted([member.source])
            else:
                self.left_aside[EMPTY] += 1

    def _of_folder(self, root: Path) -> Iterator[Source]:
        pending = [(root, 0)]
        while pending:
            folder, depth = pending.pop()
            entries = self._entries(folder, is_root=folder is root)
            below: list[tuple[Path, int]] = []
            for entry in entries:
                kind = self._kind(entry)
                if kind is None:
                    continue
                if stat.S_ISDIR(kind.st_mode):
                    if depth >= self.limits.depth:
                        raise ResourceError(f"folders nested deeper than {self.limits.depth}")
                    below.append((Path(entry.path), depth + 1))
                elif kind.st_size:
                    yield from self._counted([FileSource(Path(entry.path), kind.st_size)])
                else:
                    self.left_aside[EMPTY] += 1
            pending.extend(reversed(below))

    def _entries(self, folder: Path, *, is_root: bool) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as scan:
                return sorted(scan, key=lambda e: e.name)
        except OSError as error:
            if is_root:
                reason = error.strerror or "input/output error"
                raise UnreadableInputError(f"the input cannot be opened: {reason}") from error
            self.left_aside[UNREADABLE] += 1
            return []

    def _kind(self, entry: os.DirEntry[str]) -> os.stat_result | None:
        """Status of a folder or regular file; anything else is counted."""
        try:
            kind = entry.stat(follow_symlinks=False)
        except OSError:
            self.left_aside[UNREADABLE] += 1
            return None
        if stat.S_ISLNK(kind.st_mode):
            # A link to what is in the input finds nothing new; any other leaves it.
            self.left_aside[LINK] += 1
            return None
        if not (stat.S_ISDIR(kind.st_mode) or stat.S_ISREG(kind.st_mode)):
            self.left_aside[SPECIAL] += 1
            return None
        return kind

    def _counted(self, sources: Iterable[Source]) -> Iterator[Source]:
        for source in sources:
            self._seen += 1
            if self._seen > self.limits.files:
                raise ResourceError(f"more than {self.limits.files:,} files in the input")
            yield source
