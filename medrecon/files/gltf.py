"""glTF 2.0, as one binary (.glb) or as text beside a buffer (.gltf, .bin).

Metres, y up, one named node and material a label.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from medrecon.core import Mesh
from medrecon.files.atomic import open_atomic
from medrecon.files.mesh_values import linear_from_srgb, one_space

MAGIC, VERSION, JSON, BINARY = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_FLOAT, _USHORT, _UINT, _ARRAY, _ELEMENTS = 5126, 5123, 5125, 34962, 34963

# glTF is in metres, +y up, +z towards the viewer, right-handed (2.0, 3.4). LPS is
# right-handed with +z up and −y to the front: x stays, z becomes y, −y becomes z. The
# node does it, so the vertices in the file are ours, bit by bit, in millimetres.
# Column by column, as the standard stores it.
NODE_MATRIX = [0.001, 0, 0, 0, 0, 0, -0.001, 0, 0, 0.001, 0, 0, 0, 0, 0, 1]


def write_glb(meshes: Sequence[Mesh], stream: IO[bytes]) -> None:
    """Write all meshes as one scene.

    Every mesh has its label's name and colour, or the colours of its vertices; a matrix
    above them turns millimetres into glTF's metres. Without normals: viewers then shade
    flat, as the standard says.

    References
    ----------
    Khronos glTF 2.0 Specification, 3.4 (units), 3.6 (binary data), 4 (GLB).
    """
    tree, chunks = _content(meshes)
    text = _text(tree)
    text += b" " * (-len(text) % 4)
    size = sum(map(len, chunks))
    stream.write(struct.pack("<III", MAGIC, VERSION, 12 + 8 + len(text) + 8 + size))
    stream.write(struct.pack("<II", len(text), JSON) + text)
    stream.write(struct.pack("<II", size, BINARY))
    for chunk in chunks:
        stream.write(chunk)


def save_glb(meshes: Sequence[Mesh], path: Path) -> None:
    """`write_glb` to a file that appears when it is whole."""
    with open_atomic(path) as stream:
        write_glb(meshes, stream)


def save_gltf(meshes: Sequence[Mesh], path: Path) -> None:
    """The same scene as text, its numbers in a .bin of the same name, written first."""
    tree, chunks = _content(meshes)
    if meshes:
        beside = path.with_suffix(".bin")
        with open_atomic(beside) as stream:
            for chunk in chunks:
                stream.write(chunk)
        tree["buffers"][0]["uri"] = beside.name
    with open_atomic(path) as stream:
        stream.write(_text(tree) + b"\n")


def _text(tree: dict[str, Any]) -> bytes:
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()


def _content(meshes: Sequence[Mesh]) -> tuple[dict[str, Any], list[bytes]]:
    """The tree, and the buffer in pieces."""
    space = one_space(meshes).value
    asset: dict[str, Any] = {"version": "2.0", "generator": "medrecon"}
    if space:
        asset["extras"] = {"SPACE": space, "UNIT": "mm"}
    if not meshes:
        return {"asset": asset}, []
    store = _Store()
    primitives = [_primitive(mesh, n, store) for n, mesh in enumerate(meshes)]
    numbers = range(len(meshes))
    tree = {
        "asset": asset,
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {
                "name": f"{space} mm".strip(),
                "matrix": NODE_MATRIX,
                "children": [n + 1 for n in numbers],
            },
            *({"name": meshes[n].label.name, "mesh": n} for n in numbers),
        ],
        "materials": [_material(mesh) for mesh in meshes],
        "meshes": [
            {"name": mesh.label.name, "primitives": [primitive]}
            for mesh, primitive in zip(meshes, primitives, strict=True)
        ],
        "bufferViews": store.views,
        "accessors": store.accessors,
        "buffers": [{"byteLength": store.size}],
    }
    return tree, store.chunks


def _material(mesh: Mesh) -> dict[str, Any]:
    # Factors are linear, label colours sRGB. Vertex colours are multiplied by the factor.
    color = (255, 255, 255) if mesh.colors is not None else mesh.label.color
    linear = [round(float(c), 6) for c in linear_from_srgb(color)]
    surface = {"baseColorFactor": [*linear, 1.0], "metallicFactor": 0.0}
    return {"name": mesh.label.name, "pbrMetallicRoughness": surface}


class _Store:
    """Buffer views and accessors as they grow. All lengths are multiples of four bytes."""

    def __init__(self) -> None:
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.chunks: list[bytes] = []
        self.size = 0

    def add(self, content: bytes, target: int, accessor: dict[str, Any]) -> int:
        """The number of the accessor that was added."""
        view = {"buffer": 0, "byteOffset": self.size, "byteLength": len(content), "target": target}
        self.views.append(view)
        self.accessors.append({"bufferView": len(self.views) - 1, **accessor})
        self.chunks.append(content)
        self.size += len(content)
        return len(self.accessors) - 1


def _primitive(mesh: Mesh, material: int, store: _Store) -> dict[str, Any]:
    low, high = mesh.bounds_mm.tolist() if len(mesh.vertices_mm) else ([0] * 3, [0] * 3)
    count = len(mesh.vertices_mm)
    points = {"componentType": _FLOAT, "count": count, "type": "VEC3", "min": low, "max": high}
    attributes = {"POSITION": store.add(mesh.vertices_mm.astype("<f4").tobytes(), _ARRAY, points)}
    if mesh.colors is not None:
        # 16 bits: linear light in 8 bits would lose the dark half of sRGB's steps.
        rgba = np.full((count, 4), 65535, "<u2")
        rgba[:, :3] = np.round(linear_from_srgb(mesh.colors) * 65535)
        shape = {"componentType": _USHORT, "normalized": True, "count": count, "type": "VEC4"}
        attributes["COLOR_0"] = store.add(rgba.tobytes(), _ARRAY, shape)
    if mesh.scalars is not None:
        shape = {"componentType": _FLOAT, "count": count, "type": "SCALAR"}
        content = mesh.scalars.astype("<f4").tobytes()
        attributes["_SCALAR"] = store.add(content, _ARRAY, shape)
    corners = {"componentType": _UINT, "count": mesh.faces.size, "type": "SCALAR"}
    indices = store.add(mesh.faces.astype("<u4").tobytes(), _ELEMENTS, corners)
    return {"attributes": attributes, "indices": indices, "material": material}


def matrices(tree: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Every node of the scene with its 4×4 to the scene, parents before children.

    Raises
    ------
    ValueError
        If a node is its own ancestor, or a matrix is none.
    """
    nodes = tree.get("nodes", [])
    scene = tree.get("scenes", [{}])[tree.get("scene", 0)] if tree.get("scenes") else {}
    roots = scene.get("nodes", range(len(nodes)) if not tree.get("scenes") else [])
    waiting = [(int(n), np.eye(4), 0) for n in roots]
    while waiting:
        number, above, depth = waiting.pop(0)
        if depth > len(nodes):
            raise ValueError("a node is its own ancestor")
        node = nodes[number]
        here = above @ _local(node)
        yield node, here
        waiting += [(int(child), here, depth + 1) for child in node.get("children", [])]


def _local(node: dict[str, Any]) -> Any:
    """A node's own matrix: as given, or translation × rotation × scale (3.5.3)."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    here = np.eye(4)
    here[:3, :3] = turn * np.asarray(node.get("scale", (1, 1, 1)), np.float64)
    here[:3, 3] = node.get("translation", (0, 0, 0))
    return here
