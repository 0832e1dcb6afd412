"""Left is left: labels that come in pairs are checked against the patient's own frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medrecon.core import SoftField
from medrecon.errors import ModelError


def require_sides(fields: Sequence[SoftField]) -> None:
    """Refuse a result in which a left structure lies to the right of its right twin.

    In LPS, x grows to the patient's left (PS3.3 C.7.6.2.1.1). A pair is two labels whose
    names differ by the words left and right only.

    Raises
    ------
    ModelError
        Names the pair and how far it is the wrong way round: the image is mirrored, or
        the model fails on it; either way nothing of it may be printed.
    """
    by_name = {field.label.name: field for field in fields}
    for name, field in by_name.items():
        twin = by_name.get(twin_of(name) or "")
        if "left" not in name.split("_") or twin is None:
            continue
        beyond_mm = _middle_x_mm(twin) - _middle_x_mm(field)
        if beyond_mm > 0:
            raise ModelError(
                f"{name} was found {beyond_mm:.0f} mm to the right of {twin.label.name}: the image "
                "is mirrored or the model fails on it; check the orientation, try another model"
            )


def twin_of(name: str) -> str | None:
    """The name with left and right exchanged; None if it has no side."""
    other = {"left": "right", "right": "left"}
    words = name.split("_")
    if not set(words) & set(other):
        return None
    return "_".join(other.get(word, word) for word in words)


def _middle_x_mm(field: SoftField) -> float:
    """LPS x of the middle of the voxels inside."""
    counts = [np.flatnonzero((field.values > 0).any(axis=others)) for others in _OTHERS]
    middle = [float(c.mean()) if c.size else 0.0 for c in counts]
    return float(field.geometry.mm_from_index([middle])[0, 0])


_OTHERS = ((1, 2), (0, 2), (0, 1))
