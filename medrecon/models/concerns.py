"""Why a structure that a model finds may never pass for print, whatever its mesh looks like."""

from __future__ import annotations

from collections.abc import Mapping

from medrecon.models.manifest import Manifest

LEAST_DICE = 0.8
"""Of a held-out figure: below it a structure is found, but its surface lies elsewhere."""


def print_concerns(manifest: Manifest) -> Mapping[str, tuple[str, ...]]:
    """Reasons against each label of a model, by its name; labels without any are left out.

    What the manifest says must never be printed, and whatever has a held-out Dice
    (``dice_NAME`` in its figures) under 0.8.
    """
    found: dict[str, tuple[str, ...]] = {}
    for item in manifest.labels:
        name = item.label.name
        reasons = [item.never_print] if item.never_print else []
        dice = manifest.figures.get(f"dice_{name}")
        if dice is not None and dice < LEAST_DICE:
            reasons.append(
                f"model {manifest.name} finds it badly: a Dice of {dice:.2f} where the truth was "
                f"known, at least {LEAST_DICE:g} expected"
            )
        if reasons:
            found[name] = tuple(reasons)
    return found
