"""Wavefront OBJ with its MTL: text, one group and one material a label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.errors import UnreadableInputError
from medrecon.files.atomic import open_atomic

_BLOCK = 65536
"""Rows turned into text at a time."""


def write_obj(meshes: Sequence[Mesh], stream: IO[bytes], *, materials: str = "") -> None:
    """Write all meshes, LPS millimetres, nine significant digits (float32 comes back).

    Parameters
    ----------
    meshes : sequence of Mesh
    stream : binary file
    materials : str
        Name of the MTL file beside it; without one no colours are named.
    """
    stream.write(b"# medrecon SPACE=LPS UNIT=mm\n")
    if materials:
        stream.write(f"mtllib {materials}\n".encode())
    offset = 1
    for mesh in meshes:
        name = _word(mesh.label.name)
        stream.write(f"o {name}\n".encode())
        for low in range(0, len(mesh.vertices_mm), _BLOCK):
            rows = mesh.vertices_mm[low : low + _BLOCK].astype(np.float64)
            stream.write(_text("v %.9g %.9g %.9g\n", rows))
        if materials:
            stream.write(f"usemtl {name}\n".encode())
        for low in range(0, len(mesh.faces), _BLOCK):
            stream.write(_text("f %d %d %d\n", mesh.faces[low : low + _BLOCK] + offset))
        offset += len(mesh.vertices_mm)


def write_mtl(meshes: Sequence[Mesh], stream: IO[bytes]) -> None:
    """Write one material for each mesh: its label's name and colour."""
    for mesh in meshes:
        red, green, blue = (channel / 255 for channel in mesh.label.color)
        stream.write(f"newmtl {_word(mesh.label.name)}\n".encode())
        stream.write(f"Kd {red:.6f} {green:.6f} {blue:.6f}\nillum 1\n".encode())


def save_obj(meshes: Sequence[Mesh], path: Path) -> None:
    """`write_obj` and `write_mtl` to files of one name; the MTL first, so none is missing."""
    materials = path.with_suffix(".mtl")
    with open_atomic(materials) as stream:
        write_mtl(meshes, stream)
    with open_atomic(path) as stream:
        write_obj(meshes, stream, materials=materials.name)


def read_obj(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Vertices and triangles of an OBJ, all groups together; normals and textures ignored.

    Raises
    ------
    UnreadableInputError
        If a face has not three corners, or a number is none.
    """
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UnreadableInputError(f"an OBJ cannot be read: {error.strerror}") from error
    points = [line.split()[1:4] for line in lines if line.startswith("v ")]
    corners = [[w.split("/")[0] for w in line.split()[1:]] for line in lines if line[:2] == "f "]
    if any(len(face) != 3 for face in corners):
        raise UnreadableInputError("an OBJ with faces that are no triangles")
    try:
        vertices = np.array(points, np.float64).reshape(-1, 3).astype(np.float32)
        faces = np.array(corners, np.int64).reshape(-1, 3)
    except ValueError as error:
        raise UnreadableInputError(f"an OBJ that is damaged: {error}") from error
    # Negative numbers count from the last vertex; ours and nearly all others' do not.
    faces = np.where(faces < 0, faces + len(vertices), faces - 1)
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise UnreadableInputError("an OBJ with a face that names a vertex that is not there")
    return vertices, faces.astype(np.int32)


def _text(row: str, numbers: npt.NDArray[np.generic]) -> bytes:
    return (row * len(numbers) % tuple(numbers.ravel().tolist())).encode()


def _word(name: str) -> str:
    """A name without spaces: OBJ ends names there."""
    return "_".join(name.split()) or "mesh"
