"""Triangles in few bytes, for `web/codec.js` to read.

Vertices are put in Morton order (a curve that stays near itself) and quantised to 16
bits over the mesh's bounding box: 400 mm in steps of 6 µm. Each triangle starts with
its lowest vertex. What is stored are differences of neighbours, low bytes apart from
high bytes, which gzip then makes small.

References
----------
RFC 1952 (gzip). Morton order: G. M. Morton, IBM, 1966.
"""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh

_STEPS = 65535


@dataclass(frozen=True, slots=True)
class PackedMesh:
    """A mesh as text.

    Parameters
    ----------
    header : dict
        `vertices` and `triangles` (counts), `low` and `step` (LPS mm of quantised
        coordinate 0 and of one step, per axis).
    data : str
        Base64 of gzip of: x, y, z differences as 16-bit byte planes, then the three
        index differences as 32-bit byte planes.
    """

    header: dict[str, Any]
    data: str


def pack_values(mesh: Mesh, values: npt.NDArray[np.float32], low: float, high: float) -> str:
    """A value of each vertex as one byte from low to high, in `pack_mesh`'s order, as text.

    What lies beyond an end counts as that end.
    """
    order = _order(_quantised(mesh)[0])
    part = (values[order] - low) / (high - low)
    codes = np.rint(255 * part.clip(0, 1)).astype(np.uint8)
    steps = np.diff(codes, prepend=np.uint8(0))
    return base64.b64encode(gzip.compress(steps.tobytes(), 9, mtime=0)).decode()


def pack_mesh(mesh: Mesh) -> PackedMesh:
    """The mesh in few bytes; the same mesh gives the same bytes."""
    grid, low, step = _quantised(mesh)
    order = _order(grid)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    coordinates = np.diff(grid[order], axis=0, prepend=0).astype(np.uint16)
    planes = [_byte_planes(coordinates[:, axis]) for axis in range(3)]
    planes += [_byte_planes(column) for column in _index_differences(number[mesh.faces])]
    data = gzip.compress(b"".join(planes), compresslevel=9, mtime=0)
    header = {
        "vertices": len(grid),
        "triangles": len(mesh.faces),
        "low": [float(v) for v in low],
        "step": [float(v) for v in step],
    }
    return PackedMesh(header, base64.b64encode(data).decode())


def _quantised(
    mesh: Mesh,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any], npt.NDArray[Any]]:
    """Vertices as steps from the box's lowest corner, that corner, and a step in mm."""
    low, high = mesh.bounds_mm
    step = np.maximum(high - low, 1e-3) / _STEPS
    grid = np.rint((mesh.vertices_mm - low) / step).astype(np.int64).clip(0, _STEPS)
    return grid, low, step


def _order(grid: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.argsort(_morton(grid), kind="stable")


def _index_differences(faces: npt.NDArray[np.int64]) -> list[npt.NDArray[np.uint32]]:
    """First corner less the last triangle's, second and third less the first.

    Corners are turned, never swapped: the winding stays.
    """
    turn = faces.argmin(axis=1)[:, None] + np.arange(3)
    turned = np.take_along_axis(faces, turn % 3, axis=1)
    turned = turned[np.lexsort((turned[:, 2], turned[:, 1], turned[:, 0]))]
    first = turned[:, 0]
    columns = (np.diff(first, prepend=0), turned[:, 1] - first, turned[:, 2] - first)
    return [c.astype(np.uint32) for c in columns]


def _byte_planes(values: npt.NDArray[np.unsignedinteger[Any]]) -> bytes:
    """All lowest bytes, then all second bytes, and so on."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(len(values), -1).T.tobytes()


def _morton(grid: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Bits of the three 16-bit coordinates interleaved into 48 bits."""
    code = np.zeros(len(grid), np.int64)
    for bit in range(16):
        for axis in range(3):
            code |= ((grid[:, axis] >> bit) & 1) << (3 * bit + axis)
    return code
