"""PLY: connected triangles with a colour or a scalar at every vertex."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from medrecon.core import Mesh
from medrecon.errors import DamagedInputError, UnreadableInputError
from medrecon.files.atomic import open_atomic
from medrecon.files.mesh_values import GREY, checked_mesh, fans, frame_from_words, frame_words

_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])
_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_CORNERS = ("vertex_indices", "vertex_index")


def write_ply(mesh: Mesh, stream: IO[bytes], *, scalar_name: str = "quality") -> None:
    """Write little-endian PLY, every vertex in its own or the label's colour.

    A mesh with scalars gets them as a float property of that name; "quality" is what
    MeshLab and CloudCompare show without being asked.
    """
    fields = [("xyz", "<f4", 3), ("rgb", "u1", 3)]
    names = ["float x", "float y", "float z", "uchar red", "uchar green", "uchar blue"]
    if mesh.scalars is not None:
        fields.append(("scalar", "<f4", 1))
        names.append(f"float {scalar_name}")
    rows = np.zeros(len(mesh.vertices_mm), np.dtype(fields))
    rows["xyz"] = mesh.vertices_mm
    rows["rgb"] = mesh.label.color if mesh.colors is None else mesh.colors
    if mesh.scalars is not None:
        rows["scalar"] = mesh.scalars.reshape(rows["scalar"].shape)
    faces = np.empty(len(mesh.faces), _FACE)
    faces["count"], faces["corners"] = 3, mesh.faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment {frame_words(mesh.space)}",
        f"comment label {mesh.label.name}",
        f"element vertex {len(rows)}",
        *(f"property {name}" for name in names),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    stream.write("\n".join(header).encode("ascii", "replace"))
    stream.write(rows.tobytes())
    stream.write(faces.tobytes())


def save_ply(mesh: Mesh, path: Path, *, scalar_name: str = "quality") -> None:
    """`write_ply` to a file that appears when it is whole."""
    with open_atomic(path) as stream:
        write_ply(mesh, stream, scalar_name=scalar_name)


def read_ply(path: Path) -> Mesh:
    """The mesh of a PLY, ASCII or binary of either byte order; polygons become triangles.

    Colours come back per vertex only where they differ; a float property called
    "quality", "scalar" or "deviation_mm" comes back as the scalars.

    Raises
    ------
    UnreadableInputError
        If it is something else, of a layout that is not known, or cut short.
    DamagedInputError
        If the numbers make no mesh.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableInputError(f"a PLY cannot be read: {error.strerror}") from error
    end = content.find(b"end_header")
    if not content.startswith(b"ply") or end < 0:
        raise UnreadableInputError("no PLY: it does not begin and end its header as one")
    lines = content[:end].decode("ascii", "replace").splitlines()
    body = content[content.find(b"\n", end) + 1 :]
    try:
        order, elements = _header(lines)
        found = _ascii(elements, body) if order == "" else _binary(elements, body, order)
        return _mesh(found, lines, path.stem)
    except (KeyError, ValueError, IndexError) as error:
        raise UnreadableInputError(
            f"a PLY that is cut short or of an unknown layout: {error}"
        ) from error


@dataclass(slots=True)
class _Element:
    """A kind of rows: its columns, and the types of those that are lists."""

    name: str
    rows: int
    columns: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, str]] = field(default_factory=dict)


def _header(lines: list[str]) -> tuple[str, list[_Element]]:
    order, elements = None, list[_Element]()
    for words in (line.split() for line in lines):
        if words[:1] == ["format"]:
            order = _ORDERS[words[1]]
        elif words[:1] == ["element"]:
            elements.append(_Element(words[1], int(words[2])))
        elif words[:2] == ["property", "list"]:
            elements[-1].lists[words[4]] = (_TYPES[words[2]], _TYPES[words[3]])
            elements[-1].columns[words[4]] = ""
        elif words[:1] == ["property"]:
            elements[-1].columns[words[2]] = _TYPES[words[1]]
    if order is None:
        raise ValueError("no format is stated")
    return order, elements


def _binary(elements: list[_Element], body: bytes, order: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    start = 0
    for element in elements:
        if not element.lists:
            kind = np.dtype([(name, order + kind) for name, kind in element.columns.items()])
            found[element.name] = np.frombuffer(body, kind, element.rows, start)
            start += kind.itemsize * element.rows
        else:
            found[element.name], start = _list_rows(element, body, order, start)
    return found


def _list_rows(
    element: _Element, body: bytes, order: str, start: int
) -> tuple[dict[str, Any], int]:
    """Counts and corners of an element with a list; all of one length if they can be."""
    if not element.rows:
        return {}, start
    counts, corners = list[int](), list[Any]()
    count_kind = np.dtype(order + next(iter(element.lists.values()))[0])
    first = next(iter(element.columns))
    if first in element.lists:
        length = int(np.frombuffer(body, count_kind, 1, start)[0])
        kind = _row_kind(element, order, length)
        if start + kind.itemsize * element.rows <= len(body):
            rows = np.frombuffer(body, kind, element.rows, start)
            if all((rows[f"{name} count"] == length).all() for name in element.lists):
                given = _of_one_length(element, rows, length)
                return given, start + kind.itemsize * element.rows
    for _ in range(element.rows):
        for name, plain in element.columns.items():
            if name not in element.lists:
                start += np.dtype(plain).itemsize
                continue
            length = int(np.frombuffer(body, order + element.lists[name][0], 1, start)[0])
            start += np.dtype(element.lists[name][0]).itemsize
            values = np.frombuffer(body, order + element.lists[name][1], length, start)
            start += values.nbytes
            if name in _CORNERS:
                counts.append(length)
                corners.append(values)
    return {"counts": np.array(counts), "corners": np.concatenate(corners)}, start


def _row_kind(element: _Element, order: str, length: int) -> np.dtype[np.void]:
    fields: list[Any] = []
    for name, kind in element.columns.items():
        if name in element.lists:
            fields.append((f"{name} count", order + element.lists[name][0]))
            fields.append((name, order + element.lists[name][1], (length,)))
        else:
            fields.append((name, order + kind))
    return np.dtype(fields)


def _of_one_length(element: _Element, rows: Any, length: int) -> dict[str, Any]:
    name = next((n for n in element.lists if n in _CORNERS), "")
    return {"counts": np.full(len(rows), length), "corners": rows[name].ravel()}


def _ascii(elements: list[_Element], body: bytes) -> dict[str, Any]:
    lines = iter([line.split() for line in body.splitlines() if line.strip()])
    found: dict[str, Any] = {}
    for element in elements:
        rows = [next(lines, []) for _ in range(element.rows)]
        if not element.lists:
            values = np.array(rows, np.float64).reshape(element.rows, len(element.columns))
            found[element.name] = dict(zip(element.columns, values.T, strict=True))
        else:
            if next(iter(element.columns)) not in _CORNERS:
                raise ValueError("faces do not begin with their corners")
            counts = np.array([int(row[0]) for row in rows])
            corners = [int(w) for row, n in zip(rows, counts, strict=True) for w in row[1 : n + 1]]
            found[element.name] = {"counts": counts, "corners": np.array(corners, np.int64)}
    return found


def _mesh(found: dict[str, Any], lines: list[str], stem: str) -> Mesh:
    rows = found["vertex"]
    names = tuple(rows) if isinstance(rows, dict) else (rows.dtype.names or ())
    points = np.stack([rows[axis] for axis in "xyz"], axis=1).astype(np.float64)
    face = found.get("face") or {"counts": np.zeros(0, int), "corners": np.zeros(0, int)}
    if len(face.get("corners", ())) != int(np.sum(face.get("counts", 0))):
        raise DamagedInputError("a PLY with fewer corners than its faces announce")
    comments = [line.split(maxsplit=1)[-1] for line in lines if line.startswith("comment")]
    space, ras, _ = frame_from_words(" ".join(comments))
    if ras:
        points *= (-1, -1, 1)
    colors = None
    if {"red", "green", "blue"} <= set(names):
        colors = np.stack([rows[c] for c in ("red", "green", "blue")], axis=1).astype(np.uint8)
    scalar = next((n for n in ("quality", "scalar", "deviation_mm") if n in names), None)
    uniform = colors is not None and len(colors) and (colors == colors[0]).all()
    label = [c.removeprefix("label ") for c in comments if c.startswith("label ")]
    return checked_mesh(
        points,
        fans(face["counts"], face["corners"]) if face else np.zeros((0, 3), np.int64),
        label[0] if label else stem,
        color=tuple(colors[0].tolist()) if uniform and colors is not None else GREY,
        scalars=None if scalar is None else np.asarray(rows[scalar], np.float32),
        colors=None if uniform else colors,
        space=space,
    )
