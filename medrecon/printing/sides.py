"""Left or right, said only when everything that could know agrees."""

from __future__ import annotations

from medrecon.core import Label, Mesh, Space
from medrecon.errors import GeometryError, UsageError

_MIDLINE_MM = 5.0
"""Closer to the body's middle than this, a side cannot be told from the place."""


def side_letter(mesh: Mesh, *, middle_x_mm: float | None, laterality: str = "") -> str:
    """L or R for a part, after three witnesses were heard.

    The label (name and concept), the place in the patient (LPS: x grows to the left,
    PS3.3 C.7.6.2.1.1) and, if present, DICOM's Laterality.

    Parameters
    ----------
    mesh : Mesh
        In LPS, not yet moved.
    middle_x_mm : float or None
        LPS x of the body's middle; None if it is not known.
    laterality : str
        "L", "R" or "" (0020,0060).

    Raises
    ------
    UsageError
        If the label names no side, or the body's middle is not known.
    GeometryError
        If the witnesses disagree: nothing is engraved then.
    """
    letter = _named(mesh.label)
    if mesh.space is not Space.LPS or middle_x_mm is None:
        raise UsageError(
            f"the side of {mesh.label.name} is not engraved: its place in the patient is not "
            "known; give a run's folder"
        )
    beyond = float(mesh.centroid_mm[0]) - middle_x_mm
    if abs(beyond) < _MIDLINE_MM:
        raise UsageError(f"{mesh.label.name} lies in the body's middle; no side is engraved")
    place = "L" if beyond > 0 else "R"
    heard = {"label": letter, "place": place} | ({"Laterality": laterality} if laterality else {})
    if set(heard.values()) != {letter}:
        words = ", ".join(f"{who} says {what}" for who, what in heard.items())
        raise GeometryError(f"the side of {mesh.label.name} is not certain: {words}")
    return letter


def _named(label: Label) -> str:
    """The side that a label's name and its concept both name."""
    words = set(label.name.lower().replace("-", "_").split("_"))
    sides = {"L": "left" in words, "R": "right" in words}
    found = [letter for letter, is_named in sides.items() if is_named]
    if len(found) != 1:
        raise UsageError(f"{label.name} names no side; none is engraved")
    if label.code is not None:
        meaning = label.code.meaning.lower().split()
        other = "right" if found[0] == "L" else "left"
        if other in meaning:
            raise GeometryError(
                f"the side of {label.name} is not certain: its concept is {label.code.meaning}"
            )
    return found[0]
