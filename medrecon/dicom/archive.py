"""Members of a zip archive, read in place: nothing is ever extracted.

A hostile archive has no folder to escape into and no file to overwrite. Its size,
count and ratio are held to budgets from the directory before a member is inflated,
and again while it is.
"""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

from isal import igzip_lib, isal_zlib

from medrecon.dicom.limits import Limits
from medrecon.dicom.sources import FileSource, Source, short_of
from medrecon.errors import ArchiveError, PixelDataError

_LOCAL = b"PK\x03\x04"
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_ENCRYPTED = 0x1
# End of central directory (APPNOTE 4.3.16) and its ZIP64 twin (4.3.14).
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x06"
_END_RECORD = struct.Struct("<4s4H2IH")
_TAIL = 66_000
# 46 bytes, a name of a hundred letters and some extra fields.
_LARGEST_ENTRY = 300
_DAMAGED = (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, struct.error)
# isal's own error class; its stub file types it as an instance.
_INFLATE_ERROR = cast(type[Exception], igzip_lib.IsalError)


@dataclass(frozen=True, slots=True)
class MemberSource:
    """One file inside a zip archive.

    Every read but that of the head inflates the whole member and checks it against
    the archive's CRC-32: a flipped bit in a slice would else be a grey value.
    """

    archive: Source
    start: int
    packed: int
    deflated: bool
    size: int
    crc: int

    @property
    def is_random_access(self) -> bool:
        """Reading a part costs reading all."""
        return False

    def head(self, count: int) -> bytes:
        """The first bytes of the member, inflating no more than those."""
        count = min(count, self.size)
        if not self.deflated:
            return self.archive.read(self.start, count)
        # Deflate never grows by more than 5 bytes a block of 16 KiB or more.
        raw = self.archive.read(self.start, min(self.packed, count + count // 1000 + 4096))
        return self._inflate(raw, count)

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset`."""
        if offset + count > self.size:
            raise short_of(self.size - offset, count)
        return self._whole()[offset : offset + count]

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset`."""
        target[:] = self.read(offset, len(target))

    def _whole(self) -> bytes:
        raw = self.archive.read(self.start, self.packed)
        whole = self._inflate(raw, self.size + 1) if self.deflated else raw
        if len(whole) != self.size or isal_zlib.crc32(whole) != self.crc:
            raise PixelDataError("a member of the archive is damaged; copy it again")
        return whole

    def _inflate(self, raw: bytes, count: int) -> bytes:
        try:
            return bytes(isal_zlib.decompressobj(-15).decompress(raw, count))
        except _INFLATE_ERROR as error:
            raise PixelDataError("a member of the archive is damaged; copy it again") from error


# Reasons to leave a member that may be a slice.
ENCRYPTED = "encrypted in the archive"
PACKED = "compressed in a way that is not read"


@dataclass(frozen=True, slots=True)
class Member:
    """A member, or the reason why it is left out."""

    source: MemberSource | None
    left_out: str = ""


def is_zip(head: bytes) -> bool:
    """Whether the bytes begin as a zip archive does."""
    return head[:4] in (_LOCAL, b"PK\x05\x06")


def members(path: Path, size: int, limits: Limits) -> Iterator[Member]:
    """Files of the archive in the order of their names.

    Links, devices and encrypted members are left out with a reason; folders are
    passed over in silence.

    Raises
    ------
    ArchiveError
        If the archive is damaged, or its directory promises more files, bytes or a
        higher ratio than the limits allow.
    """
    _check_directory(path, size, limits)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = sorted(archive.infolist(), key=lambda e: (e.filename, e.header_offset))
    except _DAMAGED as error:
        raise ArchiveError("the archive is damaged; copy it again") from error
    _check_budgets(entries, size, limits)
    whole = FileSource(path, size)
    for entry in entries:
        if entry.is_dir():
            continue
        reason = _left_out(entry)
        yield Member(None, reason) if reason else Member(_member(whole, entry))


def _check_directory(path: Path, size: int, limits: Limits) -> None:
    """Refuse a directory too large for the allowed number of files before it is parsed."""
    tail = FileSource(path, size).read(max(0, size - _TAIL), min(size, _TAIL))
    at = tail.rfind(_END)
    if at < 0 or at + _END_RECORD.size > len(tail):
        raise ArchiveError("the archive has no directory; copy it again")
    length = _END_RECORD.unpack_from(tail, at)[5]
    wide = tail.rfind(_END_64, 0, at)
    if wide >= 0 and wide + 56 <= len(tail):
        stated = 0 if length == 0xFFFFFFFF else length
        length = max(stated, *struct.unpack_from("<Q", tail, wide + 40))
    if length > limits.files * _LARGEST_ENTRY:
        raise ArchiveError(
            f"the archive's directory takes {length:,} bytes, more than {limits.files:,} members do"
        )


def _check_budgets(entries: list[zipfile.ZipInfo], size: int, limits: Limits) -> None:
    if len(entries) > limits.files:
        raise ArchiveError(
            f"the archive has {len(entries):,} members; at most {limits.files:,} are read"
        )
    total = sum(e.file_size for e in entries)
    if total > limits.archive_bytes:
        raise ArchiveError(
            f"the archive unpacks to {total:,} bytes; at most {limits.archive_bytes:,} are read"
        )
    for e in entries:
        if e.file_size > limits.archive_ratio * max(1, e.compress_size):
            raise ArchiveError(
                f"a member unpacks to {e.file_size / max(1, e.compress_size):,.0f} times its "
                f"size; at most {limits.archive_ratio:,.0f} is possible for an image"
            )
    ends = sorted((e.header_offset, e.header_offset + 30 + e.compress_size) for e in entries)
    if any(b[0] < a[1] for a, b in pairwise(ends)) or (ends and ends[-1][1] > size):
        raise ArchiveError("members of the archive overlap or lie outside it; copy it again")


def _left_out(entry: zipfile.ZipInfo) -> str:
    kind = entry.external_attr >> 16
    if kind and stat.S_IFMT(kind) not in (0, stat.S_IFREG):
        return "link or device in the archive"
    if entry.flag_bits & _ENCRYPTED:
        return ENCRYPTED
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return PACKED
    return ""


def _member(archive: FileSource, entry: zipfile.ZipInfo) -> MemberSource:
    """The member's place, from its local header (whose name may differ in length)."""
    fields = _LOCAL_HEADER.unpack(archive.read(entry.header_offset, _LOCAL_HEADER.size))
    if fields[0] != _LOCAL:
        raise ArchiveError("the archive's directory points to no member; copy it again")
    start = entry.header_offset + _LOCAL_HEADER.size + fields[9] + fields[10]
    if start + entry.compress_size > archive.size:
        raise ArchiveError("a member of the archive is cut short; copy it again")
    deflated = entry.compress_type == zipfile.ZIP_DEFLATED
    if not deflated and entry.compress_size != entry.file_size:
        raise ArchiveError("a stored member of the archive states two sizes; copy it again")
    return MemberSource(archive, start, entry.compress_size, deflated, entry.file_size, entry.CRC)
