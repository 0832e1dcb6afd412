"""VTP, USDZ and the numbers beside a glTF: what none of their compartments needs is a finding.

References
----------
Kitware, VTK documentation, "VTK XML File Formats". OpenUSD, "Usdz File Format
Specification". Khronos glTF 2.0, 3.6 (binary data storage).
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from medrecon.privacy.containers import Seen, Text, xml
from medrecon.privacy.finding import Kind

VTP_END = b"\n</AppendedData>\n</VTKFile>\n"
VTP_DATA = b'<AppendedData encoding="raw">\n_'
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
# Of a USD scene what is said in words: texts in quotes, and remarks.
USD_WORDS = re.compile(r'"[^"]*"|\'[^\']*\'|#.*')
# VTK's attributes that count something.
VTK_NUMBERS = re.compile(r"(NumberOf\w+|offset|RangeM\w\w|version) [-+\d.e]+")
NO_TIME = (1980, 1, 1, 0, 0, 0)
# glTF's component types and how many make an element.
COMPONENTS = {5126: "<f4", 5123: "<u2", 5125: "<u4"}
ELEMENTS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


def vtp(content: bytes) -> tuple[list[Seen], list[Text]]:
    """VTK's PolyData: XML, arrays of the lengths that they state, nothing behind them."""
    head, mark, data = content.partition(VTP_DATA)
    if not mark or not data.endswith(VTP_END):
        return [("appended data", Kind.STRUCTURE, "")], []
    tree = head + b"</VTKFile>"
    seen: list[Seen] = []
    texts = [t for t in xml(tree) if not t[0].startswith("content of Array")]
    texts = [(place, VTK_NUMBERS.sub(r"\1", text)) for place, text in texts]
    for array in ElementTree.fromstring(tree).iter("Array"):
        codes = bytes(int(code) for code in (array.text or "").split())
        texts.append((f"array {array.get('Name')}", codes.rstrip(b"\0").decode()))
    at, whole = 0, len(data) - len(VTP_END)
    while at < whole:
        at += 8 + struct.unpack_from("<Q", data, at)[0]
    if at != whole:
        seen.append(("after the arrays", Kind.STRUCTURE, ""))
    return seen, texts


def usdz(content: bytes) -> tuple[list[Seen], list[Text]]:
    """A USDZ: one stored text without time or comment, padded with zeros."""
    seen: list[Seen] = []
    texts: list[Text] = []
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        entries = package.infolist()
        first = min((e.header_offset for e in entries), default=0)
        if package.comment or first or len(entries) != 1:
            seen.append(("package", Kind.STRUCTURE, repr(package.comment)))
        for entry in entries:
            if entry.comment or entry.date_time != NO_TIME or any(entry.extra[4:]):
                seen.append(("zip entry", Kind.STRUCTURE, repr(entry.comment + entry.extra[4:])))
            texts.append(("part's name", entry.filename))
            scene = package.read(entry).decode()
            texts.append(("scene", NUMBER.sub(" ", scene)))
            texts += [("text in the scene", words) for words in set(USD_WORDS.findall(scene))]
    return seen, texts


def gltf_numbers(path: Path) -> Iterator[Seen]:
    """The .bin beside a .gltf: accessors end to end, finite, within the bounds they state."""
    scene = path.with_suffix(".gltf")
    if not scene.is_file():
        yield "file", Kind.UNKNOWN, ""
        return
    yield from numbers_of(json.loads(scene.read_bytes()), path.read_bytes())


def numbers_of(tree: Mapping[str, Any], content: bytes) -> Iterator[Seen]:
    """The numbers of a glTF scene, beside it or in a GLB."""
    if "accessors" not in tree:
        if content:
            yield "numbers", Kind.STRUCTURE, repr(content[:64])
        return
    views, end = tree["bufferViews"], 0
    corners = _vertices_of_corners(tree)
    for number, accessor in enumerate(tree["accessors"]):
        view = views[accessor["bufferView"]]
        if view["byteOffset"] != end:
            yield "between the numbers", Kind.STRUCTURE, repr(content[end : view["byteOffset"]])
        end = view["byteOffset"] + view["byteLength"]
        yield from _numbers(accessor, content[view["byteOffset"] : end], corners.get(number))
    if end != len(content):
        yield "after the numbers", Kind.STRUCTURE, repr(content[end:])


def _vertices_of_corners(tree: Mapping[str, Any]) -> dict[int, int]:
    """How many vertices there are for each accessor that counts them."""
    primitives = [p for mesh in tree["meshes"] for p in mesh["primitives"]]
    accessors = tree["accessors"]
    return {p["indices"]: accessors[p["attributes"]["POSITION"]]["count"] for p in primitives}


def _numbers(accessor: Mapping[str, Any], content: bytes, vertices: int | None) -> Iterator[Seen]:
    kind, width = COMPONENTS[accessor["componentType"]], ELEMENTS[accessor["type"]]
    values = np.frombuffer(content, kind).reshape(-1, width)
    low, high = (accessor.get(key) for key in ("min", "max"))
    good = len(values) == accessor["count"] and np.isfinite(values).all()
    if vertices is not None:
        good = good and (values < vertices).all()
    if low is not None and len(values):
        good = good and (values >= np.float32(low)).all() and (values <= np.float32(high)).all()
    if not good:
        yield "numbers", Kind.STRUCTURE, repr(content[:64])
