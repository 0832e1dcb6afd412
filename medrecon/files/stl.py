"""Binary STL: triangles without connections, float32, no unit but the one we say."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.core.weld import weld
from medrecon.errors import UnreadableInputError
from medrecon.files.atomic import open_atomic

HEADER = b"medrecon SPACE=LPS UNIT=mm"
"""At most 80 bytes, and not beginning with "solid": some readers take that for ASCII."""

TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
"""50 bytes, packed."""

# Triangles written at a time: 3 MB, so that the buffer stays in the processor's cache
# and no second copy of a large mesh is ever held.
_BLOCK = 65536


def write_stl(mesh: Mesh, stream: IO[bytes], *, header: bytes = HEADER) -> None:
    """Write a binary STL: header, count, then normal and corners of each triangle.

    Normals are computed from the corners; a triangle without area gets (0, 0, 0).
    """
    stream.write(header[:80].ljust(80, b" "))
    stream.write(np.uint32(len(mesh.faces)).tobytes())
    block = np.zeros(min(len(mesh.faces), _BLOCK), TRIANGLE)
    for low in range(0, len(mesh.faces), _BLOCK):
        corners = mesh.vertices_mm[mesh.faces[low : low + _BLOCK]]
        part = block[: len(corners)]
        part["corners"] = corners
        part["normal"] = _unit_normals(corners)
        stream.write(part.data)


def save_stl(mesh: Mesh, path: Path) -> None:
    """`write_stl` to a file that appears when it is whole."""
    with open_atomic(path) as stream:
        write_stl(mesh, stream)


def read_stl(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Vertices and faces of a binary STL, equal corners joined, in the file's order.

    Returns
    -------
    vertices_mm : ndarray of float32, shape (n, 3)
        In the file's own frame and unit, which the format does not state.
    faces : ndarray of int32, shape (m, 3)

    Raises
    ------
    UnreadableInputError
        If it is not a binary STL of the length that its count announces.
    """
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UnreadableInputError(f"an STL cannot be read: {error.strerror}") from error
    if len(content) < 84:
        raise UnreadableInputError(f"an STL of {len(content)} bytes; at least 84 expected")
    count = int(content[80:84].view("<u4")[0])
    if len(content) != 84 + TRIANGLE.itemsize * count:
        raise UnreadableInputError(
            f"an STL of {len(content)} bytes that announces {count} triangles; "
            f"{84 + TRIANGLE.itemsize * count} bytes expected (ASCII is not read)"
        )
    corners = content[84:].view(TRIANGLE)["corners"].reshape(-1, 3)
    first, index = weld(corners)
    return corners[first], index.reshape(-1, 3)


def _unit_normals(corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    side = corners[:, 1:] - corners[:, :1]
    normal = np.cross(side[:, 0], side[:, 1])
    length = np.sqrt(np.einsum("ij,ij->i", normal, normal))
    length[length == 0] = 1
    unit: npt.NDArray[np.float32] = normal / length[:, None]
    return unit
