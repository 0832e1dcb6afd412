"""The list of edits: read, applied in order, written with the volume that each changed.

``edits.json`` holds an object with ``edits``, a list. Each names its ``edit``, the
``label`` that it changes, and its numbers; points are LPS mm:

=============  ============================================================
add, erase     ``points_lps_mm`` (one is a ball, more a stroke), ``radius_mm``
plane          ``point_lps_mm``, ``normal_lps``: what it points to is removed
box            ``corners_lps_mm``, ``keep``: "inside" or "outside"
split          ``points_lps_mm`` (two), ``names`` (two), ``gap_mm``
keep, remove   ``point_lps_mm`` (``keep`` without one keeps the largest part)
fill           closed cavities
offset         ``by_mm``, negative shrinks
combine        ``other``, ``how``: "union", "subtract" or "intersect"
smooth         ``point_lps_mm``, ``radius_mm``, ``sigma_mm``
=============  ============================================================
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medrecon.core import SoftField, is_file_name
from medrecon.editing import operations as op
from medrecon.editing.block import in_mm
from medrecon.errors import DamagedInputError, UnreadableInputError, UsageError
from medrecon.quality.volume import field_volume_ml

SCHEMA_VERSION = 1
Fields = dict[str, SoftField]


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: what, of which structure, with which numbers; and what it changed.

    Parameters
    ----------
    edit : str
    label : str
    numbers : mapping
        Its parameters as they stand in the file.
    volume_change_ml : float or None
        Of the structure, of all its parts where it was split; None until applied.
    """

    edit: str
    label: str
    numbers: Mapping[str, Any]
    volume_change_ml: float | None = None


def read_edits(path: Path) -> tuple[Edit, ...]:
    """The edits of a file.

    Raises
    ------
    UnreadableInputError
        If it is not there or cannot be opened.
    DamagedInputError
        If it holds something else.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        return tuple(_edit(row) for row in content["edits"])
    except OSError as error:
        raise UnreadableInputError(f"the file of edits cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedInputError(
            f"the file of edits cannot be read ({type(error).__name__}); an object with a list "
            "`edits` was expected"
        ) from None


def edits_json(edits: Sequence[Edit]) -> dict[str, Any]:
    """The object that `read_edits` reads."""
    rows = []
    for e in edits:
        row = {"edit": e.edit, "label": e.label, **e.numbers}
        if e.volume_change_ml is not None:
            row["volume_change_ml"] = e.volume_change_ml
        rows.append(row)
    return {"schema_version": SCHEMA_VERSION, "edits": rows}


def apply_edits(
    fields: Sequence[SoftField], edits: Sequence[Edit]
) -> tuple[tuple[SoftField, ...], tuple[Edit, ...]]:
    """The fields after all edits, in the given order, and the edits with what they changed.

    Parameters
    ----------
    fields : sequence of SoftField
        Each of another name and number, on any grids; those that no edit names come
        back untouched.
    edits : sequence of Edit

    Raises
    ------
    UsageError
        If an edit names a structure that is not there, or leaves nothing of one; or as
        `origins`.
    DamagedInputError
        If an edit is unknown or its numbers are not what it needs.
    """
    here: Fields = {f.label.name: f for f in fields}
    origins(tuple(here), edits)
    done = []
    for n, edit in enumerate(edits, 1):
        before = field_volume_ml(here[edit.label])
        try:
            changed = _OPERATIONS[edit.edit](here, in_mm(here[edit.label]), edit.numbers)
        except (KeyError, ValueError, TypeError) as error:
            raise DamagedInputError(f"edit {n} ({edit.edit}) is not understood: {error}") from None
        after = _renewed(here, edit.label, changed, n)
        done.append(dataclasses.replace(edit, volume_change_ml=round(after - before, 4)))
    return tuple(here.values()), tuple(done)


def origins(names: Sequence[str], edits: Sequence[Edit]) -> dict[str, str]:
    """Of every structure that there will be after the edits, which one it was before.

    Raises
    ------
    UsageError
        If an edit names a structure that is not there by then, or a split's new names are
        not two, are taken, or cannot be a file's.
    DamagedInputError
        If a split's names are no list.
    """
    found = {name: name for name in names}
    for n, edit in enumerate(edits, 1):
        if edit.label not in found:
            raise UsageError(f"edit {n}: no structure {edit.label}; there are: {', '.join(found)}")
        if edit.edit != "split":
            continue
        new = _checked_names(_part_names(edit.label, edit.numbers), f"edit {n} (split)")
        origin = found.pop(edit.label)
        if taken := [name for name in new if name in found]:
            raise UsageError(f"edit {n} (split): there is another structure {taken[0]}")
        found |= dict.fromkeys(new, origin)
    return found


def _part_names(label: str, numbers: Mapping[str, Any]) -> Any:
    """What the two parts of a structure are called: as said, or after the structure."""
    return numbers.get("names", [f"{label}_1", f"{label}_2"])


def _checked_names(names: Any, where: str) -> list[str]:
    if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
        raise DamagedInputError(f"{where}: names: a list of two names expected")
    if len(names) != 2 or names[0] == names[1]:
        raise UsageError(f"{where}: two different names expected")
    if odd := [name for name in names if not is_file_name(name)]:
        raise UsageError(f"{where}: {odd[0][:40]!r} cannot be the name of a file")
    return list(names)


def _renewed(here: Fields, name: str, changed: Sequence[SoftField], number: int) -> float:
    """Put the changed fields in the place of the old one; their volume."""
    volume = 0.0
    for field in changed:
        if not (field.values > 0).any():
            raise UsageError(f"edit {number} leaves nothing of {field.label.name}")
        volume += field_volume_ml(field)
    old = list(here.items())
    here.clear()
    for key, field in old:
        if key != name:
            here[key] = field
            continue
        for new in changed:
            here[new.label.name] = new
    return volume


def _edit(row: Mapping[str, Any]) -> Edit:
    rest = {k: v for k, v in row.items() if k not in ("edit", "label", "volume_change_ml")}
    name = str(row["edit"])
    if name not in _OPERATIONS:
        raise KeyError(name)
    return Edit(name, str(row["label"]), rest)


def _path(numbers: Mapping[str, Any]) -> op.Points:
    path = np.asarray(numbers["points_lps_mm"], dtype=float)
    if path.ndim != 2 or path.shape[1] != 3 or not len(path) or not np.isfinite(path).all():
        raise ValueError("points_lps_mm: a list of points expected")
    return path


def _positive(numbers: Mapping[str, Any], key: str) -> float:
    value = float(numbers[key])
    if not 0 < value < 1000:
        raise ValueError(f"{key}: a positive number of mm expected")
    return value


def _add(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    return [op.add(f, _path(n), _positive(n, "radius_mm"))]


def _erase(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    return [op.erase(f, _path(n), _positive(n, "radius_mm"))]


def _plane(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    normal = op.numbers(n, "normal_lps", 3)
    if not np.linalg.norm(normal):
        raise ValueError("normal_lps: a direction expected")
    return [op.cut_plane(f, op.numbers(n, "point_lps_mm", 3), normal)]


def _box(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    corners = np.asarray(n["corners_lps_mm"], dtype=float)
    if corners.shape != (2, 3) or n["keep"] not in ("inside", "outside"):
        raise ValueError("corners_lps_mm: two points, and keep: inside or outside expected")
    return [op.cut_box(f, (corners[0], corners[1]), keep=n["keep"] == "inside")]


def _split(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    path = _path(n)
    if len(path) != 2:
        raise ValueError("points_lps_mm: two points expected")
    gap = float(n.get("gap_mm", 0.0))
    if not 0 <= gap < 1000:
        raise ValueError("gap_mm: a number of mm from 0 expected")
    names = _part_names(f.label.name, n)
    parts = op.split(f, path[0], path[1], gap)
    free = max(x.label.index for x in here.values()) + 1
    numbers = (f.label.index, free)
    return [
        dataclasses.replace(p, label=dataclasses.replace(p.label, name=name, index=number))
        for p, name, number in zip(parts, names, numbers, strict=True)
    ]


def _keep(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    point = op.numbers(n, "point_lps_mm", 3) if "point_lps_mm" in n else None
    return [op.keep_component(f, point)]


def _remove(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    return [op.remove_component(f, op.numbers(n, "point_lps_mm", 3))]


def _fill(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    return [op.fill(f)]


def _offset(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    by = float(n["by_mm"])
    if not abs(by) <= 50:
        raise ValueError("by_mm: between -50 and 50 mm expected")
    return [op.offset(f, by)]


def _combine(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    return [op.combine(f, in_mm(here[str(n["other"])]), str(n["how"]))]


def _smooth(here: Fields, f: SoftField, n: Mapping[str, Any]) -> list[SoftField]:
    centre = op.numbers(n, "point_lps_mm", 3)
    return [op.smooth(f, centre, _positive(n, "radius_mm"), _positive(n, "sigma_mm"))]


_OPERATIONS: dict[str, Callable[[Fields, SoftField, Mapping[str, Any]], list[SoftField]]] = {
    "add": _add,
    "erase": _erase,
    "plane": _plane,
    "box": _box,
    "split": _split,
    "keep": _keep,
    "remove": _remove,
    "fill": _fill,
    "offset": _offset,
    "combine": _combine,
    "smooth": _smooth,
}
