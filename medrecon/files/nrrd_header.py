"""What an NRRD header must say before its voxels are read.

ITK reads the voxels. It takes LPS for a space that is not anatomical, 1 mm for a
direction that is "none" and 0 for an origin that is not stated, and does not look at units.

References
----------
NRRD 5 file format definition: space, space directions, space origin, space units, data file.
"""

from __future__ import annotations

import re
from pathlib import Path

from medrecon.errors import GeometryError, MissingSpacingError, UnreadableInputError

LONGEST_HEADER = 1 << 20
_ANATOMICAL = frozenset(
    {
        *("right-anterior-superior", "ras", "left-anterior-superior", "las"),
        *("left-posterior-superior", "lps"),
        *("right-anterior-superior-time", "rast", "left-anterior-superior-time", "last"),
        *("left-posterior-superior-time", "lpst"),
    }
)


def check_nrrd(path: Path) -> None:
    """Refuse a header that does not say where the voxels lie in the patient.

    Raises
    ------
    UnreadableInputError
        If it is no NRRD, or its voxels lie outside its folder.
    GeometryError
        If space or origin are not stated or not anatomical, or units are no millimetres.
    MissingSpacingError
        If an axis of space has no direction.
    """
    fields = _fields(path)
    data = fields.get("data file", fields.get("datafile", ""))
    if re.search(r"(^|[\\/])\.\.([\\/]|$)|^[\\/]|^[A-Za-z]:", data):
        raise UnreadableInputError("the NRRD header's voxels lie outside its folder")
    space = fields.get("space", "").lower()
    # ITK writes 4-D images so, and means LPS and time.
    if space not in _ANATOMICAL and (space or fields.get("space dimension") != "4"):
        raise GeometryError(
            "the NRRD file states no anatomical space (left-posterior-superior, for example): "
            "left and right are unknown; convert the DICOM series again with a tool that does"
        )
    directions = fields.get("space directions", "")
    if len(re.findall(r"\([^()]*\)", directions)) < 3:
        raise MissingSpacingError(
            "fewer than three directions of space in the NRRD file; medrecon never invents one"
        )
    if "space origin" not in fields:
        raise GeometryError(
            "the NRRD file states no origin in the patient; medrecon never invents one"
        )
    units = re.findall(r'"([^"]*)"', fields.get("space units", ""))
    if any(unit not in ("", "mm", "millimeter", "s", "ms") for unit in units):
        raise GeometryError("the NRRD file's space units are not millimetres")


def _fields(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        head = file.read(LONGEST_HEADER)
    lines = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0].splitlines()
    if not lines or not lines[0].startswith(b"NRRD"):
        raise UnreadableInputError("the file is not a readable NRRD image")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.decode("latin-1").partition(": ")
        key = name.strip().lower()
        said = value.strip()
        if colon and not line.startswith(b"#") and fields.setdefault(key, said) != said:
            raise UnreadableInputError("the NRRD header states something twice")
    return fields
