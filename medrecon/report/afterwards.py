"""What happened to a run after it was finished: approval and edits, for its report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medrecon.core.looks import in_words
from medrecon.errors import DamagedInputError
from medrecon.report.words import value

APPROVAL_FILE = "approval.json"
EDITS_FILE = "edits.json"
STATISTICS_FILE = "statistics.json"
# Facts of an approval that may name a person or a case: shown only when asked for.
_NAMES = ("by", "name", "reviewer", "case", "note", "comment")
_NOT_FACTS = ("schema_version", "meshes", "files", "hashes", "run_id")


def approval_rows(folder: Path, *, with_name: bool = False) -> dict[str, Any] | None:
    """What the report says of `approval.json`; None where there is none.

    Whether the approval still holds is worked out here: every mesh that it lists must
    have the SHA-256 that it states. What the run has besides is not approved, and said so.

    Raises
    ------
    DamagedInputError
        If the file cannot be read.
    """
    content = _json(folder / APPROVAL_FILE)
    if content is None:
        return None
    if not isinstance(content, Mapping):
        raise DamagedInputError(f"{APPROVAL_FILE} is damaged: an object was expected")
    meshes = content.get("meshes")
    changed = _changed(folder, meshes) if isinstance(meshes, Mapping) and meshes else ["all"]
    rows = [
        (in_words(key), value(item))
        for key, item in content.items()
        if key not in _NOT_FACTS and (with_name or key not in _NAMES)
    ]
    if not changed:
        return {"valid": True, "headline": _headline(folder, meshes or {}), "rows": rows}
    names = ", ".join(changed)
    return {
        "valid": False,
        "headline": f"Approval void: changed since it was given: {names}.",
        "rows": rows,
    }


def _headline(folder: Path, meshes: Mapping[str, Any]) -> str:
    """That all was approved; or what was, and what was not."""
    known = {_stem(str(name)) for name in meshes}
    rows = (_json(folder / STATISTICS_FILE) or {}).get("structures", ())
    left = [in_words(str(row["name"])) for row in rows if str(row["name"]) not in known]
    if not left:
        return "Approved."
    approved = ", ".join(in_words(name) for name in sorted(known))
    return f"Approved: {approved}. Not approved: {', '.join(left)}."


def edit_rows(folder: Path) -> list[dict[str, str]]:
    """The edits in `edits.json`, each in words; empty where there are none.

    Raises
    ------
    DamagedInputError
        If the file cannot be read.
    """
    content = _json(folder / EDITS_FILE)
    if isinstance(content, Mapping):
        content = content.get("edits", [])
    if content is None:
        return []
    if not isinstance(content, list) or not all(isinstance(e, Mapping) for e in content):
        raise DamagedInputError(f"{EDITS_FILE} is damaged: a list of edits was expected")
    return [_edit(edit) for edit in content]


def _edit(edit: Mapping[str, Any]) -> dict[str, str]:
    rest = {k: v for k, v in edit.items() if k not in ("edit", "label", "volume_change_ml")}
    what = in_words(str(edit.get("edit", "edit")))
    if "label" in edit:
        what += f", {in_words(str(edit['label']))}"
    if rest:
        what += f" ({value(rest)})"
    change = edit.get("volume_change_ml")
    return {"what": what, "change": "" if change is None else f"{change:+.2f} mL"}


def _changed(folder: Path, meshes: Mapping[str, Any]) -> list[str]:
    """Meshes whose file is gone or is another one now."""
    found = []
    for name, expected in meshes.items():
        path = folder / "meshes" / f"{_stem(str(name))}.stl"
        sha256 = expected.get("sha256") if isinstance(expected, Mapping) else expected
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            found.append(in_words(_stem(str(name))))
    return found


def _stem(name: str) -> str:
    """A structure's name; a point in it belongs to it, the end of a file's does not."""
    return Path(name).name.removesuffix(".stl")


def _json(path: Path) -> Any:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError:
        raise DamagedInputError(f"{path.name} is damaged") from None
