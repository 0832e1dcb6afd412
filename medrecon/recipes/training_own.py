"""Train a model of one's own, on pairs of images and label maps or on label maps alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medrecon.core import Label, LabelMap, Modality, Volume
from medrecon.errors import UsageError
from medrecon.recipes.training import digest_of, with_fresh_images, write_split
from medrecon.recorder import Progress, silent

if TYPE_CHECKING:
    from medrecon.core import Geometry
    from medrecon.models.manifest import Intensity
    from medrecon.models.store import InstalledModel
    from medrecon.train import Augmentation, Case, Machine, SampleMaker, Split, TrainOptions

DEFAULT_STEPS = 4000
DEFAULT_LEARNING_RATE = 3e-3
# Seeds of made-up images that train; those of the validation maps follow.
MADE_UP = 1_000_000

# Distinct without being loud; repeated after ten labels.
COLOURS = (
    (221, 130, 101),
    (111, 184, 210),
    (144, 238, 144),
    (241, 214, 145),
    (177, 122, 101),
    (133, 160, 202),
    (206, 110, 160),
    (230, 220, 70),
    (150, 98, 83),
    (128, 174, 128),
)


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to train on a folder of pairs, and for how long.

    Parameters
    ----------
    name : str
        Of the model.
    labels : mapping of str to tuple of int
        Names, and the values of the label maps that belong to each. Empty: what
        ``dataset.json`` says, or one label for each value that occurs.
    modality : Modality
        Of the images; of no meaning where they are made up.
    network : str
        UNet or DynUNet.
    features : tuple of int
        Of each level of the network.
    spacing_mm : float or None
        Of the network's cubic voxels; None: the images' median spacing.
    patch : tuple of int or None
    steps : int
    minutes : float or None
    batch : int
    learning_rate : float
    held_out : str or None
        As `train.split_cases` takes it.
    validation : int or None
    mirror : bool
        Whether the left-right axis may be mirrored (no label has a side).
    seed : int
    half_weights : bool
    licence : str
        SPDX expression of the weights.
    data : str
        Where the pairs come from, with licence and attribution, for the card.
    command : str
        The command that was given, for the card.
    start : str or None
        Model, by name or folder, whose weights it begins with.
    """

    name: str
    labels: Mapping[str, tuple[int, ...]]
    modality: Modality = Modality.MR
    network: str = "UNet"
    features: tuple[int, ...] = (16, 32, 64, 128)
    spacing_mm: float | None = None
    patch: tuple[int, int, int] | None = None
    steps: int = DEFAULT_STEPS
    minutes: float | None = None
    batch: int = 2
    learning_rate: float = DEFAULT_LEARNING_RATE
    held_out: str | None = None
    validation: int | None = None
    mirror: bool = False
    seed: int = 0
    half_weights: bool = False
    licence: str = "NOASSERTION"
    data: str = "pairs of your own"
    command: str = ""
    start: str | None = None


def train_on_pairs(
    folder: Path,
    request: TrainRequest,
    output: Path,
    *,
    machine: Machine | None = None,
    progress: Progress = silent,
) -> str:
    """Train a model on a folder of images and label maps; its identity.

    Beside the model's own files the folder gets ``split.json``: which cases trained,
    which told how well it goes, and which were never looked at.

    Raises
    ------
    UsageError
        If no map that trains holds a structure that was named.
    """
    from medrecon.train import find_cases, on_network_grid, plan, read_pair, split_cases

    split = split_cases(find_cases(folder), request.held_out, request.validation)
    values = request.labels or _found_labels(folder, split)
    _require_learnable(values, split, mirror=request.mirror)
    labels = numbered_labels(values)
    order = (*split.train, *split.validation)

    def pair(seed: int) -> tuple[Volume, LabelMap]:
        return read_pair(order[seed], labels, values, request.modality)

    images = [pair(n)[0] for n in range(len(split.train))]
    intensity = plan.intensity_for(request.modality, images)
    recipe = recipe_for(
        request,
        labels,
        [v.geometry for v in images],
        intensity,
        (range(len(images)), range(len(images), len(order))),
    )
    recipe = replace(recipe, cases=digest_of(split, values))
    samples = on_network_grid(pair, recipe.sampling, recipe.labels, recipe.intensity)
    return _run(samples, recipe, split, output, (machine, begun_with(request), progress))


def train_on_labels(
    folder: Path,
    request: TrainRequest,
    output: Path,
    *,
    machine: Machine | None = None,
    progress: Progress = silent,
) -> str:
    """Train a model on images made up from label maps; its identity.

    Every value of the maps gets a brightness of its own in each image, also those that
    belong to no structure that is learnt. The model is for MR of any contrast and CT,
    as far as shapes alone decide.
    """
    from medrecon.train import find_label_maps, split_cases
    from medrecon.train.synthetic import MADE_UP_INTENSITY, made_up_samples
    from medrecon.train.templates import plain_templates, read_maps, values_in

    split = split_cases(find_label_maps(folder), request.held_out, request.validation)
    values = request.labels or _found_labels(folder, split)
    _require_learnable(values, split, mirror=request.mirror)
    labels = numbered_labels(values)
    maps = read_maps((*split.train, *split.validation))
    tissues = values_in(maps)
    templates = plain_templates(maps, tissues, values)
    count = len(split.train)
    spacing = request.spacing_mm or min(min(m.geometry.spacing_mm) for m in maps)
    recipe = recipe_for(
        # Made-up values lie between 0 and 1, whatever they stand for.
        replace(request, spacing_mm=spacing, modality=Modality.MR),
        labels,
        [m.geometry for m in maps],
        MADE_UP_INTENSITY,
        (range(MADE_UP), range(MADE_UP, MADE_UP + 2 * len(split.validation))),
    )
    samples = made_up_samples(
        templates[:count], templates[count:], (spacing, len(tissues)), MADE_UP, request.seed
    )
    both = (Modality.MR, Modality.CT)
    recipe = replace(recipe, modalities=both, pool=24, renew_every=4)
    recipe = replace(recipe, cases=digest_of(split, values))
    start = begun_with(request)
    if start is not None:
        recipe = with_fresh_images(recipe, start)
    return _run(samples, recipe, split, output, (machine, start, progress))


def begun_with(request: TrainRequest) -> InstalledModel | None:
    """The model whose weights a run begins with, if it names one."""
    from medrecon.models.store import find

    return None if request.start is None else find(request.start)


def recipe_for(
    request: TrainRequest,
    labels: tuple[Label, ...],
    grids: list[Geometry],
    intensity: Intensity,
    seeds: tuple[range, range],
) -> TrainOptions:
    """Everything that the request does not say, filled in from the data."""
    from medrecon.models.manifest import Licences, Sampling, Training
    from medrecon.train import Schedule, TrainOptions, plan

    found = plan.survey(grids, request.spacing_mm)
    patch = request.patch or plan.patch_for(found.shape, len(request.features) - 1)
    return TrainOptions(
        name=request.name,
        title=request.name.replace("_", " ").capitalize(),
        labels=labels,
        sampling=Sampling(found.spacing_mm, plan.ORIENTATION, patch),
        intensity=intensity,
        network=plan.network_for(request.network, request.features, len(labels) + 1),
        train_seeds=seeds[0],
        validation_seeds=seeds[1],
        schedule=Schedule(
            request.steps,
            request.minutes,
            batch=request.batch,
            learning_rate=request.learning_rate,
            averaging=0.995,
        ),
        licences=Licences("Apache-2.0", request.licence),
        training=Training(request.data, request.command, "trained with medrecon"),
        augmentation=augmentation_for(request, min(found.spacing_mm)),
        seed=request.seed,
        pool=2 * (len(seeds[0]) + len(seeds[1])),
        half_weights=request.half_weights,
        modalities=(request.modality,),
    )


def augmentation_for(request: TrainRequest, spacing_mm: float) -> Augmentation:
    """Changes as different as patients and scanners are.

    A CT's values mean something and are changed little; an MR's are relative.
    """
    from medrecon.train import Augmentation

    is_ct = request.modality is Modality.CT
    # In HU, or in standard deviations of the image.
    unit = 20.0 if is_ct else 0.15
    return Augmentation(
        shift=unit,
        scale=0.03 if is_ct else 0.1,
        noise=unit,
        blur_voxels=0.8,
        cut=0.0,
        gamma=0.0 if is_ct else 0.3,
        bias=0.0 if is_ct else 0.3,
        rotate_deg=15.0,
        zoom=0.15,
        bend_mm=2.0 * spacing_mm,
        mirror=(0,) if request.mirror else (),
    )


def numbered_labels(values: Mapping[str, tuple[int, ...]]) -> tuple[Label, ...]:
    """Labels of these names, numbered from 1 in their order."""
    return tuple(
        Label(index, name, COLOURS[(index - 1) % len(COLOURS)])
        for index, name in enumerate(values, start=1)
    )


def _run(
    samples: SampleMaker,
    recipe: TrainOptions,
    split: Split,
    output: Path,
    how: tuple[Machine | None, InstalledModel | None, Progress],
) -> str:
    from medrecon.train import train, write_bundle

    machine, start, progress = how
    model = train(
        samples,
        recipe,
        output=output,
        machine=machine,
        start=start,
        progress=lambda share: progress("train", share),
        begun=lambda: write_split(split, output),
    )
    write_bundle(model, output / "bundle")
    return model.manifest.identity


def _found_labels(folder: Path, split: Split) -> dict[str, tuple[int, ...]]:
    """The labels that ``dataset.json`` names, or one for each value that occurs."""
    from medrecon.train import dataset_labels

    named = dataset_labels(folder)
    if named:
        return named
    found = sorted({v for case in split.train for v in _values(case)} - {0})
    if not found:
        raise UsageError("the label maps hold nothing but background")
    return {f"label_{v}": (v,) for v in found}


def _require_learnable(
    values: Mapping[str, tuple[int, ...]], split: Split, *, mirror: bool
) -> None:
    """Refuse a structure that no map that trains holds, and mirror images of one with a side."""
    from medrecon.segmentation.sides import twin_of

    there = {v for case in split.train for v in _values(case)}
    for name, own in values.items():
        if not there & set(own):
            spoken = " or ".join(map(str, own))
            raise UsageError(f"{name}: none of the maps that train holds a value {spoken}")
    if mirror and (paired := sorted(n for n in values if twin_of(n) in values)):
        raise UsageError(
            f"--mirror: {' and '.join(paired[:2])} are told apart by their side, which a mirror "
            "image turns round; leave it out"
        )


def _values(case: Case) -> list[int]:
    import numpy as np

    from medrecon.files.nifti import read_labels

    return [int(v) for v in np.unique(read_labels(case.labels)[0])]
