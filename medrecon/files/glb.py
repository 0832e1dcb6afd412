"""Binary glTF 2.0: metres, y up, one named node and material a label."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.errors import UnreadableInputError
from medrecon.files.atomic import open_atomic

_MAGIC, _VERSION, _JSON, _BINARY = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_FLOAT, _UINT, _ARRAY, _ELEMENTS = 5126, 5125, 34962, 34963

# glTF is in metres, +y up, +z towards the viewer, right-handed (2.0, 3.4). LPS is
# right-handed with +z up and −y to the front: x stays, z becomes y, −y becomes z. The
# node does it, so the vertices in the file are ours, bit by bit, in millimetres.
_NODE_MATRIX = [0.001, 0, 0, 0, 0, 0, -0.001, 0, 0, 0.001, 0, 0, 0, 0, 0, 1]


def write_glb(meshes: Sequence[Mesh], stream: IO[bytes]) -> None:
    """Write all meshes as one scene.

    Every mesh has its label's name and colour; a matrix above them turns LPS
    millimetres into glTF's metres. Without normals: viewers then shade flat, as the
    standard says.

    References
    ----------
    Khronos glTF 2.0 Specification, 3.4 (units), 3.6 (binary data), 4 (GLB).
    """
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    chunks: list[bytes] = []
    for mesh in meshes:
        _add(mesh, views, accessors, chunks)
    content = _scene(meshes) | {
        "bufferViews": views,
        "accessors": accessors,
        "buffers": [{"byteLength": sum(map(len, chunks))}],
    }
    if not meshes:
        content = {"asset": content["asset"]}
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    size = sum(map(len, chunks))
    stream.write(struct.pack("<III", _MAGIC, _VERSION, 12 + 8 + len(text) + 8 + size))
    stream.write(struct.pack("<II", len(text), _JSON) + text)
    stream.write(struct.pack("<II", size, _BINARY))
    for chunk in chunks:
        stream.write(chunk)


def save_glb(meshes: Sequence[Mesh], path: Path) -> None:
    """`write_glb` to a file that appears when it is whole."""
    with open_atomic(path) as stream:
        write_glb(meshes, stream)


def read_glb(path: Path) -> list[tuple[str, npt.NDArray[np.float32], npt.NDArray[np.int32]]]:
    """Name, vertices (LPS mm) and faces of every mesh in a GLB that medrecon wrote.

    Raises
    ------
    UnreadableInputError
        If it is no GLB, is cut short, or places its meshes otherwise.
    """
    try:
        content = path.read_bytes()
        magic, version, size, length, _ = struct.unpack("<IIIII", content[:20])
        if (magic, version, size) != (_MAGIC, _VERSION, len(content)):
            raise ValueError("not a whole GLB of version 2")
        tree = json.loads(content[20 : 20 + length])
        if tree["nodes"][0].get("matrix") != _NODE_MATRIX:
            raise ValueError("its meshes are not placed by medrecon's matrix")
        body = content[28 + length :]
        return [_piece(tree, mesh, body) for mesh in tree["meshes"]]
    except OSError as error:
        raise UnreadableInputError(f"a GLB cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise UnreadableInputError(f"no GLB of medrecon's: {error}") from error


def _piece(
    tree: Any, mesh: Any, body: bytes
) -> tuple[str, npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    part = mesh["primitives"][0]
    points, corners = (
        tree["accessors"][n] for n in (part["attributes"]["POSITION"], part["indices"])
    )
    starts = [tree["bufferViews"][a["bufferView"]]["byteOffset"] for a in (points, corners)]
    vertices = np.frombuffer(body, "<f4", 3 * points["count"], starts[0]).reshape(-1, 3)
    faces = np.frombuffer(body, "<u4", corners["count"], starts[1]).reshape(-1, 3)
    return mesh["name"], vertices, faces.astype(np.int32)


def _scene(meshes: Sequence[Mesh]) -> dict[str, Any]:
    numbers = range(len(meshes))
    return {
        "asset": {"version": "2.0", "generator": "medrecon"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"name": "LPS mm", "matrix": _NODE_MATRIX, "children": [n + 1 for n in numbers]},
            *({"name": meshes[n].label.name, "mesh": n} for n in numbers),
        ],
        "materials": [_material(mesh) for mesh in meshes],
        "meshes": [
            {
                "name": meshes[n].label.name,
                "primitives": [
                    {"attributes": {"POSITION": 2 * n}, "indices": 2 * n + 1, "material": n}
                ],
            }
            for n in numbers
        ],
    }


def _material(mesh: Mesh) -> dict[str, Any]:
    # Factors are linear, label colours sRGB (IEC 61966-2-1).
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in mesh.label.color)
    ]
    surface = {"baseColorFactor": [*(round(c, 6) for c in linear), 1.0], "metallicFactor": 0.0}
    return {"name": mesh.label.name, "pbrMetallicRoughness": surface}


def _add(
    mesh: Mesh, views: list[dict[str, Any]], accessors: list[dict[str, Any]], chunks: list[bytes]
) -> None:
    """Append a mesh's two arrays. Both are of 4-byte numbers, so all stays aligned."""
    start = sum(map(len, chunks))
    points = mesh.vertices_mm.astype("<f4").tobytes()
    corners = mesh.faces.astype("<u4").tobytes()
    low, high = mesh.bounds_mm.tolist() if len(mesh.vertices_mm) else ([0] * 3, [0] * 3)
    views += [
        {"buffer": 0, "byteOffset": start, "byteLength": len(points), "target": _ARRAY},
        {
            "buffer": 0,
            "byteOffset": start + len(points),
            "byteLength": len(corners),
            "target": _ELEMENTS,
        },
    ]
    accessors += [
        {
            "bufferView": len(views) - 2,
            "componentType": _FLOAT,
            "count": len(mesh.vertices_mm),
            "type": "VEC3",
            "min": low,
            "max": high,
        },
        {
            "bufferView": len(views) - 1,
            "componentType": _UINT,
            "count": mesh.faces.size,
            "type": "SCALAR",
        },
    ]
    chunks += [points, corners]
