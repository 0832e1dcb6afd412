"""Label maps from elsewhere: one file of integers, or a folder of masks.

TotalSegmentator writes a folder with one mask for each structure, 3D Slicer and most
others one file of integers. Names come from a table beside the file where there is one:
``labels.tsv``, ``NAME_dseg.tsv`` (BIDS) or a ``.ctbl`` of 3D Slicer.
"""

from __future__ import annotations

import colorsys
import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Label, LabelMap, known_labels
from medrecon.errors import DamagedInputError, GeometryError, NoSeriesError, UnreadableInputError
from medrecon.files import nifti
from medrecon.files.images import ITK_SUFFIXES, NIFTI_SUFFIXES, stored_voxels
from medrecon.files.voxels import label_grid

SUFFIXES = NIFTI_SUFFIXES + ITK_SUFFIXES
# Turning the hue by the golden angle keeps neighbours apart for any number of labels.
_GOLDEN_TURN = 0.381966


def read_label_map(path: Path, table: Path | None = None) -> LabelMap:
    """A file of integers and the names of what they stand for.

    Parameters
    ----------
    path : Path
        NIfTI, NRRD or MetaImage; 0 is background.
    table : Path, optional
        Names; found beside the file if not given, else the labels are called by number.

    Raises
    ------
    UnreadableInputError
        If it is not what its name says, or the table is not there.
    PixelDataError
        If a value is not a whole number of 0 to 65535.
    DamagedInputError
        If the table cannot be read, or the map is empty.
    GeometryError
        As the readers raise it; also if its voxels have a size that no image has.
    """
    array, geometry = _read_integers(path)
    present = np.flatnonzero(np.bincount(array.ravel(order="K")))
    present = present[present > 0]
    if not len(present):
        raise DamagedInputError("the label map is empty: every voxel is 0")
    table = table or _table_beside(path)
    named = read_label_table(table) if table else {}
    labels = tuple(named.get(int(n)) or numbered(int(n)) for n in present)
    return LabelMap(array, geometry, labels)


def read_masks(folder: Path) -> tuple[LabelMap, ...]:
    """Every mask of a folder, each as a label map of its own: they may overlap.

    Returns
    -------
    tuple of LabelMap
        All on one grid, by name; empty masks are left out. What is above 0 is inside.

    Raises
    ------
    NoSeriesError
        If there is no mask, or all are empty.
    GeometryError
        If two of them lie on different grids.
    """
    found: list[LabelMap] = []
    for path in _mask_files(folder):
        array, geometry = _read_integers(path)
        inside = array > 0
        if found and not geometry.is_close(found[0].geometry):
            raise GeometryError("the folder's masks lie on different grids; mesh them one by one")
        if inside.any():
            label = named(len(found) + 1, _stem(path))
            found.append(LabelMap((inside * label.index).astype(np.uint16), geometry, (label,)))
    if not found:
        raise NoSeriesError("no label map or mask that holds anything was found in the folder")
    return tuple(found)


def _mask_files(folder: Path) -> list[Path]:
    """Every file that may be a mask; of a .hdr/.img pair the header."""
    found = sorted(p for p in folder.iterdir() if p.name.lower().endswith(SUFFIXES))
    headers = {p.stem for p in found if p.suffix.lower() == ".hdr"}
    return [p for p in found if p.suffix.lower() != ".img" or p.stem not in headers]


def read_label_table(path: Path) -> dict[int, Label]:
    """Labels by number from a BIDS table (tab-separated) or a colour table of 3D Slicer.

    Raises
    ------
    UnreadableInputError
        If it is not there or cannot be opened.
    DamagedInputError
        If it is neither.
    """
    try:
        text = path.read_text("utf-8-sig", errors="replace")
    except OSError as error:
        raise UnreadableInputError(
            f"the table of labels cannot be read: {error.strerror}"
        ) from error
    try:
        rows = _slicer_rows(text) if path.suffix.lower() == ".ctbl" else _bids_rows(text)
        return {n: named(n, name, color) for n, name, color in rows if n > 0}
    except (KeyError, ValueError, IndexError, csv.Error) as error:
        raise DamagedInputError(
            f"the table of labels cannot be read ({type(error).__name__}); columns index and "
            "name expected"
        ) from None


def numbered(index: int) -> Label:
    """The label of a number that no table names."""
    return named(index, f"label_{index}")


def named(index: int, name: str, color: tuple[int, int, int] | None = None) -> Label:
    """The label of a name: medrecon's own where it knows it, with that number."""
    word = "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
    preset = known_labels().get(word)
    if preset is not None:
        return dataclasses.replace(preset, index=index, color=color or preset.color)
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_TURN % 1.0, 0.55, 0.85)
    own = (round(255 * red), round(255 * green), round(255 * blue))
    return Label(index, word or f"label_{index}", color or own)


def _read_integers(path: Path) -> tuple[npt.NDArray[np.uint16], Geometry]:
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        return nifti.read_labels(path)
    array, affine = stored_voxels(path)
    return nifti.whole_numbers(array), label_grid(affine, array.shape)


def _stem(path: Path) -> str:
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem


def _table_beside(path: Path) -> Path | None:
    stem = _stem(path)
    names = (f"{stem}.tsv", f"{stem}.ctbl", "labels.tsv", "labels.ctbl", "dseg.tsv")
    return next((path.with_name(n) for n in names if path.with_name(n).is_file()), None)


def _bids_rows(text: str) -> Sequence[tuple[int, str, tuple[int, int, int] | None]]:
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    if not rows or any(r["index"] is None or r["name"] is None for r in rows):
        raise ValueError("no rows, or one that is too short")
    return [(int(r["index"]), r["name"], _hex(r.get("color") or "")) for r in rows]


def _slicer_rows(text: str) -> Sequence[tuple[int, str, tuple[int, int, int] | None]]:
    rows = []
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            red, green, blue = (int(float(w)) for w in words[-4:-1])
            rows.append((int(words[0]), " ".join(words[1:-4]), (red, green, blue)))
    return rows


def _hex(text: str) -> tuple[int, int, int] | None:
    digits = text.strip().lstrip("#")
    if len(digits) != 6:
        return None
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
