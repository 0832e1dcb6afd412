"""VTK's XML PolyData: triangles with colour and scalar, for ParaView, VTK and PyVista."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.files.atomic import open_atomic
from medrecon.files.mesh_values import frame_words

_TYPES = {"f4": "Float32", "u1": "UInt8", "i8": "Int64"}
SCALAR = "deviation_mm"


def write_vtp(mesh: Mesh, stream: IO[bytes]) -> None:
    """Write the arrays raw at the end, little-endian, with 64-bit lengths.

    Point data: "color" (sRGB), and "deviation_mm" if the mesh has scalars. Field data:
    "label" and "frame".
    """
    colors = np.empty((len(mesh.vertices_mm), 3), np.uint8)
    colors[:] = mesh.label.color if mesh.colors is None else mesh.colors
    point_data = [("color", colors)]
    if mesh.scalars is not None:
        point_data.append((SCALAR, mesh.scalars.astype("<f4").reshape(-1, 1)))
    corners = mesh.faces.astype("<i8").reshape(-1, 1)
    ends = np.arange(3, 3 * len(mesh.faces) + 1, 3, dtype="<i8").reshape(-1, 1)
    store = _Appended()
    piece = (
        f'<Piece NumberOfPoints="{len(mesh.vertices_mm)}" NumberOfPolys="{len(mesh.faces)}">\n'
        f'<PointData Scalars="{point_data[-1][0]}">\n'
        + "".join(store.add(name, values) for name, values in point_data)
        + f"</PointData>\n<Points>\n{store.add('Points', mesh.vertices_mm)}</Points>\n<Polys>\n"
        + store.add("connectivity", corners)
        + store.add("offsets", ends)
        + "</Polys>\n</Piece>\n"
    )
    words = _words("label", mesh.label.name) + _words("frame", frame_words(mesh.space))
    head = (
        '<?xml version="1.0"?>\n<VTKFile type="PolyData" version="1.0" '
        'byte_order="LittleEndian" header_type="UInt64">\n<PolyData>\n'
        f'<FieldData>\n{words}</FieldData>\n{piece}</PolyData>\n<AppendedData encoding="raw">\n_'
    )
    stream.write(head.encode())
    for chunk in store.chunks:
        stream.write(chunk)
    stream.write(b"\n</AppendedData>\n</VTKFile>\n")


def save_vtp(mesh: Mesh, path: Path) -> None:
    """`write_vtp` to a file that appears when it is whole."""
    with open_atomic(path) as stream:
        write_vtp(mesh, stream)


class _Appended:
    """Arrays behind one another, each after its length in bytes."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self._size = 0

    def add(self, name: str, values: npt.NDArray[Any]) -> str:
        """The element that names the array's place."""
        kind = _TYPES[values.dtype.str[1:]]
        element = (
            f'<DataArray type="{kind}" Name="{name}" NumberOfComponents="{values.shape[1]}" '
            f'format="appended" offset="{self._size}"/>\n'
        )
        content = np.ascontiguousarray(values).tobytes()
        self.chunks += [np.uint64(len(content)).tobytes(), content]
        self._size += 8 + len(content)
        return element


def _words(name: str, text: str) -> str:
    codes = " ".join(str(byte) for byte in (*text.encode(), 0))
    return f'<Array type="String" Name="{name}" NumberOfTuples="1" format="ascii">{codes}</Array>\n'
