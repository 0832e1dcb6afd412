"""Binary STL: triangles without connections, float32, no unit but the one we say."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.core.compiled import frozen
from medrecon.core.weld import weld
from medrecon.errors import UnreadableInputError
from medrecon.files import stl_loops
from medrecon.files.atomic import open_atomic
from medrecon.files.mesh_values import checked_mesh, frame_from_words, frame_words

TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
"""50 bytes, packed."""

# Triangles written at a time: 3 MB, so that the buffer stays in the processor's cache
# and no second copy of a large mesh is ever held.
_BLOCK = 65536


def write_stl(mesh: Mesh, stream: IO[bytes]) -> None:
    """Write a binary STL: header, count, then normal and corners of each triangle.

    The header states the mesh's frame and the unit and nothing else; it never begins
    with "solid", which some readers take for ASCII. Normals are computed from the
    corners; a triangle without area gets (0, 0, 0).
    """
    stream.write(frame_words(mesh.space).encode().ljust(80, b" "))
    stream.write(np.uint32(len(mesh.faces)).tobytes())
    vertices, faces = frozen(mesh.vertices_mm, np.float32), frozen(mesh.faces, np.int32)
    records = np.empty((min(len(faces), _BLOCK), TRIANGLE.itemsize // 2), np.uint16)
    for low in range(0, len(faces), _BLOCK):
        some = faces[low : low + _BLOCK]
        stl_loops.pack(vertices, some, records)
        stream.write(records[: len(some)].data)


def save_stl(mesh: Mesh, path: Path) -> None:
    """`write_stl` to a file that appears when it is whole."""
    with open_atomic(path) as stream:
        write_stl(mesh, stream)


def read_stl(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Vertices and faces of an STL, binary or ASCII, equal corners joined, in the file's order.

    Returns
    -------
    vertices_mm : ndarray of float32, shape (n, 3)
        In the file's own frame and unit, which the format does not state.
    faces : ndarray of int32, shape (m, 3)

    Raises
    ------
    UnreadableInputError
        If it is neither a binary STL of the length that its count announces nor ASCII.
    """
    vertices, faces, _ = _read(path)
    return vertices, faces


def read_stl_mesh(path: Path) -> Mesh:
    """The mesh of an STL, called as the file, in the frame that its header states.

    Raises
    ------
    UnreadableInputError
        As `read_stl`.
    DamagedInputError
        If a coordinate is no finite number.
    """
    vertices, faces, header = _read(path)
    space, ras, _ = frame_from_words(header)
    if ras:
        vertices = vertices * np.array([-1, -1, 1], np.float32)
    return checked_mesh(vertices, faces, path.stem, space=space)


def _read(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], str]:
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UnreadableInputError(f"an STL cannot be read: {error.strerror}") from error
    corners = _binary_corners(content)
    header = content[:80].tobytes().decode("ascii", "replace")
    if corners is None:
        corners, header = _ascii_corners(content.tobytes()), header.split("\n")[0]
    first, index = weld(corners)
    return corners[first], index.reshape(-1, 3), header


def _binary_corners(content: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32] | None:
    """(3·m, 3) corners of a binary STL; None if it is ASCII.

    The length decides, not the first word: binary files that begin with "solid" exist.
    """
    count = int(content[80:84].view("<u4")[0]) if len(content) >= 84 else -1
    if count >= 0 and len(content) == 84 + TRIANGLE.itemsize * count:
        corners: npt.NDArray[np.float32] = content[84:].view(TRIANGLE)["corners"].reshape(-1, 3)
        return corners
    if content[:512].tobytes().lstrip().startswith(b"solid"):
        return None
    if count < 0:
        raise UnreadableInputError(f"an STL of {len(content)} bytes; at least 84 expected")
    raise UnreadableInputError(
        f"an STL of {len(content)} bytes that announces {count} triangles; "
        f"{84 + TRIANGLE.itemsize * count} bytes expected"
    )


def _ascii_corners(content: bytes) -> npt.NDArray[np.float32]:
    """(3·m, 3) corners of an ASCII STL."""
    words = content.split()
    places = np.flatnonzero(np.array(words, dtype="S8") == b"vertex")
    if not len(places) or len(places) % 3 or b"endsolid" not in words:
        raise UnreadableInputError(
            f"an ASCII STL with {len(places)} corners that is cut short or holds no triangles"
        )
    try:
        numbers = [words[place + axis] for place in places.tolist() for axis in (1, 2, 3)]
        return np.array(numbers, np.float64).astype(np.float32).reshape(-1, 3)
    except (ValueError, IndexError) as error:
        raise UnreadableInputError("an ASCII STL with a corner that is no number") from error
