"""Triangles out of anybody's VTP, in every encoding but LZ4.

VTK's own reader prints its complaints and trusts the file's offsets; this one refuses.
"""

from __future__ import annotations

import base64
import binascii
import lzma
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.errors import UnreadableInputError, UnsupportedEncodingError
from medrecon.files.mesh_values import GREY, as_color, checked_mesh, fans, frame_from_words
from medrecon.files.vtp import SCALAR

_KINDS = {
    **{f"Int{8 * n}": f"i{n}" for n in (1, 2, 4, 8)},
    **{f"UInt{8 * n}": f"u{n}" for n in (1, 2, 4, 8)},
    "Float32": "f4",
    "Float64": "f8",
}
_ORDERS = {"LittleEndian": "<", "BigEndian": ">"}
_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "vtkZLibDataCompressor": zlib.decompress,
    "vtkLZMADataCompressor": lzma.decompress,
}
_MOST_RATIO = 2000
"""Unpacked against packed size of a block; zlib cannot do more than about 1000."""


def read_vtp(path: Path) -> Mesh:
    """The surface of a VTP; its pieces joined, polygons cut into triangles.

    Point data "color" comes back as colours, "deviation_mm" as scalars.

    Raises
    ------
    UnreadableInputError
        If it is no PolyData, cut short, or holds triangle strips.
    UnsupportedEncodingError
        If it is packed with LZ4.
    DamagedInputError
        If the numbers make no mesh.

    References
    ----------
    Kitware, VTK documentation, "VTK XML File Formats".
    """
    try:
        return _mesh(_File.opened(path), path.stem)
    except OSError as error:
        raise UnreadableInputError(f"a VTP cannot be read: {error.strerror}") from error
    except (
        ElementTree.ParseError,
        binascii.Error,
        zlib.error,
        lzma.LZMAError,
        ValueError,
        KeyError,
    ) as error:
        raise UnreadableInputError(f"no VTP, or one that is cut short: {error}") from error


@dataclass(frozen=True, slots=True)
class _File:
    """The XML, what is appended to it, and how its numbers are written."""

    tree: ElementTree.Element
    appended: bytes
    appended_is_raw: bool
    order: str
    length: np.dtype[Any]
    compressor: str

    @classmethod
    def opened(cls, path: Path) -> _File:
        content = path.read_bytes()
        # Raw appended numbers are no XML: the part before them is.
        head, mark, rest = content.partition(b"<AppendedData")
        if not content.rstrip().endswith(b"</VTKFile>"):
            raise ValueError("it does not end as one")
        tree = ElementTree.fromstring(head + b"</VTKFile>" if mark else content)
        if tree.tag != "VTKFile" or tree.get("type") != "PolyData":
            raise ValueError("its first element is no VTKFile of PolyData")
        order = _ORDERS[tree.get("byte_order", "LittleEndian")]
        compressor = tree.get("compressor", "")
        if compressor and compressor not in _UNPACK:
            raise UnsupportedEncodingError(f"a VTP packed by {compressor}; zlib or none expected")
        length = np.dtype(order + _KINDS[tree.get("header_type", "UInt32")])
        raw = b"raw" in rest.partition(b">")[0]
        return cls(tree, rest.partition(b"_")[2], raw, order, length, compressor)

    def array(self, element: ElementTree.Element) -> npt.NDArray[Any]:
        """(n, components) numbers of a DataArray."""
        kind = np.dtype(self.order + _KINDS[element.attrib["type"]])
        width = int(element.get("NumberOfComponents") or 1)
        form = element.get("format", "ascii")
        if form == "ascii":
            values = np.array((element.text or "").split(), np.float64).astype(kind)
        else:
            values = np.frombuffer(self._bytes(element, form), kind)
        return values.reshape(-1, width)

    def _bytes(self, element: ElementTree.Element, form: str) -> bytes:
        if form == "binary":
            return self._decoded((element.text or "").strip().encode(), is_raw=False)
        offset = int(element.attrib["offset"])
        if not 0 <= offset <= len(self.appended):
            raise ValueError(f"an array at byte {offset} of {len(self.appended)}")
        return self._decoded(self.appended[offset:], is_raw=self.appended_is_raw)

    def _decoded(self, text: bytes, *, is_raw: bool) -> bytes:
        """The bytes behind their lengths, unpacked if they are packed."""
        size = self.length.itemsize
        if not self.compressor:
            (count,) = self._lengths(text, 1, is_raw=is_raw)
            whole = _taken(text, 0, size + count, is_raw=is_raw)
            return whole[size:]
        blocks, usual, last = self._lengths(text, 3, is_raw=is_raw)
        sizes = self._lengths(text, 3 + blocks, is_raw=is_raw)[3:]
        # The lengths are encoded apart from the blocks.
        start = (3 + blocks) * size
        packed = _taken(
            text, start if is_raw else -(-start // 3) * 4, int(sum(sizes)), is_raw=is_raw
        )
        parts = []
        for n, end in enumerate(np.cumsum(sizes).tolist()):
            block = packed[end - sizes[n] : end]
            most = last if n == blocks - 1 and last else usual
            if most > _MOST_RATIO * len(block) + 1024:
                raise ValueError("a block that unpacks to far more than it should")
            parts.append(_UNPACK[self.compressor](block))
        return b"".join(parts)

    def _lengths(self, text: bytes, count: int, *, is_raw: bool) -> list[int]:
        content = _taken(text, 0, count * self.length.itemsize, is_raw=is_raw)
        return [int(n) for n in np.frombuffer(content, self.length)]


def _taken(text: bytes, start: int, count: int, *, is_raw: bool) -> bytes:
    """`count` bytes from a place in the text on, out of base64 if they are in it."""
    if is_raw:
        found = text[start : start + count]
    else:
        found = base64.b64decode(text[start : start + -(-count // 3) * 4])[:count]
    if len(found) < count:
        raise ValueError(f"{len(found)} bytes; {count} expected")
    return found


def _mesh(file: _File, stem: str) -> Mesh:
    points, faces = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)]
    color, scalar = list[Any](), list[Any]()
    for piece in file.tree.iterfind("PolyData/Piece"):
        if int(piece.get("NumberOfStrips", 0)):
            raise ValueError("it holds triangle strips; save it as polygons")
        count = sum(map(len, points))
        points += [file.array(a) for a in piece.iterfind("Points/DataArray")]
        faces.append(_faces(file, piece) + count)
        for name, found in (("color", color), (SCALAR, scalar)):
            array = piece.find(f"PointData/DataArray[@Name='{name}']")
            if array is not None:
                found.append(file.array(array))
    place = np.concatenate(points)
    says = {a.get("Name"): _text(a) for a in file.tree.iterfind("PolyData/FieldData/Array")}
    space, ras, _ = frame_from_words(says.get("frame", ""))
    colors = np.concatenate(color)[:, :3] if color else None
    uniform = colors is not None and len(colors) and (colors == colors[0]).all()
    return checked_mesh(
        place * (-1, -1, 1) if ras else place,
        np.concatenate(faces),
        says.get("label") or stem,
        color=as_color(colors[0]) if uniform and colors is not None else GREY,
        scalars=np.concatenate(scalar).ravel().astype(np.float32) if scalar else None,
        colors=None if uniform else colors,
        space=space,
    )


def _faces(file: _File, piece: ElementTree.Element) -> npt.NDArray[np.int64]:
    arrays = {a.get("Name"): file.array(a).ravel() for a in piece.iterfind("Polys/DataArray")}
    if not arrays:
        return np.zeros((0, 3), np.int64)
    ends = arrays["offsets"].astype(np.int64)
    counts = np.diff(ends, prepend=0)
    corners = arrays["connectivity"].astype(np.int64)
    if (counts < 0).any() or int(counts.sum()) != len(corners):
        raise ValueError("polygons whose offsets do not fit their corners")
    return fans(counts, corners)


def _text(array: ElementTree.Element) -> str:
    """A string array in VTK's ASCII: character codes, each string ended by 0."""
    codes = (array.text or "").split()
    return bytes(int(c) for c in codes if c.isdigit() and c != "0").decode("utf-8", "replace")
