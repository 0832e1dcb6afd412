"""How many bytes of numbers a header promises: what lies behind them is no number of its.

References
----------
G. Turk: The PLY polygon file format, 1994. NRRD 5 file format definition.
"""

from __future__ import annotations

import re

PLY_SIZES = {"char": 1, "uchar": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "float": 4} | {
    "double": 8
}
# A list of corners as medrecon writes it: how many (3), and so many numbers.
PLY_CORNERS = "property list uchar int vertex_indices"
CORNERS_BYTES = 1 + 3 * 4
NRRD_SIZES = {"uint8": 1, "unsigned char": 1, "uchar": 1, "int16": 2, "short": 2} | {
    "uint16": 2, "unsigned short": 2, "int": 4, "float": 4, "double": 8,
}  # fmt: skip


def ply_bytes(lines: list[str]) -> int:
    """Bytes that follow the header of a binary PLY of triangles.

    Raises
    ------
    ValueError, KeyError
        If it is none that medrecon writes.
    """
    total = count = 0
    for line in lines:
        words = line.split()
        if words[:1] == ["element"]:
            count = int(words[2])
        elif line == PLY_CORNERS:
            total += count * CORNERS_BYTES
        elif words[:1] == ["property"]:
            total += count * PLY_SIZES[words[1]]
    if "format binary_little_endian 1.0" not in lines:
        raise ValueError("a PLY of another encoding")
    return total


def nrrd_bytes(head: str) -> tuple[int, ...]:
    """Bytes that an NRRD's voxels may take: alone, or with one bit for each behind them.

    A field's bits say which of its values were not measured.

    Raises
    ------
    KeyError
        If the header does not say what they are.
    """
    fields = dict(re.findall(r"^([a-z ]+): (.*)$", head, re.MULTILINE))
    voxels = 1
    for size in fields["sizes"].split():
        voxels *= int(size)
    plain = voxels * NRRD_SIZES[fields["type"]]
    return plain, plain + -(-voxels // 8)
