"""Which networks run on an image: the named ones, or the one that fits, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from medrecon.core import Modality, Segmentation, Volume
from medrecon.errors import ModelError, ModelMissingError, ModelUntrustedError, UsageError
from medrecon.models import choose
from medrecon.models.choose import Choice
from medrecon.models.store import find, fingerprint
from medrecon.options import AUTO, SegmentOptions
from medrecon.recorder import Recorder, Stage

if TYPE_CHECKING:
    from medrecon.models import InstalledModel


def run_networks(
    volume: Volume,
    options: SegmentOptions,
    log: Recorder,
    channels: Mapping[str, Volume] | None = None,
) -> list[Segmentation]:
    """What the models find that were named, or the one that fits.

    Which model it was, why that one, what it may be used for, its licence, the plan and
    every change of it stand in the record.

    Parameters
    ----------
    volume : Volume
    options : SegmentOptions
    log : Recorder
    channels : mapping of str to Volume, optional
        Further images by channel's name, for models that take several.

    Raises
    ------
    ModelMissingError
        If nothing that is installed fits the image, and it is no CT.
    UsageError
        If further images were given and no model takes them.
    ModelError
        As `UnetSegmenter.segment`.
    """
    further = dict(channels or {})
    found: list[Segmentation] = []
    taken = not further
    for name in _names(options):
        choice = _chosen(name, volume, further, log)
        if choice.model is not None:
            several = len(choice.model.manifest.channels) > 1
            taken = taken or several
            try:
                found += _run(choice, volume, options, log, further if several else {})
            except ModelUntrustedError as error:
                # A CT that nobody chose the model for has its tissues without one.
                if not choice.is_auto or volume.acquisition.modality is not Modality.CT:
                    raise
                log.warn(f"nothing of the network is kept: {error}")
    if not taken:
        raise UsageError(
            f"--channel {next(iter(further))}: no model that was run takes several images"
        )
    return found


def model_hashes(
    volume: Volume, options: SegmentOptions, channels: Iterable[str] = ()
) -> tuple[str, ...]:
    """Fingerprints of the models that run on an image: another under an old name has another.

    `channels` are the names of further images, by which "auto" chooses. Models that are
    missing or broken are left out: running them says so.
    """
    found = []
    for name in _names(options):
        try:
            model = _auto(volume, channels).model if name == AUTO else find(name)
        except ModelError:
            continue
        if model is not None:
            found.append(fingerprint(model))
    return tuple(found)


def _auto(volume: Volume, channels: Iterable[str]) -> Choice:
    """What "auto" runs on an image and the further ones of these channels."""
    return choose.choose_model(volume.acquisition, channels=tuple(channels))


def _names(options: SegmentOptions) -> tuple[str, ...]:
    """The models that were named; "auto" where neither models nor tissues were."""
    if options.models is None:
        return (AUTO,) if options.tissues is None else ()
    return options.models


def _run(
    choice: Choice,
    volume: Volume,
    options: SegmentOptions,
    log: Recorder,
    channels: Mapping[str, Volume],
) -> list[Segmentation]:
    """Every part of one model."""
    from medrecon.segmentation.sides import require_sides
    from medrecon.segmentation.unet import UnetSegmenter

    model = choice.model
    assert model is not None
    results = []
    for number, part in enumerate(model.every_part):
        place = f" part {number + 1}" if model.manifest.parts else ""
        with log.stage(f"network {model.manifest.name}{place}") as stage:
            _note(stage, choice, model)
            segmenter = UnetSegmenter(
                part,
                device=options.device,
                force=options.force_model,
                tta=options.tta,
                channels=channels,
                registered=options.registered,
                image_channel=options.image_channel if channels else "",
                tell=_Told(stage),
            )
            result = segmenter.segment(volume, progress=stage)
            results.append(_left_out(result, choice, volume))
    # Left and right may be in different parts.
    require_sides([field for result in results for field in result.fields])
    return results


def _note(stage: Stage, choice: Choice, model: InstalledModel) -> None:
    licences = model.manifest.licences
    stage.note(
        model=model.manifest.identity,
        why=choice.reason,
        use=model.manifest.intended_use.value,
        licence=licences.weights,
    )
    if licences.accepted:
        stage.note(licence_accepted=licences.accepted)
    if choice.more:
        stage.note(could_be_pulled=list(choice.more))


class _Told:
    """Keeps what a network's run announces: the plan first, then every change of it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._words: list[str] = []

    def __call__(self, words: str) -> None:
        self._words.append(words)
        self._stage.note(plan=list(self._words))
        self._stage.say(words)


def _left_out(result: Segmentation, choice: Choice, volume: Volume) -> Segmentation:
    """Without the labels that `auto` leaves to the HU engine in a CT."""
    if not choice.is_auto or choice.model is None:
        return result
    left = choose.left_to_hu(choice.model.manifest, volume.acquisition)
    if not left:
        return result
    kept = tuple(f for f in result.fields if f.label.name not in left)
    findings = dict(result.findings)
    for name in sorted(left & {x.name for x in result.labels}):
        findings[name] = (
            "left out: in a CT it is taken from the HU (--tissue), not from a network",
        )
    return replace(result, fields=kept, findings=findings)


def _chosen(name: str, volume: Volume, channels: Mapping[str, Volume], log: Recorder) -> Choice:
    """The model of that name; for "auto" the one that fits the image, or none."""
    if name != AUTO:
        return Choice(find(name), "named by the person")
    choice = _auto(volume, channels)
    if choice.model is not None:
        return choice
    if volume.acquisition.modality is not Modality.CT:
        more = f" ({', '.join(choice.more)} could be pulled)" if choice.more else ""
        raise ModelMissingError(
            f"{choice.reason}{more}; name one with --model, or pass --tissue for a CT"
        )
    with log.stage("choose a model") as stage:
        stage.note(model=None, why=choice.reason, could_be_pulled=list(choice.more))
    return choice
