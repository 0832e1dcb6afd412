"""A zip of few large parts, deflated by ISA-L: several times as fast as zlib."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import IO

from isal import isal_zlib

from medrecon.files.compression import Deflater

# Versions, flags, times and attributes are the same in every file: the same parts give
# the same bytes. 1 January 1980, the earliest time that a zip can hold.
_VERSION, _VERSION_64, _DEFLATED, _DATE = 20, 45, 8, 0x21
_UNIX_FILE = 3 << 8, 0o100644 << 16
_MOST = 0xFFFFFFFF


def write_zip(stream: IO[bytes], parts: Iterable[tuple[str, Iterable[bytes]]]) -> None:
    """Write named parts, each given in pieces; only its deflated bytes are held at a time.

    Sizes and offsets of 4 GiB and more are written as zip64.

    References
    ----------
    PKWARE. APPNOTE.TXT, .ZIP File Format Specification: 4.3.7, 4.3.12, 4.3.14–16, 4.5.3.
    """
    directory, offset, count = b"", 0, 0
    for title, pieces in parts:
        name = title.encode("ascii")
        content, crc, size = _deflated(pieces)
        packed = sum(map(len, content))
        for chunk in (_local_header(name, crc, packed, size), *content):
            stream.write(chunk)
        directory += _central_header(name, crc, packed, size, offset)
        offset += len(_local_header(name, crc, packed, size)) + packed
        count += 1
    stream.write(directory + _end(count, len(directory), offset))


def _deflated(pieces: Iterable[bytes]) -> tuple[list[bytes], int, int]:
    """Deflated pieces, check sum and length of what they hold."""
    deflate = Deflater()
    content, crc, size = [], 0, 0
    for piece in pieces:
        crc, size = isal_zlib.crc32(piece, crc), size + len(piece)
        content.append(deflate.compress(piece))
    content.append(deflate.flush())
    return content, crc, size


def _fields(crc: int, packed: int, size: int, *more: int) -> tuple[int, bytes, bytes]:
    """Version needed, the fields from flags to size, and the zip64 field where it is needed."""
    large = any(value >= _MOST for value in (packed, size, *more))
    extra = b""
    if large:
        values = (size, packed, *more)
        extra = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)
        packed = size = _MOST
    fields = struct.pack("<HHHHIII", 0, _DEFLATED, 0, _DATE, crc, packed, size)
    return (_VERSION_64 if large else _VERSION), fields, extra


def _local_header(name: bytes, crc: int, packed: int, size: int) -> bytes:
    version, fields, extra = _fields(crc, packed, size)
    lengths = struct.pack("<HH", len(name), len(extra))
    return b"PK\3\4" + struct.pack("<H", version) + fields + lengths + name + extra


def _central_header(name: bytes, crc: int, packed: int, size: int, offset: int) -> bytes:
    version, fields, extra = _fields(crc, packed, size, offset)
    system, attributes = _UNIX_FILE
    rest = struct.pack(
        "<HHHHHII", len(name), len(extra), 0, 0, 0, attributes, _MOST if extra else offset
    )
    made = struct.pack("<HH", system | version, version)
    return b"PK\1\2" + made + fields + rest + name + extra


def _end(count: int, length: int, offset: int) -> bytes:
    """The end of the directory, with its zip64 form where the plain one is too narrow."""
    before = b""
    if offset >= _MOST:
        before = b"PK\6\6" + struct.pack(
            "<QHHIIQQQQ", 44, _VERSION_64, _VERSION_64, 0, 0, count, count, length, offset
        )
        before += b"PK\6\7" + struct.pack("<IQI", 0, offset + length, 1)
    plain = struct.pack("<HHHHIIH", 0, 0, count, count, length, min(offset, _MOST), 0)
    return before + b"PK\5\6" + plain
