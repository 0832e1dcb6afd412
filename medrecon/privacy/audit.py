"""Search a folder of results for anything that is not a result.

Every file is taken apart by its format; what a format's compartments may hold is listed,
and everything else is a finding (an allow-list: what nobody thought of is found as well).
Texts may hold the words that medrecon itself writes. Not looked at is what a picture
*shows*: annotation that the scanner burned into the pixels, and, unless it is said, a face.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from medrecon.privacy import approvals, containers, lengths, scenes
from medrecon.privacy.finding import Finding, Kind
from medrecon.privacy.page import Page, each_once
from medrecon.privacy.vocabulary import (
    COLOUR,
    licence_texts,
    script_numbers,
    script_words,
    strange,
    vocabulary,
)

Seen = containers.Seen
Reader = Callable[[bytes, "_Allowed"], Iterator[Seen]]
Apart = Callable[[bytes], tuple[list[Seen], list[containers.Text]]]

DICOM_MAGIC = b"DICM"
NRRD_END = b"\n\n"
PLY_END = b"end_header\n"
# Fields of an NRRD that hold nothing but numbers.
NRRD_NUMBERS = re.compile(
    r"(?:dimension|sizes|space dimension|space directions|space origin|spacings): [-+\d.e(), ]+"
)
# Lines of OBJ, MTL and XYZ that are coordinates, corners and colours.
DATA_LINE = re.compile(
    r"^[ \t]*(?:v|vn|vt|f|l|p|s|Ka|Kd|Ke|Ks|Ni|Ns|Tr|d|illum)?[-+\d.eE/ \t]+\r?$", re.MULTILINE
)
# Integers of JSON that may be large: counts, and times in seconds since 1970.
LARGEST_COUNT = 10**10


class _Allowed:
    """Words that texts may hold: medrecon's, and those of the models it ran."""

    def __init__(self, more: frozenset[str]) -> None:
        self.more = more

    def text(self, place: str, text: str) -> Iterator[Seen]:
        for value in strange(text, vocabulary(), more=self.more):
            yield place, Kind.STRANGE, value

    def code(self, text: str) -> Iterator[Seen]:
        unknown = set(strange(COLOUR.sub(" ", text), script_words())) - script_numbers()
        for value in sorted(unknown):
            yield "script or style", Kind.STRANGE, value


def audit_folder(folder: Path, *, more: frozenset[str] = frozenset()) -> list[Finding]:
    """Every place in a folder that holds what medrecon would not have written.

    Parameters
    ----------
    folder : Path
        A run, a batch, or anything that holds them.
    more : frozenset of str
        Further words in lower case that may occur, such as labels of installed models.

    Returns
    -------
    list of Finding
        In order of the files' names; empty if there is nothing to object to.
    """
    allowed = _Allowed(more)
    paths, closed = _all_below(folder)
    found = []
    for path in sorted(paths | closed):
        shown = masked(path.relative_to(folder), more=more)
        found += [
            Finding(shown, "name", kind, value)
            for part in path.relative_to(folder).parts
            for _, kind, value in allowed.text("name", part)
        ]
        if path in closed:
            found.append(Finding(shown, "folder", Kind.UNREAD))
        elif path.is_symlink() or not path.is_dir():
            found += [Finding(shown, *seen) for seen in _audit_file(path, allowed)]
    return found


def _all_below(folder: Path) -> tuple[set[Path], set[Path]]:
    """Files and empty folders, whose names may tell too; and folders that cannot be opened."""
    paths, closed = set[Path](), set[Path]()
    for place, folders, files in os.walk(folder, onerror=lambda e: closed.add(Path(e.filename))):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        paths |= {here / name for name in (*files, *links)}
        if here != folder and not folders and not files:
            paths.add(here)
    return paths, closed


def masked(name: Path, *, more: frozenset[str] = frozenset()) -> str:
    """A relative path whose strange parts are not shown."""
    allowed = _Allowed(more)
    parts = [p if not list(allowed.text("name", p)) else "‹name›" for p in name.parts]
    return "/".join(parts)


def _audit_file(path: Path, allowed: _Allowed) -> Iterator[Seen]:
    if path.is_symlink() or not path.is_file():
        yield "file", Kind.STRUCTURE, "a link or device"
        return
    try:
        content = path.read_bytes()
    except OSError:
        yield "file", Kind.UNREAD, ""
        return
    if content[128:132] == DICOM_MAGIC:
        yield "file", Kind.IDENTITY, ""
        return
    if path.name.lower().endswith(".bin"):
        reader: Reader | None = lambda *_: scenes.gltf_numbers(path)
    else:
        reader = _reader(path.name.lower())
    if reader is None:
        if content:
            yield "file", Kind.UNKNOWN, ""
        return
    try:
        yield from reader(content, allowed)
    except Exception as error:  # noqa: BLE001 - whatever a reader stumbles over, medrecon did not write
        yield "file", Kind.STRUCTURE, f"cannot be taken apart: {type(error).__name__}"


def _reader(name: str) -> Reader | None:
    for suffix, reader in READERS.items():
        if name.endswith(suffix):
            return reader
    return None


def _json(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    yield from _tree(json.loads(content, object_pairs_hook=each_once), allowed, "")


def _json_lines(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    for line in content.splitlines():
        try:
            tree = json.loads(line, object_pairs_hook=each_once)
        except ValueError:
            yield from allowed.text("torn line", line.decode("utf-8", "replace"))
            continue
        yield from _tree(tree, allowed, "")


def _tree(value: Any, allowed: _Allowed, place: str) -> Iterator[Seen]:
    if isinstance(value, dict):
        for key, inner in value.items():
            wrong = list(allowed.text(f"key in {place or 'the object'}", key))
            yield from wrong
            yield from _tree(inner, allowed, f"{place}.{'‹key›' if wrong else key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _tree(inner, allowed, place)
    elif isinstance(value, str):
        yield from allowed.text(place or "text", value)
    elif isinstance(value, int) and abs(value) > LARGEST_COUNT:
        yield place, Kind.STRANGE, str(value)


def _text(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    yield from allowed.text("text", content.decode("utf-8"))


def _table(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    """A CSV, cell by cell."""
    for row in csv.reader(io.StringIO(content.decode("utf-8"))):
        for cell in row:
            yield from allowed.text("cell", cell)


def _numbers_and_text(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    """OBJ and XYZ: in lines of data long numbers are coordinates, in remarks they are not."""
    yield from allowed.text("text", DATA_LINE.sub("", content.decode("utf-8")))


def _page(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    page = Page(content.decode("utf-8"))
    before = ""
    for place, text in page.texts:
        # The day of an approval.
        signed = place == "<dd>" and before == "date" and approvals.is_day(text)
        if text.strip() not in licence_texts() and not signed:
            yield from allowed.text(place, text)
        before = text.strip()
    for name in sorted(page.names):
        yield from allowed.text("element or attribute", name)
    for code in page.code:
        yield from allowed.code(code)
    for tree in page.trees:
        yield from _tree(tree, allowed, "data")
    for picture in page.pictures:
        yield from containers.png(picture)
    for packed in page.packed:
        yield from containers.packed(packed)


def _png(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    yield from containers.png(content)


def _nifti(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    yield from containers.nifti(content)


def _nifti_gz(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    inner, seen = containers.gzip(content)
    yield from seen
    yield from containers.nifti(inner)


def _nrrd(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    head, _, data = content.partition(NRRD_END)
    text = head.decode("utf-8")
    for line in text.splitlines():
        key, mark, value = line.partition(":=")
        if mark and value.startswith("{"):
            yield from allowed.text("header", key)
            yield from _tree(json.loads(value, object_pairs_hook=each_once), allowed, "header")
        elif not NRRD_NUMBERS.fullmatch(line):
            yield from allowed.text("header", line)
    if data[:2] == b"\x1f\x8b":
        data, seen = containers.gzip(data)
        yield from seen
    if len(data) not in lengths.nrrd_bytes(text):
        yield "after the voxels", Kind.STRUCTURE, f"{len(data)} bytes"


def _stl(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    yield from containers.stl(content)


def _in_words(taken_apart: Apart) -> Reader:
    """A reader of a format that comes apart into findings and texts."""

    def read(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
        seen, texts = taken_apart(content)
        yield from seen
        for place, text in texts:
            yield from allowed.text(place, text)

    return read


def _glb(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    seen, scene, numbers = containers.glb(content)
    yield from seen
    tree = json.loads(scene, object_pairs_hook=each_once)
    yield from _tree(tree, allowed, "scene")
    yield from scenes.numbers_of(tree, numbers)


def _ply(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    head, mark, data = content.partition(PLY_END)
    if not mark:
        yield "header", Kind.STRUCTURE, ""
    lines = head.decode("ascii", "replace").splitlines()
    if len(data) != lengths.ply_bytes(lines):
        yield "after the triangles", Kind.STRUCTURE, f"{len(data)} bytes"
    for line in lines:
        if not re.fullmatch(r"element \w+ \d+", line):
            yield from allowed.text("header", line)


def _key(content: bytes, allowed: _Allowed) -> Iterator[Seen]:
    if not re.fullmatch(rb"[0-9a-f]{64}\n", content):
        yield "file", Kind.STRUCTURE, ""


READERS: dict[str, Reader] = {
    "approval.json": _in_words(approvals.approval),
    ".nii.gz": _nifti_gz,
    ".nii": _nifti,
    ".json": _json,
    ".jsonl": _json_lines,
    ".html": _page,
    ".png": _png,
    ".nrrd": _nrrd,
    ".stl": _stl,
    ".3mf": _in_words(containers.threemf),
    ".vtp": _in_words(scenes.vtp),
    ".usdz": _in_words(scenes.usdz),
    ".glb": _glb,
    ".gltf": _json,
    ".ply": _ply,
    ".tsv": _text,
    ".ctbl": _text,
    ".csv": _table,
    ".obj": _numbers_and_text,
    ".mtl": _numbers_and_text,
    ".xyz": _numbers_and_text,
    "batch.key": _key,
}
