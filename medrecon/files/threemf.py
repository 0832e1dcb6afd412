"""3MF: one object a label, with its name and colour, in millimetres."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO
from xml.sax.saxutils import quoteattr

import numpy as np

from medrecon.core import Mesh
from medrecon.files.atomic import open_atomic
from medrecon.files.mesh_values import one_space
from medrecon.files.text_loops import rows_of_text
from medrecon.files.zipped import write_zip

MODEL_PATH = "3D/3dmodel.model"
CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
MATERIAL = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"
_MODEL_TYPE = "application/vnd.ms-package.3dmanufacturing-3dmodel+xml"
RELATIONSHIP = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"

_CONTENT_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Default Extension="model" ContentType="{_MODEL_TYPE}"/></Types>'
)
_RELATIONSHIPS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Target="/{MODEL_PATH}" Id="rel0" Type="{RELATIONSHIP}"/></Relationships>'
)

_BLOCK = 65536
"""Rows turned into text at a time."""


def write_3mf(meshes: Sequence[Mesh], stream: IO[bytes]) -> None:
    """Write all meshes as one 3MF package.

    Each mesh becomes an object that carries its label's name and colour, or the colours
    of its vertices, placed where it is (a metadata entry states the frame). The bytes
    depend on the meshes alone. Coordinates have nine significant digits, so float32
    comes back exactly.

    References
    ----------
    3MF Consortium. Core Specification 1.3: 3 (document), 4.1 (mesh), 5 (materials).
    Materials and Properties Extension 1.2: 2 (colour groups).
    """
    fixed = {"[Content_Types].xml": _CONTENT_TYPES, "_rels/.rels": _RELATIONSHIPS}
    parts = [(name, [text.encode()]) for name, text in fixed.items()]
    write_zip(stream, [*parts, (MODEL_PATH, _model(meshes))])


def save_3mf(meshes: Sequence[Mesh], path: Path) -> None:
    """`write_3mf` to a file that appears when it is whole."""
    with open_atomic(path) as stream:
        write_3mf(meshes, stream)


def _model(meshes: Sequence[Mesh]) -> Iterator[bytes]:
    """The model part: materials, colours, then objects, then where they are."""
    space = one_space(meshes).value
    frame = f"SPACE={space} UNIT=mm" if space else "UNIT=mm"
    colored = any(mesh.colors is not None for mesh in meshes)
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<model unit="millimeter" xml:lang="en-US" xmlns="{CORE}"'
        + (f' xmlns:m="{MATERIAL}"' if colored else "")
        + '>\n<metadata name="Application">medrecon</metadata>\n'
        f'<metadata name="Description">{frame}</metadata>\n<resources>\n'
    ).encode()
    yield b'<basematerials id="1">\n'
    for mesh in meshes:
        name, color = quoteattr(mesh.label.name), _hexadecimal(mesh.label.color)
        yield f'<base name={name} displaycolor="{color}"/>\n'.encode()
    yield b"</basematerials>\n"
    first = len(meshes) + 2
    for number, mesh in enumerate(meshes):
        if mesh.colors is not None:
            yield from _colors(mesh, first + number)
        yield from _object(mesh, number, first + number)
    yield b"</resources>\n<build>\n"
    for number in range(len(meshes)):
        yield f'<item objectid="{number + 2}"/>\n'.encode()
    yield b"</build>\n</model>\n"


def _hexadecimal(color: Iterable[int]) -> str:
    red, green, blue = color
    return f"#{red:02X}{green:02X}{blue:02X}FF"


def _colors(mesh: Mesh, group: int) -> Iterator[bytes]:
    """A group of one colour for each vertex, so that a vertex's number is its colour's."""
    yield f'<m:colorgroup id="{group}">\n'.encode()
    for row in [] if mesh.colors is None else mesh.colors.tolist():
        yield f'<m:color color="{_hexadecimal(row)}"/>\n'.encode()
    yield b"</m:colorgroup>\n"


def _object(mesh: Mesh, number: int, group: int) -> Iterator[bytes]:
    name = quoteattr(mesh.label.name)
    yield (
        f'<object id="{number + 2}" type="model" name={name} pid="1" pindex="{number}">\n'
        "<mesh>\n<vertices>\n"
    ).encode()
    for low in range(0, len(mesh.vertices_mm), _BLOCK):
        rows = mesh.vertices_mm[low : low + _BLOCK]
        yield rows_of_text(rows, '<vertex x="%" y="%" z="%"/>\n')
    yield b"</vertices>\n<triangles>\n"
    row = '<triangle v1="%" v2="%" v3="%"/>\n'
    if mesh.colors is not None:
        row = row.replace("/>", f' pid="{group}" p1="%" p2="%" p3="%"/>')
    for low in range(0, len(mesh.faces), _BLOCK):
        faces = mesh.faces[low : low + _BLOCK]
        yield rows_of_text(faces if mesh.colors is None else np.tile(faces, 2), row)
    yield b"</triangles>\n</mesh>\n</object>\n"
