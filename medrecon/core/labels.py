"""Names, colours and codes of structures, and the integer map that uses them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.geometry import Geometry
from medrecon.core.volume import read_only
from medrecon.errors import GeometryError, UsageError

LONGEST_NAME = 100
"""Characters of a structure's name that becomes a file's."""


def is_file_name(name: str) -> bool:
    """Whether a structure's name can be a file's, and leads to no other folder."""
    odd = any(c in '/\\:*?"<>|' or not c.isprintable() for c in name)
    return 0 < len(name) <= LONGEST_NAME and name[0] not in ".-" and not odd


@dataclass(frozen=True, slots=True)
class SnomedCode:
    """A SNOMED CT concept, as DICOM writes it (PS3.16, coding scheme SCT)."""

    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Label:
    """One structure: its number in a label map, its name and how to show it.

    Parameters
    ----------
    index : int
        Value in the label map, ≥ 1 (0 is background).
    name : str
        Lower-case words joined by underscores; also the mesh's file name.
    color : tuple of int
        Red, green, blue, 0–255.
    code : SnomedCode or None
        Concept of the structure.
    hollow : bool
        Whether the mesh is a shell around something else (an airway's wall) rather
        than filled.
    includes : tuple of str
        Names of labels that lie inside and are part of this one (a tumour in its
        kidney): the mesh and the volume contain them, the label map shows them.
    """

    index: int
    name: str
    color: tuple[int, int, int] = (200, 200, 200)
    code: SnomedCode | None = None
    hollow: bool = False
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """Integers on a grid. For statistics and exchange; a surface is never made from it.

    Parameters
    ----------
    array : ndarray of uint8 or uint16, shape (i, j, k)
    geometry : Geometry
    labels : tuple of Label
        Every value above 0 that occurs in the array is the index of one of these.
    """

    array: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    geometry: Geometry
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        if self.array.dtype not in (np.uint8, np.uint16):
            raise TypeError(f"a label map of {self.array.dtype}; uint8 or uint16 expected")
        if self.array.shape != self.geometry.shape:
            raise GeometryError(f"label map {self.array.shape} on a grid of {self.geometry.shape}")
        object.__setattr__(self, "array", read_only(np.asfortranarray(self.array)))

    def __repr__(self) -> str:
        return f"<LabelMap {self.geometry.shape}, {len(self.labels)} labels>"


@cache
def known_labels() -> dict[str, Label]:
    """Every label of `presets/labels.toml`, by name."""
    text = resources.files("medrecon.presets").joinpath("labels.toml").read_text("utf-8")
    return {name: _label(name, row) for name, row in tomllib.loads(text)["label"].items()}


def label(name: str) -> Label:
    """The preset label of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    try:
        return known_labels()[name]
    except KeyError:
        known = ", ".join(sorted(known_labels()))
        raise UsageError(f"no label is called {name!r}; known are: {known}") from None


def _label(name: str, row: dict[str, Any]) -> Label:
    red, green, blue = row["color"]
    code = SnomedCode(*row["snomed"]) if "snomed" in row else None
    includes = tuple(row.get("includes", ()))
    hollow = bool(row.get("hollow", False))
    return Label(int(row["index"]), name, (red, green, blue), code, hollow, includes)
