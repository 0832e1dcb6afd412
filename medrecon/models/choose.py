"""Which installed model fits an image, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medrecon.core import Acquisition
from medrecon.models.manifest import Manifest
from medrecon.models.store import InstalledModel, installed


@dataclass(frozen=True, slots=True)
class Choice:
    """A model, or none, and the reason in words for the run's record."""

    model: InstalledModel | None
    reason: str


def choose_model(
    acquisition: Acquisition, models: Sequence[InstalledModel] | None = None
) -> Choice:
    """The model that `--model auto` runs on an image.

    A phantom (Quality Control Image (0028,0300) = YES) gets a model made for phantoms
    and never one made for patients, and the other way round. Among those that fit the
    modality and name the image's body part or none, one that names it comes first,
    then the one with more labels, then the first by name.
    """
    kind = "phantom" if acquisition.is_phantom else "patient"
    available = installed() if models is None else models
    fitting = [m for m in available if _fits(m.manifest, acquisition)]
    if not fitting:
        image = f"a {kind}'s {acquisition.modality.value} image"
        return Choice(None, f"none of {len(available)} installed models is meant for {image}")
    best = min(fitting, key=lambda m: _rank(m.manifest, acquisition))
    use = best.manifest.intended_use.value
    reason = f"{best.manifest.identity} ({use}): made for {acquisition.modality.value} of a {kind}"
    return Choice(best, reason)


def _fits(manifest: Manifest, acquisition: Acquisition) -> bool:
    part = not manifest.body_parts or acquisition.body_part in ("", *manifest.body_parts)
    return (
        manifest.phantom_only == acquisition.is_phantom
        and acquisition.modality in manifest.modalities
        and len(manifest.channels) == 1
        and part
    )


def _rank(manifest: Manifest, acquisition: Acquisition) -> tuple[bool, int, str]:
    named = bool(acquisition.body_part) and acquisition.body_part in manifest.body_parts
    return not named, -len(manifest.labels), manifest.name
