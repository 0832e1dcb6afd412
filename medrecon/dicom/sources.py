"""Where the bytes of one DICOM file are: on disk, in an archive, behind a deflated header."""

from __future__ import annotations

import io
import os
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from medrecon.errors import PixelDataError, UnreadableInputError

# No link is followed, no FIFO waited for. Windows has neither flag.
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)

# Bytes that may follow the pixels in a file: read too, so that its checksum is reached.
AFTER_PIXELS = 1 << 16


class Source(Protocol):
    """Bytes that can be read from any offset."""

    @property
    def size(self) -> int:
        """Number of bytes, where known before reading; else an upper bound."""
        ...

    @property
    def is_random_access(self) -> bool:
        """Whether a part can be read without the rest."""
        ...

    def head(self, count: int) -> bytes:
        """The first `count` bytes, fewer if there are not so many."""
        ...

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset`; PixelDataError if they are not there."""
        ...

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset`; PixelDataError if the bytes are not there."""
        ...


@dataclass(frozen=True, slots=True)
class FileSource:
    """A regular file.

    Opened for each access: a series may have more files than a process may hold open.
    """

    path: Path
    size: int

    @property
    def is_random_access(self) -> bool:
        """A file on disk is."""
        return True

    def head(self, count: int) -> bytes:
        """The first bytes."""
        try:
            with self._open() as file:
                return file.read(count)
        except OSError as error:
            raise _unreadable(error) from error

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset`."""
        if offset + count > self.size:
            raise short_of(self.size - offset, count)
        target = bytearray(count)
        self.read_into(offset, memoryview(target))
        return bytes(target)

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` straight from the file."""
        try:
            with self._open() as file:
                file.seek(offset)
                done, count = 0, len(target)
                while done < count:
                    step = file.readinto(target[done:])
                    if not step:
                        raise short_of(done, count)
                    done += step
        except OSError as error:
            raise _unreadable(error) from error

    def _open(self) -> io.FileIO:
        file = io.FileIO(os.open(self.path, _OPEN_FLAGS))
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise UnreadableInputError("a file turned into something else while it was read")
        return file


@dataclass(frozen=True, slots=True)
class InflatedSource:
    """The data set of a deflated file (PS3.5 A.5), inflated no further than asked for.

    `size` is the bound that the caller allows, not what is there: a deflated file
    does not say how large it is.
    """

    outer: Source
    offset: int
    size: int

    @property
    def is_random_access(self) -> bool:
        """Reading a part costs inflating all before it."""
        return False

    def head(self, count: int) -> bytes:
        """The first bytes of the inflated data set."""
        raw = self.outer.read(self.offset, self.outer.size - self.offset)
        try:
            return zlib.decompressobj(-15).decompress(raw, min(count, self.size))
        except zlib.error as error:
            raise PixelDataError("a deflated file is damaged; export the series again") from error

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset` of the inflated data set."""
        whole = self.head(offset + count)
        if len(whole) < offset + count:
            raise short_of(max(0, len(whole) - offset), count)
        return whole[offset:]

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from the inflated data set."""
        target[:] = self.read(offset, len(target))


@dataclass(frozen=True, slots=True)
class GzipSource:
    """A file that was compressed as a whole (RFC 1952), checked against its CRC when read.

    `size` is what the last four bytes state, held to the caller's bound.
    """

    outer: Source
    size: int

    @property
    def is_random_access(self) -> bool:
        """Reading a part costs reading all."""
        return False

    def head(self, count: int) -> bytes:
        """The first bytes of the file inside."""
        # Deflate never grows by more than 5 bytes a block; a name may stand before it.
        raw = self.outer.read(0, min(self.outer.size, count + count // 1000 + 4096))
        return self._inflate(raw, min(count, self.size))[0]

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset`."""
        if offset + count > self.size:
            raise short_of(self.size - offset, count)
        asked = offset + count + AFTER_PIXELS
        whole, is_whole = self._inflate(self.outer.read(0, self.outer.size), asked)
        if len(whole) < asked and not is_whole:
            raise PixelDataError("a gzip file is cut short; copy it again")
        if len(whole) < offset + count:
            raise short_of(len(whole) - offset, count)
        return whole[offset : offset + count]

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from the file inside."""
        target[:] = self.read(offset, len(target))

    def _inflate(self, raw: bytes, count: int) -> tuple[bytes, bool]:
        """At most `count` bytes, and whether they are all, with the right CRC."""
        unpacked = zlib.decompressobj(wbits=31)
        try:
            return unpacked.decompress(raw, count), unpacked.eof
        except zlib.error as error:
            raise PixelDataError("a gzip file is damaged; copy it again") from error


def is_gzip(head: bytes) -> bool:
    """Whether the bytes begin as a gzip file does."""
    return head[:3] == b"\x1f\x8b\x08"


def gunzipped(source: Source, largest: int) -> GzipSource:
    """The file inside a gzip file; no more than `largest` bytes of it are ever unpacked."""
    stated = int.from_bytes(source.read(max(0, source.size - 4), min(source.size, 4)), "little")
    return GzipSource(source, min(stated, largest))


@dataclass(frozen=True, slots=True)
class LoadedSource:
    """Bytes in memory that stand for those of a file from `start`."""

    content: bytes
    start: int

    @property
    def size(self) -> int:
        """End of the bytes in the file."""
        return self.start + len(self.content)

    @property
    def is_random_access(self) -> bool:
        """Memory is."""
        return True

    def head(self, count: int) -> bytes:
        """The first bytes of what is loaded."""
        return self.content[:count]

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from the file's `offset`."""
        found = self.content[offset - self.start : offset - self.start + count]
        if len(found) < count:
            raise short_of(len(found), count)
        return found

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from the file's `offset`."""
        target[:] = self.read(offset, len(target))


def short_of(found: int, expected: int) -> PixelDataError:
    """Error for a file that ends before its pixels do."""
    return PixelDataError(
        f"a file ends early: {max(0, found):,} of {expected:,} bytes of pixel data are there; "
        "copy the series again"
    )


def _unreadable(error: OSError) -> UnreadableInputError:
    reason = error.strerror or "input/output error"
    return UnreadableInputError(f"a file of the input cannot be read: {reason}")
