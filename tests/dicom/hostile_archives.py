"""Zip archives that attack their reader; each maker returns the archive's bytes.

`good` is the content of a healthy series: where an archive holds it untouched, the
series must come out; everywhere else a refusal is due.
"""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable

Files = list[bytes]
Maker = Callable[[Files], bytes]

# Archives with a healthy series in them: name → maker.
READABLE: dict[str, Maker] = {}
# Archives that must be refused.
REFUSED: dict[str, Maker] = {}


def readable(make: Maker) -> Maker:
    READABLE[make.__name__] = make
    return make


def refused(make: Maker) -> Maker:
    REFUSED[make.__name__] = make
    return make


def archive(
    good: Files, name: str = "{}.dcm", extra: dict[str, bytes] | None = None, method: int = 8
) -> bytes:
    """A well-formed archive of the files under the given name pattern."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as z:
        warnings.simplefilter("ignore", UserWarning)  # two members of one name
        for n, content in enumerate(good):
            z.writestr(_info(name.format(n), method), content)
        for other, content in (extra or {}).items():
            z.writestr(_info(other, method), content)
    return out.getvalue()


def _info(name: str, method: int, mode: int = 0o100644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    info.external_attr = mode << 16
    return info


def _special(good: Files, mode: int, content: bytes = b"/etc/passwd") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for n, file in enumerate(good):
            z.writestr(f"{n}.dcm", file)
        z.writestr(_info("special", 0, mode), content)
    return out.getvalue()


def _directory(raw: bytes) -> int:
    return raw.rindex(b"PK\x05\x06")


def _entry(raw: bytes, n: int = 0) -> int:
    at = struct.unpack_from("<I", raw, _directory(raw) + 16)[0]
    for _ in range(n):
        name, extra, comment = struct.unpack_from("<3H", raw, at + 28)
        at += 46 + name + extra + comment
    return int(at)


def _patched(raw: bytes, at: int, code: str, value: int) -> bytes:
    content = bytearray(raw)
    struct.pack_into(code, content, at, value)
    return bytes(content)


for _name, _pattern in {
    "parent_folders": "../../../{}.dcm",
    "parent_folders_inside": "a/../../b/{}.dcm",
    "absolute_names": "/tmp/medrecon-escape-{}.dcm",
    "drive_letters": "C:\\medrecon-escape-{}.dcm",
    "backslashes": "..\\..\\{}.dcm",
    "shared_folder_names": "\\\\host\\share\\{}.dcm",
    "home_folder": "~/{}.dcm",
    "control_characters": "a\r\n\x1b[31m{}.dcm",
    "very_long_names": "x" * 5000 + "{}.dcm",
    "deep_folders": "d/" * 2000 + "{}.dcm",
    "device_names": "CON/NUL{}.dcm",
    "one_name_for_all": "same.dcm",
}.items():
    READABLE[_name] = lambda good, p=_pattern: archive(good, p)  # type: ignore[misc]


@readable
def symbolic_link(good: Files) -> bytes:
    return _special(good, stat.S_IFLNK | 0o777)


@readable
def symbolic_link_to_parent(good: Files) -> bytes:
    return _special(good, stat.S_IFLNK | 0o777, b"..")


@readable
def fifo(good: Files) -> bytes:
    return _special(good, stat.S_IFIFO | 0o644, b"")


@readable
def block_device(good: Files) -> bytes:
    return _special(good, stat.S_IFBLK | 0o644, b"\0" * 64)


@readable
def set_user_id_member(good: Files) -> bytes:
    return _special(good, stat.S_IFREG | 0o6755, b"#!/bin/sh\n")


@readable
def archive_inside(good: Files) -> bytes:
    return archive(good, extra={"inner.zip": archive(good)})


@readable
def long_comment(good: Files) -> bytes:
    out = io.BytesIO(archive(good))
    with zipfile.ZipFile(out, "a") as z:
        z.comment = b"c" * 60000
    return out.getvalue()


@refused
def bomb_of_zeros(good: Files) -> bytes:
    return archive(good, extra={"zeros": bytes(200 << 20)})


@refused
def bomb_of_many(good: Files) -> bytes:
    return archive(good, extra={f"z{n}": bytes(4 << 20) for n in range(40)})


@refused
def more_members_than_allowed(good: Files) -> bytes:
    return archive(good, extra={f"{n}": b"" for n in range(2000)}, method=0)


@refused
def stated_size_of_four_gigabytes(good: Files) -> bytes:
    raw = archive(good)
    return _patched(raw, _entry(raw) + 24, "<I", 0xFFFFFFF0)


@refused
def stated_size_too_small(good: Files) -> bytes:
    raw = archive(good)
    return _patched(raw, _entry(raw) + 24, "<I", 900)


@refused
def stored_member_with_two_sizes(good: Files) -> bytes:
    raw = archive(good, method=0)
    return _patched(raw, _entry(raw) + 24, "<I", 100_000)


@refused
def wrong_checksum(good: Files) -> bytes:
    raw = archive(good)
    return _patched(raw, _entry(raw) + 16, "<I", zlib.crc32(b"else"))


@refused
def flipped_bit_in_a_stored_pixel(good: Files) -> bytes:
    raw = archive(good, method=0)
    at = raw.index(good[1]) + len(good[1]) - 5
    return _patched(raw, at, "B", raw[at] ^ 4)


@refused
def flipped_bits_in_a_deflated_member(good: Files) -> bytes:
    raw = archive(good)
    at = _entry(raw) // 2
    return _patched(raw, at, "<I", 0xA5A5A5A5)


@refused
def overlapping_members(good: Files) -> bytes:
    raw = archive(good)
    first = struct.unpack_from("<I", raw, _entry(raw) + 42)[0]
    return _patched(raw, _entry(raw, 1) + 42, "<I", first)


@refused
def member_that_points_past_the_end(good: Files) -> bytes:
    raw = archive(good)
    return _patched(raw, _entry(raw) + 42, "<I", 0x7FFFFFFF)


@refused
def member_that_points_into_nothing(good: Files) -> bytes:
    raw = archive(good)
    return _patched(raw, _entry(raw) + 42, "<I", 7)


@refused
def cut_in_the_middle(good: Files) -> bytes:
    raw = archive(good)
    return raw[: len(raw) // 2]


@refused
def cut_in_the_directory(good: Files) -> bytes:
    raw = archive(good)
    return raw[: _directory(raw) - 20]


@refused
def directory_that_states_no_end(good: Files) -> bytes:
    raw = archive(good)
    return _patched(raw, _directory(raw) + 12, "<I", 0xFFFFFFFF)


@refused
def directory_at_an_impossible_place(good: Files) -> bytes:
    raw = archive(good)
    return _patched(raw, _directory(raw) + 16, "<I", 0xFFFFFF00)


@refused
def comment_that_looks_like_a_directory(good: Files) -> bytes:
    out = io.BytesIO(archive(good))
    with zipfile.ZipFile(out, "a") as z:
        z.comment = b"PK\x05\x06" + b"c" * 60000
    return out.getvalue()


@refused
def everything_encrypted(good: Files) -> bytes:
    raw = archive(good)
    for n in range(len(good)):
        raw = _patched(raw, _entry(raw, n) + 8, "<H", 1)
    return raw


@refused
def unknown_compression(good: Files) -> bytes:
    raw = archive(good)
    for n in range(len(good)):
        raw = _patched(raw, _entry(raw, n) + 10, "<H", 93)
    return raw


@refused
def no_members(_: Files) -> bytes:
    return archive([])


@refused
def only_folders(_: Files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for n in range(50):
            z.mkdir(f"d{n}")
    return out.getvalue()
