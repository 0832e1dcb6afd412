"""Soft fields as NRRD files: what a run keeps, so that its surfaces can be made again.

Any NRRD reader opens them; the surface lies at 0, positive is inside, and the values are
no image. The label is said in a key/value pair.

References
----------
NRRD 5 file format: "space", "space directions", key/value pairs ``key:=value``.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from isal import igzip

from medrecon.core import Geometry, Label, SoftField, is_file_name
from medrecon.core.labels import SnomedCode
from medrecon.errors import DamagedInputError, GeometryError, UnreadableInputError
from medrecon.files.atomic import open_atomic
from medrecon.files.compression import GzipWriter

_TYPES: dict[str, np.dtype[Any]] = {"int16": np.dtype("<i2"), "float": np.dtype("<f4")}
_MAGIC = "NRRD0005"
_KEY = "medrecon_field"
_LONGEST_HEADER = 65536


def write_field(field: SoftField, path: Path) -> None:
    """Write a field and what was not measured of it; the same field gives the same bytes."""
    extra = {
        "label": label_json(field.label),
        "grid": grid_json(field.grid),
        "start": list(field.start),
        "unmeasured": field.unmeasured is not None,
    }
    kind = "int16" if field.values.dtype == np.int16 else "float"
    with open_atomic(path) as stream:
        stream.write(_header(field, kind, extra).encode())
        with GzipWriter(stream) as packed:
            packed.write(field.values.astype(_TYPES[kind]).ravel(order="F").data)
            if field.unmeasured is not None:
                mask = np.broadcast_to(field.unmeasured, field.values.shape)
                packed.write(np.packbits(mask.ravel(order="F")).data)


def read_field(path: Path) -> SoftField:
    """Read what `write_field` wrote.

    Raises
    ------
    UnreadableInputError
        If it is another kind of file.
    DamagedInputError
        If it is cut short or its header contradicts its content.
    """
    with path.open("rb") as stream:
        raw = stream.read()
    end = raw.find(b"\n\n", 0, _LONGEST_HEADER)
    if not raw.startswith(_MAGIC.encode()) or end < 0:
        raise UnreadableInputError(f"{path.name} is not a field of medrecon")
    try:
        lines = raw[:end].decode().splitlines()[1:]
        return _field(_fields_of(lines), memoryview(raw)[end + 2 :])
    except (KeyError, ValueError, TypeError, UnicodeError, zlib.error, EOFError, OSError) as error:
        raise DamagedInputError(
            f"{path.name} is damaged ({type(error).__name__}); segment the scan again"
        ) from None


def label_json(label: Label) -> dict[str, Any]:
    """A label as JSON."""
    return {
        "index": label.index,
        "name": label.name,
        "color": list(label.color),
        "code": [label.code.value, label.code.meaning] if label.code else None,
        "hollow": label.hollow,
        "includes": list(label.includes),
    }


def label_from_json(row: Mapping[str, Any]) -> Label:
    """The label that `label_json` wrote.

    Raises
    ------
    KeyError, ValueError, TypeError
        If it is none, or its name would lead out of the folder of a file that bears it.
    """
    red, green, blue = (int(c) for c in row["color"])
    code = SnomedCode(*(str(x) for x in row["code"])) if row["code"] else None
    includes = tuple(str(x) for x in row["includes"])
    name = str(row["name"])
    if not is_file_name(name):
        raise ValueError(f"a structure called {name!r}")
    return Label(int(row["index"]), name, (red, green, blue), code, bool(row["hollow"]), includes)


def grid_json(grid: Geometry) -> dict[str, Any]:
    """A geometry as JSON; every number comes back bit for bit."""
    return {
        "shape": list(grid.shape),
        "spacing_mm": list(grid.spacing_mm),
        "origin_lps_mm": list(grid.origin_mm),
        "direction": [list(row) for row in grid.direction],
    }


def grid_from_json(row: Mapping[str, Any]) -> Geometry:
    """The geometry that `grid_json` wrote.

    Raises
    ------
    KeyError, ValueError, TypeError, GeometryError
        If it is none.
    """
    i, j, k = (int(n) for n in row["shape"])
    first, second, third = (_three(r) for r in row["direction"])
    return Geometry(
        (i, j, k),
        _three(row["spacing_mm"]),
        _three(row["origin_lps_mm"]),
        (first, second, third),
    )


def _three(values: Any) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _header(field: SoftField, kind: str, extra: Mapping[str, Any]) -> str:
    affine = field.geometry.affine_lps
    directions = " ".join(_vector(affine[:3, a]) for a in range(3))
    sizes = " ".join(str(n) for n in field.values.shape)
    lines = [
        _MAGIC,
        f"type: {kind}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {sizes}",
        f"space directions: {directions}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(affine[:3, 3])}",
        f"{_KEY}:={json.dumps(extra)}",
    ]
    return "\n".join(lines) + "\n\n"


def _vector(values: npt.NDArray[np.float64]) -> str:
    return "(" + ",".join(repr(float(v)) for v in values) + ")"


def _fields_of(lines: list[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        key, mark, value = line.partition(":=") if ":=" in line else line.partition(": ")
        if not mark:
            raise ValueError("a header line without a value")
        found[key] = value
    return found


def _field(header: Mapping[str, str], content: memoryview) -> SoftField:
    extra = json.loads(header[_KEY])
    i, j, k = (int(n) for n in header["sizes"].split())
    dtype = _TYPES[header["type"]]
    size = i * j * k * dtype.itemsize
    raw = igzip.decompress(content)
    mask_size = -(-i * j * k // 8) if extra["unmeasured"] else 0
    if len(raw) != size + mask_size:
        raise ValueError("another number of voxels than the header states")
    values: Any = np.frombuffer(raw, dtype, i * j * k).reshape((i, j, k), order="F")
    mask = None
    if mask_size:
        bits = np.frombuffer(raw, np.uint8, mask_size, offset=size)
        mask = np.unpackbits(bits, count=i * j * k).astype(bool).reshape((i, j, k), order="F")
    a, b, c = (int(n) for n in extra["start"])
    try:
        grid = grid_from_json(extra["grid"])
        native = values.astype(dtype.newbyteorder("="), copy=False)
        return SoftField(label_from_json(extra["label"]), native, grid, (a, b, c), mask)
    except GeometryError as error:
        raise ValueError(str(error)) from None
