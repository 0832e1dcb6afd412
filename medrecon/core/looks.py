"""How structures are shown unless somebody says otherwise."""

from __future__ import annotations

SEE_THROUGH = {
    "skin": 0.12,
    "body": 0.12,
    "fat": 0.15,
    "muscle": 0.25,
    "lung_left": 0.35,
    "lung_right": 0.35,
}
"""Structures that would hide all others, and the opacity they are shown with."""


def opacity_of(name: str, *, alone: bool = False) -> float:
    """Opacity of a structure, 0 to 1; one that is shown alone hides nothing."""
    return 1.0 if alone else SEE_THROUGH.get(name, 1.0)


def in_words(name: str) -> str:
    """A structure's name for people: `kidney_left` is "kidney left"."""
    return name.replace("_", " ")
