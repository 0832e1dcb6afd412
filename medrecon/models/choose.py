"""Which installed model fits an image, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from medrecon.core import Acquisition, Modality
from medrecon.models.known import known_models
from medrecon.models.manifest import Manifest
from medrecon.models.store import InstalledModel, installed

# A skull in CT is the Hounsfield engine's, whatever a model's author says: bone is there to be
# measured, and a network may invent what is missing.
SKULL = "skull"


@dataclass(frozen=True, slots=True)
class Choice:
    """A model, or none, and the reason in words for the run's record.

    Parameters
    ----------
    model : InstalledModel or None
    reason : str
        Why this one, or why none.
    more : tuple of str
        Known models for such an image that are not installed and could be pulled.
    is_auto : bool
        Whether nobody named it.
    """

    model: InstalledModel | None
    reason: str
    more: tuple[str, ...] = ()
    is_auto: bool = False


def choose_model(
    acquisition: Acquisition,
    models: Sequence[InstalledModel] | None = None,
    *,
    channels: Sequence[str] = (),
) -> Choice:
    """The model that `--model auto` runs on an image.

    A phantom (Quality Control Image (0028,0300) = YES) gets a model made for phantoms
    and never one made for patients, and the other way round. Among those that fit the
    modality and name the image's body part or are for any, one that names it comes first,
    then the one with more labels, then the first by name. Where further images were
    given as `channels`, only a model that takes just these beside the image fits.

    In a CT, a model with a skull or another label that the Hounsfield engine finds better is
    taken for its other labels, and the reason says which are left out (`left_to_hu`); one
    that would have none left does not fit.
    """
    kind = "phantom" if acquisition.is_phantom else "patient"
    available = installed() if models is None else models
    fitting = [m for m in available if _fits(m.manifest, acquisition, channels)]
    more = () if acquisition.is_phantom else _could_be_pulled(acquisition, available)
    if not fitting:
        image = f"a {kind}'s {acquisition.modality.value} image"
        reason = f"none of {len(available)} installed models is meant for {image}"
        reason += _if_it_showed(available, acquisition, channels)
        return Choice(None, reason, more, is_auto=True)
    best = min(fitting, key=lambda m: _rank(m.manifest, acquisition))
    return Choice(best, _why(best.manifest, acquisition, len(fitting)), more, is_auto=True)


def left_to_hu(manifest: Manifest, acquisition: Acquisition) -> frozenset[str]:
    """Labels of a model that `auto` leaves to the Hounsfield engine: none but in a CT."""
    if acquisition.modality is not Modality.CT:
        return frozenset()
    return frozenset(
        x.label.name
        for part in manifest.every_part
        for x in part.labels
        if x.from_hu_in_ct or x.label.name == SKULL
    )


def _why(manifest: Manifest, acquisition: Acquisition, fitting: int) -> str:
    kind = "phantom" if acquisition.is_phantom else "patient"
    use = manifest.intended_use.value
    words = f"{manifest.identity} ({use}): made for {acquisition.modality.value} of a {kind}"
    if acquisition.body_part and acquisition.body_part in manifest.body_parts:
        words += f", names {acquisition.body_part}"
    left = left_to_hu(manifest, acquisition)
    count = sum(len(part.labels) for part in manifest.every_part) - len(left)
    words += f", finds {count} structures"
    if left:
        words += f" and leaves {', '.join(sorted(left))} to the Hounsfield engine"
    return f"{words}; {fitting} installed models fit"


def _if_it_showed(
    available: Sequence[InstalledModel], acquisition: Acquisition, channels: Sequence[str]
) -> str:
    """Models for the image if it shows what it does not say: one may name them."""
    if acquisition.body_part:
        return ""
    for model in available:
        parts = model.manifest.body_parts
        if parts and _fits(model.manifest, replace(acquisition, body_part=parts[0]), channels):
            return f", which names no body part; if it is {parts[0]}: --model {model.manifest.name}"
    return ""


def _could_be_pulled(
    acquisition: Acquisition, available: Sequence[InstalledModel]
) -> tuple[str, ...]:
    there = {model.manifest.name for model in available}
    return tuple(
        sorted(
            known.name
            for known in known_models().values()
            if known.modality == acquisition.modality.value and known.name not in there
        )
    )


def _fits(manifest: Manifest, acquisition: Acquisition, channels: Sequence[str]) -> bool:
    # An image that names no body part is not offered to a model that is for one alone.
    part = not manifest.body_parts or acquisition.body_part in manifest.body_parts
    useful = {x.label.name for one in manifest.every_part for x in one.labels}
    return (
        manifest.phantom_only == acquisition.is_phantom
        and acquisition.modality in manifest.modalities
        and len(manifest.channels) == len(channels) + 1
        and {c.lower() for c in channels} <= {c.lower() for c in manifest.channels}
        and part
        and bool(useful - left_to_hu(manifest, acquisition))
    )


def _rank(manifest: Manifest, acquisition: Acquisition) -> tuple[bool, int, str]:
    named = bool(acquisition.body_part) and acquisition.body_part in manifest.body_parts
    count = sum(len(part.labels) for part in manifest.every_part)
    return not named, len(left_to_hu(manifest, acquisition)) - count, manifest.name
