"""Binary PLY: connected triangles with a colour or a scalar at every vertex."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.errors import UnreadableInputError
from medrecon.files.atomic import open_atomic

_COMMENT = "medrecon SPACE=LPS UNIT=mm"
_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])
_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "<i2"),
    **dict.fromkeys(("ushort", "uint16"), "<u2"),
    **dict.fromkeys(("int", "int32"), "<i4"),
    **dict.fromkeys(("uint", "uint32"), "<u4"),
    **dict.fromkeys(("float", "float32"), "<f4"),
    **dict.fromkeys(("double", "float64"), "<f8"),
}


def write_ply(mesh: Mesh, stream: IO[bytes], *, scalar_name: str = "quality") -> None:
    """Write little-endian PLY, every vertex in the label's colour.

    A mesh with scalars gets them as a float property of that name; "quality" is what
    MeshLab and CloudCompare show without being asked.
    """
    fields = [("xyz", "<f4", 3), ("rgb", "u1", 3)]
    names = ["float x", "float y", "float z", "uchar red", "uchar green", "uchar blue"]
    if mesh.scalars is not None:
        fields.append(("scalar", "<f4", 1))
        names.append(f"float {scalar_name}")
    rows = np.zeros(len(mesh.vertices_mm), np.dtype(fields))
    rows["xyz"], rows["rgb"] = mesh.vertices_mm, mesh.label.color
    if mesh.scalars is not None:
        rows["scalar"] = mesh.scalars.reshape(rows["scalar"].shape)
    faces = np.empty(len(mesh.faces), _FACE)
    faces["count"], faces["corners"] = 3, mesh.faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment {_COMMENT}",
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


def save_ply(mesh: Mesh, path: Path) -> None:
    """`write_ply` to a file that appears when it is whole."""
    with open_atomic(path) as stream:
        write_ply(mesh, stream)


def read_ply(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Vertices and faces of a binary little-endian PLY of triangles.

    Raises
    ------
    UnreadableInputError
        If it is something else, or shorter than its header says.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableInputError(f"a PLY cannot be read: {error.strerror}") from error
    head, mark, body = content.partition(b"end_header\n")
    lines = head.decode("ascii", "replace").split("\n")
    if lines[0] != "ply" or not mark or "format binary_little_endian 1.0" not in lines:
        raise UnreadableInputError("no binary little-endian PLY; other kinds are not read")
    try:
        vertex, vertices, faces = _layout(lines)
        rows = np.frombuffer(body, vertex, vertices)
        corners = np.frombuffer(body, _FACE, faces, rows.nbytes)
    except (KeyError, ValueError) as error:
        raise UnreadableInputError(
            f"a PLY that is damaged or of an unknown layout: {error}"
        ) from error
    if (corners["count"] != 3).any():
        raise UnreadableInputError("a PLY with faces that are no triangles")
    points = np.stack([rows[axis] for axis in "xyz"], axis=1).astype(np.float32)
    return points, corners["corners"].astype(np.int32)


def _layout(lines: list[str]) -> tuple[np.dtype[np.void], int, int]:
    """Type of a vertex row, number of vertices, number of faces."""
    counts: dict[str, int] = {}
    fields: list[tuple[str, str]] = []
    element = ""
    for words in (line.split() for line in lines):
        if words[:1] == ["element"]:
            element = words[1]
            counts[element] = int(words[2])
        elif words[:1] == ["property"] and element == "vertex":
            fields.append((words[2], _TYPES[words[1]]))
        elif words[:1] == ["property"] and words[1:4] not in (
            ["list", "uchar", "int"],
            ["list", "uint8", "int32"],
        ):
            raise ValueError(f"faces as {' '.join(words[1:])}")
    return np.dtype(fields), counts["vertex"], counts["face"]
