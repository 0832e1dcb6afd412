"""What a structure must not be used for, whatever its mesh looks like."""

from __future__ import annotations

INTACT_SKULL = "model head has seen intact skulls only: where bone is missing it may invent it"


def print_concerns(source: str, label: str) -> tuple[str, ...]:
    """Reasons never to approve a structure for print; empty if there are none.

    Parameters
    ----------
    source : str
        Who made it, as a segmentation states it: a model's name and version, "tissue".
    label : str
        The structure's name.
    """
    return (INTACT_SKULL,) if source.split(" ")[0] == "head" and label == "skull" else ()
