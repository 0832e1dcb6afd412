"""Formats with compartments: everything that none of them needs is a finding.

References
----------
RFC 1952 (gzip header), PNG third edition (chunks), APPNOTE 6.3 (zip), NIfTI-1 (nifti1.h),
binary STL, Khronos glTF 2.0 section 4 (GLB).
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final
from xml.etree import ElementTree

from medrecon.privacy.finding import Kind

Seen = tuple[str, Kind, str]
"""Place, kind, value."""
Text = tuple[str, str]
"""Place and text that is to be looked at word by word."""

XML_EVENTS: Final = ("start-ns", "comment", "pi", "end")
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
# Chunks without text that a picture may have: pixels, palette, resolution, colour space.
# How long each is at most; pixels as long as they are.
PNG_CHUNKS = {b"IHDR": 13, b"PLTE": 768, b"IDAT": 1 << 31, b"IEND": 0} | {
    b"pHYs": 9, b"sRGB": 1, b"gAMA": 4, b"sBIT": 4,
}  # fmt: skip
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Quantisation, frames, Huffman tables, restart interval, scan (ISO/IEC 10918-1, B.1.1.3).
JPEG_SEGMENTS = frozenset({0xDB, 0xC0, 0xC1, 0xC2, 0xC4, 0xDD, 0xDA})
STL_HEADERS = frozenset(
    f"medrecon SPACE={space} UNIT=mm".encode().ljust(80) for space in ("LPS", "PRINT", "RAS")
)
# NIfTI-1: offset and length of the fields that hold text.
NIFTI_TEXTS = {"data_type": (4, 10), "db_name": (14, 18), "descrip": (148, 80)} | {
    "aux_file": (228, 24),
    "intent_name": (328, 16),
}
# Offset and length of fields that nothing uses any more, or nothing of medrecon.
NIFTI_UNUSED = ((32, 6), (56, 12), (140, 8))
NIFTI_DATA = 352


def png(content: bytes) -> Iterator[Seen]:
    """A picture: pixels and how to show them, no text, no time, nothing behind its end."""
    if not content.startswith(PNG_MAGIC):
        yield "start", Kind.STRUCTURE, ""
        return
    at, packed = 8, b""
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        name, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        if length > PNG_CHUNKS.get(name, -1):
            yield f"chunk {name.decode('ascii', 'replace')}", Kind.STRUCTURE, repr(body)
        packed += body if name == b"IDAT" else b""
        at += 12 + length
        if name == b"IEND":
            break
    if at != len(content):
        yield "after the end", Kind.STRUCTURE, repr(content[at:])
    pixels = zlib.decompressobj()
    shown, size = pixels.decompress(packed), _png_bytes(content)
    behind = shown[size:] + pixels.unused_data
    if behind:
        yield "after the pixels", Kind.STRUCTURE, repr(behind)


def _png_bytes(content: bytes) -> int:
    """Bytes of the filtered rows that the header promises (PNG 7.2, 11.2.1)."""
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
    if interlaced:
        raise ValueError("an interlaced picture")
    return int(height * (1 + (width * PNG_CHANNELS[colour] * depth + 7) // 8))


def gzip(content: bytes) -> tuple[bytes, list[Seen]]:
    """What a gzip file holds, and what its header says besides."""
    seen: list[Seen] = []
    if content[:3] != b"\x1f\x8b\x08":
        return b"", [("start", Kind.STRUCTURE, "")]
    flags, time = content[3], struct.unpack_from("<I", content, 4)[0]
    if flags:
        seen.append(("gzip header", Kind.STRUCTURE, repr(content[10:74])))
    if time:
        seen.append(("gzip header: time", Kind.STRUCTURE, str(time)))
    stream = zlib.decompressobj(31)
    inner = stream.decompress(content) + stream.flush()
    if stream.unused_data:
        seen.append(("after the gzip stream", Kind.STRUCTURE, repr(stream.unused_data)))
    return inner, seen


def nifti(content: bytes) -> Iterator[Seen]:
    """A NIfTI-1 image: text fields empty, no extensions, no byte too many."""
    if len(content) < NIFTI_DATA or content[344:347] != b"n+1":
        yield "header", Kind.STRUCTURE, ""
        return
    for name, (start, length) in NIFTI_TEXTS.items():
        text = content[start : start + length].strip(b"\0 ")
        if text:
            yield f"header: {name}", Kind.STRANGE, repr(text)
    unused = b"".join(content[start : start + length] for start, length in NIFTI_UNUSED)
    if any(unused):
        yield "header: fields that nothing uses", Kind.STRUCTURE, repr(unused)
    if any(content[348:352]):
        yield "extension", Kind.STRUCTURE, repr(content[348:480])
    order = "<" if struct.unpack_from("<i", content, 0)[0] == 348 else ">"
    shape = struct.unpack_from(order + "8h", content, 40)
    bits = struct.unpack_from(order + "h", content, 72)[0]
    voxels = 1
    for n in shape[1 : 1 + shape[0]]:
        voxels *= n
    if len(content) != NIFTI_DATA + voxels * bits // 8:
        yield "after the voxels", Kind.STRUCTURE, repr(content[NIFTI_DATA + voxels * bits // 8 :])


def stl(content: bytes) -> Iterator[Seen]:
    """A binary STL: medrecon's header, triangles, attribute bytes of zero."""
    if content[:80] not in STL_HEADERS:
        yield "header", Kind.STRANGE, repr(content[:80])
    count = struct.unpack_from("<I", content, 80)[0] if len(content) >= 84 else 0
    if len(content) != 84 + 50 * count:
        yield "after the triangles", Kind.STRUCTURE, repr(content[84 + 50 * count :][:64])
    attributes = content[84 + 48 : 84 + 50 * count : 50] + content[84 + 49 : 84 + 50 * count : 50]
    if any(attributes):
        yield "attribute bytes", Kind.STRUCTURE, ""


def threemf(content: bytes) -> tuple[list[Seen], list[Text]]:
    """A 3MF package: three parts, no comments, no extra fields, no times; its XML's texts."""
    seen: list[Seen] = []
    texts: list[Text] = []
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        if package.comment:
            seen.append(("zip comment", Kind.STRUCTURE, repr(package.comment)))
        for entry in package.infolist():
            texts.append(("part's name", entry.filename))
            if entry.comment or entry.extra or entry.date_time != (1980, 1, 1, 0, 0, 0):
                seen.append(("zip entry", Kind.STRUCTURE, repr(entry.comment + entry.extra)))
            texts += xml(package.read(entry))
        seen += between_parts(package, content)
    return seen, texts


def between_parts(package: zipfile.ZipFile, content: bytes) -> list[Seen]:
    """Bytes of a zip that belong to no part of it: a directory lists what it likes."""
    seen: list[Seen] = []
    at = 0
    for entry in sorted(package.infolist(), key=lambda e: e.header_offset):
        if entry.header_offset != at:
            seen.append(("between the parts", Kind.STRUCTURE, repr(content[at:][:64])))
        name, extra = struct.unpack_from("<HH", content, entry.header_offset + 26)
        start = entry.header_offset + 30
        if content[start : start + name] != entry.filename.encode():
            seen.append(("part's other name", Kind.STRUCTURE, repr(content[start : start + name])))
        more = content[start + name : start + name + extra]
        if more.strip(b"\0") != entry.extra.strip(b"\0"):
            seen.append(("part's other fields", Kind.STRUCTURE, repr(more)))
        at = start + name + extra + entry.compress_size
    if at != package.start_dir:
        seen.append(("behind the parts", Kind.STRUCTURE, repr(content[at : package.start_dir])))
    return seen


def xml(content: bytes) -> list[Text]:
    """Texts of an XML document: elements' names, attributes that are no numbers, contents.

    Raises
    ------
    ValueError
        If it has a document type, or is no UTF-8.
    """
    content.decode()
    if b"<!DOCTYPE" in content or b"\0" in content:
        raise ValueError("a document type, or another encoding")
    found = set[Text]()
    for event, item in ElementTree.iterparse(io.BytesIO(content), XML_EVENTS):
        if event == "start-ns":
            found.add(("namespace", ": ".join(item)))
            continue
        element: Any = item
        if event in ("comment", "pi"):
            found.add((event, element.text or ""))
            continue
        name = element.tag.rpartition("}")[2]
        found.add(("element", name))
        for key, value in element.attrib.items():
            if key not in ("x", "y", "z", "v1", "v2", "v3"):
                found.add((f"attribute {name}", f"{key} {value}"))
            elif not _is_number(value):
                found.add((f"attribute {name}", value))
        for words in (element.text, element.tail):
            if words and words.strip():
                found.add((f"content of {name}", words))
        element.clear()
    return sorted(found)


def glb(content: bytes) -> tuple[list[Seen], bytes, bytes]:
    """A binary glTF: one chunk of JSON, one of numbers; both."""
    length = struct.unpack_from("<I", content, 12)[0]
    seen: list[Seen] = []
    at = end = 20 + length
    if at < len(content):
        at += 8
        end = at + struct.unpack_from("<I", content, at - 8)[0]
    if end != len(content):
        seen.append(("after the last chunk", Kind.STRUCTURE, repr(content[end:][:64])))
    return seen, content[20 : 20 + length], content[at:end]


def packed(content: bytes) -> Iterator[Seen]:
    """What a report packs: a gzip stream of numbers, or JPEG frames one after the other."""
    if content.startswith(b"\xff\xd8"):
        yield from jpegs(content)
    else:
        yield from gzip(content)[1]


def jpegs(content: bytes) -> Iterator[Seen]:
    """JPEG frames end to end: tables and scans, no comment, no application segment but JFIF."""
    at = 0
    while at < len(content):
        if content[at : at + 2] != b"\xff\xd8":
            yield "between JPEG frames", Kind.STRUCTURE, repr(content[at : at + 64])
            return
        at += 2
        while content[at : at + 2] != b"\xff\xd9":
            marker, length = content[at + 1], struct.unpack_from(">H", content, at + 2)[0]
            body = content[at + 4 : at + 2 + length]
            known = marker in JPEG_SEGMENTS or (marker == 0xE0 and body[:5] == b"JFIF\0")
            if content[at] != 0xFF or not known or (marker == 0xE0 and len(body) != 14):
                yield f"JPEG segment {marker:02X}", Kind.STRUCTURE, repr(body)
            at += 2 + length
            if marker == 0xDA:
                at = _end_of_scan(content, at)
        at += 2


def _end_of_scan(content: bytes, at: int) -> int:
    """Where the next segment begins: 0xFF not followed by 0x00 or a restart (T.81 B.1.1.5)."""
    while True:
        at = content.index(b"\xff", at)
        if content[at + 1] != 0 and not 0xD0 <= content[at + 1] <= 0xD7:
            return at
        at += 2


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
