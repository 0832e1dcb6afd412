"""Wavefront OBJ with its MTL: text, one object and one material a label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.errors import DamagedInputError, UnreadableInputError
from medrecon.files.atomic import open_atomic
from medrecon.files.mesh_values import (
    GREY,
    Colour,
    as_color,
    checked_mesh,
    fans,
    frame_words,
    in_lps,
    one_space,
)

_BLOCK = 65536
"""Rows turned into text at a time."""


def write_obj(meshes: Sequence[Mesh], stream: IO[bytes], *, materials: str = "") -> None:
    """Write all meshes in millimetres, nine significant digits (float32 comes back).

    Colours of vertices follow their coordinates, as MeshLab and others read them.

    Parameters
    ----------
    meshes : sequence of Mesh
    stream : binary file
    materials : str
        Name of the MTL file beside it; without one no colours are named.
    """
    stream.write(f"# {frame_words(one_space(meshes))}\n".encode())
    if materials:
        stream.write(f"mtllib {materials}\n".encode())
    offset = 1
    for mesh in meshes:
        name = _word(mesh.label.name)
        stream.write(f"o {name}\n".encode())
        for low in range(0, len(mesh.vertices_mm), _BLOCK):
            rows = mesh.vertices_mm[low : low + _BLOCK].astype(np.float64)
            if mesh.colors is None:
                stream.write(_text("v %.9g %.9g %.9g\n", rows))
            else:
                rows = np.hstack([rows, mesh.colors[low : low + _BLOCK] / 255])
                stream.write(_text("v %.9g %.9g %.9g %.4f %.4f %.4f\n", rows))
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


def read_obj(path: Path) -> list[Mesh]:
    """A mesh for every object or group of an OBJ, with its first material's colour.

    Polygons become triangles around their first corner; normals, textures, lines and
    curves are passed over. The MTL is looked for beside the file, by its bare name.

    Raises
    ------
    UnreadableInputError
        If it holds no vertices or a number is none.
    DamagedInputError
        If a face names a vertex that is not there, such as number 0.
    """
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise UnreadableInputError(f"an OBJ cannot be read: {error.strerror}") from error
    content = _Content()
    try:
        for line in _statements(text):
            content.take(line)
        return _meshes(content, path)
    except ValueError as error:
        raise UnreadableInputError(f"an OBJ that is damaged: {error}") from error


def _statements(text: str) -> Iterator[str]:
    """Lines, those that end in a backslash joined with the next."""
    begun = ""
    for line in text.splitlines():
        begun += line
        if line.endswith("\\") and not begun.lstrip().startswith("#"):
            begun = begun[:-1] + " "
            continue
        yield begun
        begun = ""
    yield begun


@dataclass(slots=True)
class _Object:
    name: str
    material: str = ""
    counts: list[int] = field(default_factory=list)
    corners: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Content:
    """What the lines said so far."""

    points: list[list[str]] = field(default_factory=list)
    objects: list[_Object] = field(default_factory=list)
    materials: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    material: str = ""

    def take(self, line: str) -> None:
        word, rest = [*line.split(maxsplit=1), "", ""][:2]
        rest = rest.strip()
        if word == "v":
            self.points.append(rest.split())
        elif word == "f":
            self._face(rest.split())
        elif word in ("o", "g"):
            self.objects.append(_Object(rest))
        elif word == "usemtl":
            self.material = rest
        elif word == "mtllib":
            self.materials.append(rest)
        elif word.startswith("#"):
            self.comments.append(line)

    def _face(self, words: list[str]) -> None:
        if not self.objects:
            self.objects.append(_Object(""))
        owner = self.objects[-1]
        owner.material = owner.material or self.material
        owner.counts.append(len(words))
        for word in words:
            number = int(word.partition("/")[0])
            if number == 0:
                raise DamagedInputError("a face names vertex 0, and an OBJ counts from 1")
            # Negative numbers count back from the last vertex so far.
            owner.corners.append(number - 1 if number > 0 else len(self.points) + number)


def _meshes(content: _Content, path: Path) -> list[Mesh]:
    if not content.points:
        raise UnreadableInputError("no OBJ: it holds no vertices")
    points = np.array([row[:3] for row in content.points], np.float64)
    # A vertex without a colour gets one that cannot be: its object then has none.
    tints = [row[3:6] if len(row) >= 6 else (-1, -1, -1) for row in content.points]
    colors = np.round(np.array(tints, np.float64) * 255)
    points, space = in_lps(points, " ".join(content.comments))
    known = _colors_of_materials(content.materials, path)
    found = []
    for thing in content.objects:
        if not thing.corners:
            continue
        faces = fans(np.array(thing.counts), np.array(thing.corners))
        kept, inner = _used(faces, len(points))
        found.append(
            checked_mesh(
                points[kept],
                inner,
                thing.name or path.stem,
                color=known.get(thing.material, GREY),
                colors=None if (colors[kept] < 0).any() else np.clip(colors[kept], 0, 255),
                space=space,
            )
        )
    return found


def _used(
    faces: npt.NDArray[np.int64], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The vertices that faces name, and the faces in their numbers."""
    if len(faces) and (faces.min() < 0 or faces.max() >= count):
        return np.arange(count), faces
    kept = np.flatnonzero(np.bincount(faces.ravel(), minlength=count))
    place = np.zeros(count, np.int64)
    place[kept] = np.arange(len(kept))
    return kept, place[faces]


def _colors_of_materials(names: Sequence[str], path: Path) -> dict[str, Colour]:
    """Diffuse colours of the materials in files beside the OBJ; none if there is no file."""
    found: dict[str, Colour] = {}
    for name in names:
        beside = path.with_name(Path(name).name)
        if not beside.is_file():
            continue
        current = ""
        for words in (line.split() for line in beside.read_text("utf-8", "replace").splitlines()):
            if words[:1] == ["newmtl"]:
                current = " ".join(words[1:])
            elif words[:1] == ["Kd"] and len(words) >= 4:
                found[current] = as_color(np.round(np.array(words[1:4], np.float64) * 255))
    return found


def _text(row: str, numbers: npt.NDArray[np.generic]) -> bytes:
    return (row * len(numbers) % tuple(numbers.ravel().tolist())).encode()


def _word(name: str) -> str:
    """A name without spaces: OBJ ends names there."""
    return "_".join(name.split()) or "mesh"
