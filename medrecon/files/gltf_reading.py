"""Meshes out of anybody's glTF or GLB, in millimetres with z up."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.errors import DamagedInputError, UnreadableInputError, UnsupportedEncodingError
from medrecon.files.gltf import BINARY, JSON, MAGIC, NODE_MATRIX, VERSION, matrices
from medrecon.files.mesh_values import (
    GREY,
    Colour,
    as_color,
    checked_mesh,
    in_lps,
    srgb_from_linear,
)

_KINDS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_SURFACES = (_TRIANGLES, _STRIP, _FAN)
"""Ways to join vertices that make triangles."""
_KNOWN = ("KHR_materials_", "KHR_mesh_quantization", "KHR_texture_transform", "EXT_texture_")
_MOST_BYTES = 2**31
"""Of a buffer: beyond that a file is taken for an attack."""

_FROM_GLTF = np.linalg.inv(np.array(NODE_MATRIX, np.float64).reshape(4, 4).T)


def read_gltf(path: Path) -> list[Mesh]:
    """A mesh for every node that has one, placed by all the matrices above it.

    glTF's metres become millimetres, its y-up becomes z-up. Buffers are read from inside
    the file or from beside it, never from elsewhere.

    Raises
    ------
    UnreadableInputError
        If it is no glTF 2.0, is cut short or a buffer is missing.
    UnsupportedEncodingError
        If the meshes are compressed (Draco, meshopt).
    DamagedInputError
        If the numbers make no mesh.
    """
    try:
        tree, body = _open(path)
        _require_plain(tree)
        buffers = [_buffer(b, body, path) for b in tree.get("buffers", [])]
        words = " ".join(f"{k}={v}" for k, v in _extras(tree).items())
        return [
            mesh
            for node, matrix in matrices(tree)
            if "mesh" in node
            for mesh in _pieces(tree, node, _FROM_GLTF @ matrix, buffers, words)
        ]
    except OSError as error:
        raise UnreadableInputError(f"a glTF cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error) as error:
        raise UnreadableInputError(f"no glTF 2.0, or one that is cut short: {error}") from error


def _open(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    if content[:4] != struct.pack("<I", MAGIC):
        return dict(json.loads(content)), b""
    _, version, size = struct.unpack("<III", content[:12])
    if version != VERSION or size > len(content):
        raise ValueError(f"a GLB of version {version} and {len(content)} of {size} bytes")
    chunks: dict[int, bytes] = {}
    at = 12
    while at + 8 <= size:
        length, kind = struct.unpack("<II", content[at : at + 8])
        chunks.setdefault(kind, content[at + 8 : at + 8 + length])
        at += 8 + length
    return dict(json.loads(chunks[JSON])), chunks.get(BINARY, b"")


def _require_plain(tree: dict[str, Any]) -> None:
    if str(tree["asset"]["version"]).split(".")[0] != "2":
        raise UnsupportedEncodingError(f"glTF {tree['asset']['version']}; 2.0 expected")
    unknown = [e for e in tree.get("extensionsRequired", []) if not str(e).startswith(_KNOWN)]
    if unknown:
        raise UnsupportedEncodingError(
            f"a glTF that needs {', '.join(map(str, unknown))}; save it without compression"
        )


def _extras(tree: dict[str, Any]) -> dict[str, Any]:
    extras = tree["asset"].get("extras")
    return extras if isinstance(extras, dict) else {}


def _buffer(buffer: dict[str, Any], body: bytes, path: Path) -> bytes:
    uri, size = buffer.get("uri"), int(buffer["byteLength"])
    if not 0 <= size <= _MOST_BYTES:
        raise ValueError(f"a buffer of {size} bytes")
    if uri is None:
        content = body
    elif str(uri).startswith("data:"):
        content = base64.b64decode(str(uri).partition(",")[2], validate=True)
    else:
        name = unquote(str(uri))
        if name != Path(name).name:
            raise ValueError("a buffer that is not beside the file")
        content = path.with_name(name).read_bytes()
    if len(content) < size:
        raise ValueError(f"a buffer of {len(content)} bytes; {size} expected")
    return content


def _pieces(
    tree: dict[str, Any],
    node: dict[str, Any],
    matrix: npt.NDArray[np.float64],
    buffers: list[bytes],
    words: str,
) -> list[Mesh]:
    thing = tree["meshes"][node["mesh"]]
    name = str(node.get("name") or thing.get("name") or "mesh")
    parts = [
        p for p in thing["primitives"] if p.get("mode", _TRIANGLES) in (_TRIANGLES, _STRIP, _FAN)
    ]
    return [
        _piece(tree, part, matrix, buffers, (f"{name}_{n + 1}" if len(parts) > 1 else name, words))
        for n, part in enumerate(parts)
    ]


def _piece(
    tree: dict[str, Any],
    part: dict[str, Any],
    matrix: npt.NDArray[np.float64],
    buffers: list[bytes],
    says: tuple[str, str],
) -> Mesh:
    given = part["attributes"]
    points = _accessor(tree, given["POSITION"], buffers).astype(np.float64)
    name, words = says
    placed, space = in_lps(points @ matrix[:3, :3].T + matrix[:3, 3], words)
    count = len(points)
    row = (
        _accessor(tree, part["indices"], buffers).ravel().astype(np.int64)
        if "indices" in part
        else np.arange(count)
    )
    faces = _triangles(row, part.get("mode", _TRIANGLES))
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = faces[:, ::-1]
    factor = _factor(tree, part)
    colors = None
    if "COLOR_0" in given:
        colors = srgb_from_linear(_accessor(tree, given["COLOR_0"], buffers)[:, :3] * factor)
    scalars = _accessor(tree, given["_SCALAR"], buffers).ravel() if "_SCALAR" in given else None
    return checked_mesh(
        placed,
        faces,
        name,
        color=_color(factor, part),
        scalars=None if scalars is None else scalars.astype(np.float32),
        colors=colors,
        space=space,
    )


def _factor(tree: dict[str, Any], part: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Linear base colour of the material."""
    if "material" not in part:
        return np.ones(3)
    surface = tree["materials"][part["material"]].get("pbrMetallicRoughness", {})
    return np.array(surface.get("baseColorFactor", (1, 1, 1, 1)), np.float64)[:3]


def _color(factor: npt.NDArray[np.float64], part: dict[str, Any]) -> Colour:
    return as_color(srgb_from_linear(factor)) if "material" in part else GREY


def _triangles(row: npt.NDArray[np.int64], mode: int) -> npt.NDArray[np.int64]:
    """Triangles of a list, a strip or a fan (3.7.2.1)."""
    if mode == _TRIANGLES:
        return row.reshape(-1, 3)
    if mode == _FAN:
        return np.stack([row[1:-1], row[2:], np.repeat(row[:1], len(row) - 2)], axis=1)
    odd = np.arange(len(row) - 2) % 2
    step = np.arange(len(row) - 2)
    return np.stack([row[:-2], row[step + 1 + odd], row[step + 2 - odd]], axis=1)


def _accessor(tree: dict[str, Any], number: int, buffers: list[bytes]) -> npt.NDArray[Any]:
    """(count, width) numbers, integers as fractions where they are "normalized"."""
    accessor = tree["accessors"][number]
    shape = int(accessor["count"]), _WIDTHS[accessor["type"]]
    kind = np.dtype(_KINDS[accessor["componentType"]])
    if "bufferView" in accessor:
        values = _rows(tree, accessor, shape, kind, buffers)
    else:
        values = np.zeros(shape, kind)
    if "sparse" in accessor:
        values = _replaced(tree, accessor["sparse"], values, buffers)
    if accessor.get("normalized") and kind.kind in "iu":
        return np.maximum(values / np.iinfo(kind).max, -1.0)
    return values


def _rows(
    tree: dict[str, Any],
    place: dict[str, Any],
    shape: tuple[int, int],
    kind: np.dtype[Any],
    buffers: list[bytes],
) -> npt.NDArray[Any]:
    """Rows of a buffer view from an offset on, with the view's stride."""
    view = tree["bufferViews"][place["bufferView"]]
    content = buffers[view["buffer"]]
    size = kind.itemsize * shape[1]
    step = int(view.get("byteStride") or size)
    start = int(place.get("byteOffset", 0)) + int(view.get("byteOffset", 0))
    end = start + (step * (shape[0] - 1) + size if shape[0] else 0)
    if min(start, shape[0]) < 0 or end > len(content):
        raise DamagedInputError(
            f"a glTF whose numbers end at byte {end} of a buffer of {len(content)}"
        )
    return np.ndarray(shape, kind, content, start, (step, kind.itemsize))


def _replaced(
    tree: dict[str, Any], sparse: dict[str, Any], values: npt.NDArray[Any], buffers: list[bytes]
) -> npt.NDArray[Any]:
    """Values of which some are given apart (3.6.2.3)."""
    at, count = sparse["indices"], int(sparse["count"])
    kind = np.dtype(_KINDS[at["componentType"]])
    place = _rows(tree, at, (count, 1), kind, buffers).ravel()
    changed = values.copy()
    changed[place] = _rows(tree, sparse["values"], (count, values.shape[1]), values.dtype, buffers)
    return changed
