"""What the records say, in words and rows for a person."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medrecon.core.looks import in_words


@dataclass(frozen=True, slots=True)
class Summary:
    """The result in a few sentences.

    Parameters
    ----------
    passed, total : int
        Structures that passed their gate, and all.
    headline : str
    failures : tuple of (name, reasons)
        The structures that did not pass, and why.
    """

    passed: int
    total: int
    headline: str
    failures: tuple[tuple[str, str], ...]


def summary(meshes: Mapping[str, Mapping[str, Any]]) -> Summary:
    """The rows of `quality.json` in plain words."""
    failed = [(in_words(name), reasons(row)) for name, row in meshes.items() if not row["passed"]]
    total = len(meshes)
    passed = total - len(failed)
    noun = "structure" if total == 1 else "structures"
    if not total:
        headline = "Nothing was meshed, so nothing was judged."
    elif not failed:
        headline = f"The {noun} passed." if total == 1 else f"All {total} {noun} passed."
    elif not passed:
        headline = f"None of the {total} {noun} passed." if total > 1 else "It did not pass."
    else:
        headline = f"{passed} of {total} {noun} passed; {len(failed)} did not."
    return Summary(passed, total, headline, tuple(failed))


def reasons(quality: Mapping[str, Any]) -> str:
    """The verdict without its first word: why, or how faithful."""
    words = str(quality["verdict"])
    return words.partition("; ")[2] or words


def structure_rows(
    structures: Sequence[Mapping[str, Any]], meshes: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """One row a structure for the page's table; what was not measured is a dash."""
    return [_row(row, meshes[row["name"]]) for row in structures]


def _row(row: Mapping[str, Any], quality: Mapping[str, Any]) -> dict[str, Any]:
    budget = quality.get("error_budget_mm", {})
    there, back = budget.get("mesh_to_field"), budget.get("field_to_mesh")
    hu = row.get("mean_hu")
    return {
        "name": in_words(str(row["name"])),
        "color": row["color"],
        "volume": f"{_figure(row['volume_ml'])} mL",
        "kind": "filled" if row.get("filled", True) else "a hollow shell",
        "area": f"{_figure(row['area_mm2'] / 100, places=0)} cm²",
        "mean_hu": "–" if hu is None else f"{hu:.0f}",
        "triangles": f"{row['triangles']:,}",
        "truncated": bool(row["truncated"]),
        "largest": _both(there, back, "max_mm"),
        "usual": _both(there, back, "p95_mm"),
        "passed": bool(quality["passed"]),
        "reasons": reasons(quality),
    }


def _both(there: Mapping[str, Any] | None, back: Mapping[str, Any] | None, figure: str) -> str:
    values = [
        f"{rounded_up(side[figure]):.2f}"
        for side in (there, back)
        if side and side.get(figure) is not None
    ]
    return " / ".join(values) if values else "–"


def rounded_up(error_mm: float) -> float:
    """An error in hundredths of a millimetre, never a smaller one than was measured."""
    return math.ceil(error_mm * 100 - 1e-9) / 100


def _figure(size: float, *, places: int = 1) -> str:
    """A size with so many decimals; a small one with three digits that say something."""
    return f"{size:,.{places}f}" if size == 0 or abs(size) >= 10 else f"{size:.3g}"


def facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How it was made: image, values, models and their licences, steps, software."""
    rows = _image_facts(run["volume"]) if "volume" in run else []
    if "identifiable" in run:
        shown = run["identifiable"]
        rows.append(("Recognisable by the face", f"{shown['state']}: {shown['reason']}"))
    rows += [("Segmented by", str(source)) for source in run.get("segmenters", ())]
    models = [step["figures"] for step in run.get("steps", ()) if "model" in step["figures"]]
    rows += [("Model and its licence", _model(figures)) for figures in models]
    for step in run.get("steps", ()):
        figures = "; ".join(f"{in_words(k)} {value(v)}" for k, v in step["figures"].items())
        rows.append(
            (f"Step: {step['name']}", f"{step['seconds']:.1f} s{'; ' if figures else ''}{figures}")
        )
    if run.get("peak_memory_mb"):
        rows.append(("Peak memory", f"{run['peak_memory_mb']:,.0f} MB"))
    software = ", ".join(f"{name} {version}" for name, version in run["software"].items())
    rows.append(("Software", software))
    return rows


def _model(figures: Mapping[str, Any]) -> str:
    licence = figures.get("licence", "not stated")
    return f"{figures['model']}; licence {licence}; for {figures.get('use', 'a use not stated')}"


def recognisable(run: Mapping[str, Any]) -> bool:
    """Whether the image, hence the page, shows a face."""
    return bool(run.get("identifiable", {}).get("state") == "yes")


def _image_facts(image: Mapping[str, Any]) -> list[tuple[str, str]]:
    shape = " × ".join(str(n) for n in image["shape"])
    spacing = " × ".join(f"{s:g}" for s in image["spacing_mm"])
    rows = [("Image", f"{image['modality']}, {shape} voxels of {spacing} mm")]
    if image.get("slice_thickness_mm"):
        rows.append(("Slice thickness", f"{image['slice_thickness_mm']:g} mm"))
    if image.get("phantom"):
        rows.append(("Phantom", "yes: not a patient"))
    why = f": {image['hu_reason']}" if image.get("hu_reason") else ""
    return [*rows, ("Hounsfield units", f"{image['hu']}{why}")]


def parameters(options: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Every option of the run, nested ones with the name of their group before them."""
    rows = []
    for key, item in options.items():
        name = f"{above} · {in_words(key)}" if above else in_words(key)
        if isinstance(item, Mapping):
            rows += parameters(item, name)
        else:
            rows.append((name, value(item)))
    return rows


def value(item: Any) -> str:
    """A value of a record in words."""
    if item is None:
        return "not given"
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, Mapping):
        return ", ".join(f"{in_words(str(k))} {value(v)}" for k, v in item.items())
    if isinstance(item, (list, tuple)):
        return ", ".join(value(v) for v in item)
    if isinstance(item, int):
        return f"{item:,}"
    return f"{item:g}" if isinstance(item, float) else str(item)
