"""Meshes out of anybody's 3MF: units, components, build items and their transforms."""

from __future__ import annotations

import posixpath
import xml.parsers.expat
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.errors import ArchiveError, UnreadableInputError
from medrecon.files.mesh_values import GREY, Colour, as_color, checked_mesh, in_lps
from medrecon.files.threemf import CORE, MATERIAL, RELATIONSHIP

_PRODUCTION = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06"
_UNITS_MM = {
    "micron": 0.001,
    "millimeter": 1.0,
    "centimeter": 10.0,
    "inch": 25.4,
    "foot": 304.8,
    "meter": 1000.0,
}
_MOST_BYTES, _MOST_RATIO = 4 * 2**30, 400
"""Of a part after unpacking, and against its packed size: beyond that it is an attack.
Repeated vertex lines pack about thirtyfold."""

_DEEPEST = 32
"""Components inside components."""

Matrix = npt.NDArray[np.float64]


@dataclass(slots=True)
class _Object:
    name: str
    material: tuple[str, int] | None
    vertices: list[str] = field(default_factory=list)
    triangles: list[str] = field(default_factory=list)
    properties: list[tuple[str, str, str, str]] = field(default_factory=list)
    components: list[tuple[tuple[str, str], Matrix]] = field(default_factory=list)


@dataclass(slots=True)
class _Model:
    """What the parts of the package said, objects by part and number."""

    scale_mm: float = 1.0
    words: str = ""
    objects: dict[tuple[str, str], _Object] = field(default_factory=dict)
    colors: dict[tuple[str, str], list[Colour]] = field(default_factory=dict)
    items: list[tuple[tuple[str, str], Matrix]] = field(default_factory=list)


def read_3mf(path: Path) -> list[Mesh]:
    """A mesh for every object that the build places, in millimetres, where it is placed.

    An object that several items name comes several times; components are opened up.
    Colours come from base materials and colour groups, textures are passed over.

    Raises
    ------
    UnreadableInputError
        If it is no 3MF, damaged, or encrypted.
    ArchiveError
        If it would unpack to more than it should.
    DamagedInputError
        If the numbers make no mesh.

    References
    ----------
    3MF Consortium. Core Specification 1.3: 3.3 (3D matrices), 3.4 (units), 4 (objects).
    """
    try:
        with zipfile.ZipFile(path) as package:
            return _meshes(_read_parts(package), path.stem)
    except OSError as error:
        raise UnreadableInputError(f"a 3MF cannot be read: {error.strerror}") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        xml.parsers.expat.ExpatError,
        LookupError,
        ValueError,
        RuntimeError,
    ) as error:
        raise UnreadableInputError(f"no 3MF, or a damaged one: {error}") from error


def _read_parts(package: zipfile.ZipFile) -> _Model:
    model = _Model()
    root = _target(package)
    waiting, known = [root], set[str]()
    while waiting:
        part = waiting.pop()
        if part in known:
            continue
        known.add(part)
        _Parser(model, part, is_root=part == root).read(_content(package, part))
        found = [key[0] for thing in model.objects.values() for key, _ in thing.components]
        waiting += [key[0] for key, _ in model.items] + found
        waiting = [name for name in waiting if name not in known]
    return model


def _target(package: zipfile.ZipFile) -> str:
    """The model part that the package's relationships name."""
    found: list[str] = []

    def start(name: str, given: dict[str, str]) -> None:
        if given.get("Type") == RELATIONSHIP:
            found.append(given["Target"].lstrip("/"))

    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = start
    parser.Parse(_content(package, "_rels/.rels"), True)
    if not found:
        raise ValueError("its relationships name no 3D model")
    return found[0]


def _content(package: zipfile.ZipFile, part: str) -> bytes:
    names = {name.lower(): name for name in package.namelist()}
    entry = package.getinfo(names[part.lower()])
    most = min(_MOST_BYTES, entry.compress_size * _MOST_RATIO + 65536)
    if entry.file_size > most:
        raise ArchiveError(
            f"a 3MF whose part of {entry.compress_size} bytes unpacks to {entry.file_size}; "
            "refused as an attack"
        )
    with package.open(entry) as stream:
        content = stream.read(most + 1)
    return content


class _Parser:
    """Takes one model part into the model."""

    def __init__(self, model: _Model, part: str, *, is_root: bool) -> None:
        self._model, self._part, self._is_root = model, part, is_root
        self._object: _Object | None = None
        self._group: list[Colour] = []
        self._metadata: str | None = None
        self._text = ""

    def read(self, content: bytes) -> None:
        parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(content, True)

    def _start(self, name: str, given: dict[str, str]) -> None:
        space, _, kind = name.rpartition(" ")
        thing = self._object
        if kind == "vertex" and thing:
            thing.vertices += (given["x"], given["y"], given["z"])
        elif kind == "triangle" and thing:
            thing.triangles += (given["v1"], given["v2"], given["v3"])
            first = given.get("p1", "")
            rest = (given.get("p2", first), given.get("p3", first))
            thing.properties.append((given.get("pid", ""), first, *rest))
        elif space == MATERIAL and kind == "color":
            self._group.append(_color(given["color"]))
        elif space == MATERIAL and kind == "colorgroup":
            self._group = self._model.colors.setdefault((self._part, given["id"]), [])
        elif space == CORE:
            self._structure(kind, given)

    def _structure(self, kind: str, given: dict[str, str]) -> None:
        model, part = self._model, self._part
        if kind == "model" and self._is_root:
            model.scale_mm = _UNITS_MM[given.get("unit", "millimeter")]
        elif kind == "basematerials":
            self._group = model.colors.setdefault((part, given["id"]), [])
        elif kind == "base":
            self._group.append(_color(given["displaycolor"]))
        elif kind == "object":
            material = (given["pid"], int(given.get("pindex", 0))) if "pid" in given else None
            self._object = _Object(given.get("name", ""), material)
            model.objects[part, given["id"]] = self._object
        elif kind == "component" and self._object:
            self._object.components.append((self._place(given), _matrix(given.get("transform"))))
        elif kind == "item" and self._is_root:
            model.items.append((self._place(given), _matrix(given.get("transform"))))
        elif kind == "metadata":
            self._metadata, self._text = given.get("name", ""), ""

    def _place(self, given: dict[str, str]) -> tuple[str, str]:
        path = given.get(f"{_PRODUCTION} path")
        return (posixpath.normpath(path.lstrip("/")) if path else self._part), given["objectid"]

    def _end(self, name: str) -> None:
        if name == f"{CORE} object":
            self._object = None
        elif name == f"{CORE} metadata":
            if self._metadata == "Description" and self._is_root and not self._object:
                self._model.words += self._text
            self._metadata = None

    def _characters(self, text: str) -> None:
        if self._metadata is not None:
            self._text += text


def _color(text: str) -> Colour:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _matrix(text: str | None) -> Matrix:
    """The 4×4 for column vectors; the file has 4×3 for row vectors (3.3)."""
    whole = np.eye(4)
    if text:
        whole[:3, :] = np.array(text.split(), np.float64).reshape(4, 3).T
    return whole


def _meshes(model: _Model, stem: str) -> list[Mesh]:
    found: list[Mesh] = []
    for key, matrix in model.items:
        found += _placed(model, key, matrix, stem, 0)
    return found


def _placed(
    model: _Model, key: tuple[str, str], matrix: Matrix, name: str, depth: int
) -> list[Mesh]:
    if depth > _DEEPEST:
        raise ValueError(f"components more than {_DEEPEST} deep")
    thing = model.objects[key]
    name = thing.name or name
    found = []
    for inner, step in thing.components:
        found += _placed(model, inner, matrix @ step, name, depth + 1)
    if thing.vertices:
        found.append(_mesh(model, key, matrix, name))
    return found


def _mesh(model: _Model, key: tuple[str, str], matrix: Matrix, name: str) -> Mesh:
    thing = model.objects[key]
    points = np.array(thing.vertices, np.float64).reshape(-1, 3)
    placed = (points @ matrix[:3, :3].T + matrix[:3, 3]) * model.scale_mm
    placed, space = in_lps(placed, model.words)
    faces = np.array(thing.triangles, np.int64).reshape(-1, 3)
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = faces[:, ::-1]
    color, colors = _colors(model, key, len(points))
    return checked_mesh(placed, faces, name, color=color, colors=colors, space=space)


def _colors(
    model: _Model, key: tuple[str, str], count: int
) -> tuple[Colour, npt.NDArray[np.uint8] | None]:
    """The object's colour, and colours of vertices if its triangles name others."""
    thing, part = model.objects[key], key[0]
    own = GREY
    if thing.material:
        group = model.colors.get((part, thing.material[0]), [])
        own = group[thing.material[1]] if thing.material[1] < len(group) else GREY
    if not any(first for _, first, *_ in thing.properties):
        return own, None
    colors = np.empty((count, 3), np.uint8)
    colors[:] = own
    default = thing.material[0] if thing.material else ""
    for corners, (group_id, *indices) in zip(
        np.array(thing.triangles, np.int64).reshape(-1, 3), thing.properties, strict=True
    ):
        known = model.colors.get((part, group_id or default))
        if known and indices[0]:
            for corner, index in zip(corners, indices, strict=True):
                colors[corner] = known[int(index)]
    if (colors == colors[:1]).all():
        return as_color(colors[0]), None
    return own, colors
