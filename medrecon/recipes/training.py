"""Train the models that medrecon ships; what all training shares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medrecon.core import LabelMap, Modality, Volume
from medrecon.errors import UsageError
from medrecon.files.atomic import write_json
from medrecon.outputs.run import sha256_of_file
from medrecon.recorder import Progress, silent

if TYPE_CHECKING:
    from medrecon.models.store import InstalledModel
    from medrecon.train import Case, Machine, Split, TrainOptions
    from medrecon.train.synthetic import Template

# Of the maps that train `head`, those that give weights and those that give the curve.
HEAD_TRAINING, HEAD_MAPS = 16, 18


def train_phantom_torso(
    output: Path, *, steps: int | None = None, device: str = "cpu", progress: Progress = silent
) -> str:
    """Train the shipped phantom model from synthetic torsos; its identity.

    One thread, so that the same command gives the same bytes on the same processor.
    """
    from medrecon.phantom import training_pair
    from medrecon.train import (
        PHANTOM_SHAPE,
        PHANTOM_SPACING_MM,
        PHANTOM_STEPS,
        Machine,
        on_network_grid,
        phantom_recipe,
        train,
    )

    def pair(seed: int) -> tuple[Volume, LabelMap]:
        return training_pair(seed, PHANTOM_SPACING_MM, PHANTOM_SHAPE)

    recipe = phantom_recipe(PHANTOM_STEPS if steps is None else steps)
    samples = on_network_grid(pair, recipe.sampling, recipe.labels, recipe.intensity)
    model = train(
        samples,
        recipe,
        output=output,
        machine=Machine(device, threads=1, channels_last=False),
        progress=lambda share: progress("train", share),
    )
    return model.manifest.identity


def train_head(
    folder: Path,
    output: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    learning_rate: float | None = None,
    machine: Machine | None = None,
    start: str | None = None,
    command: str = "",
    progress: Progress = silent,
) -> str:
    """Train the shipped model `head` on images made from head label maps; its identity.

    Of the maps in the folder, by name, the first sixteen train, the next two tell how
    well it goes, and what comes after them is never looked at. `start` names a model
    whose weights it begins with; also the third weights, which saw nothing at 2.5 mm
    (`medrecon.train.carry`). `learning_rate` is its peak, the recipe's unless given;
    `command` is what the card says of how it was made.
    """
    from medrecon.models.store import find
    from medrecon.train import (
        HEAD_SPACING_MM,
        HEAD_STEPS,
        Split,
        find_label_maps,
        head_recipe,
        head_samples,
        train,
    )

    cases = find_label_maps(folder)
    split = Split(cases[:HEAD_TRAINING], cases[HEAD_TRAINING:HEAD_MAPS], cases[HEAD_MAPS:])
    if not split.validation:
        raise UsageError(f"{len(cases)} head label maps; at least {HEAD_TRAINING + 1} expected")
    recipe = head_recipe(HEAD_STEPS if steps is None else steps, minutes)
    if learning_rate is not None:
        schedule = replace(recipe.schedule, learning_rate=learning_rate)
        recipe = replace(recipe, schedule=schedule)
    if command:
        recipe = replace(recipe, training=replace(recipe.training, command=command))
    recipe = replace(recipe, cases=digest_of(split))
    begun_with = None if start is None else find(start)
    if begun_with is not None:
        recipe = with_fresh_images(recipe, begun_with)
    total = len(split.train) + len(split.validation)
    templates: list[Template] = []
    for case in (*split.train, *split.validation):
        progress("read maps", len(templates) / total)
        templates.append(read_head_template(case))
    samples = head_samples(templates[:HEAD_TRAINING], templates[HEAD_TRAINING:], HEAD_SPACING_MM)
    model = train(
        samples,
        recipe,
        output=output,
        machine=machine,
        start=begun_with,
        progress=lambda share: progress("train", share),
        begun=lambda: write_split(split, output),
    )
    return model.manifest.identity


def with_fresh_images(recipe: TrainOptions, start: InstalledModel) -> TrainOptions:
    """The recipe on made-up images that the weights it goes on from were not shown."""
    from medrecon.train.synthetic import fresh_seeds

    seeds = fresh_seeds(recipe.train_seeds, start.manifest.weights.sha256)
    return replace(recipe, train_seeds=seeds)


def read_head_template(case: Case) -> Template:
    """A head label map as what images are made from."""
    from medrecon.train import head_template
    from medrecon.train.templates import read_maps

    return head_template(read_maps([case])[0])


def machine(device: str, *, threads: int | None, precision: str) -> Machine:
    """Where to train, from words.

    Raises
    ------
    UsageError
        If the precision is unknown or this machine has no such device.
    """
    from medrecon.segmentation.device import choose_device
    from medrecon.train import Machine, Precision

    known = {p.value: p for p in Precision}
    if precision not in known:
        raise UsageError(f"--precision {precision}: one of {', '.join(known)} expected")
    return Machine(str(choose_device(device)), threads, known[precision])


def modality(spoken: str) -> Modality:
    """CT or MR, from words.

    Raises
    ------
    UsageError
        If it is neither.
    """
    try:
        return Modality(spoken.upper())
    except ValueError:
        raise UsageError(f"--modality {spoken}: CT or MR expected") from None


def digest_of(split: Split, values: Mapping[str, Sequence[int]] | None = None) -> str:
    """SHA-256 of which cases are for what, of their label maps and of their labels' values."""
    parts = (split.train, split.validation, split.held_out)
    names = [[case.name for case in part] for part in parts]
    told = {name: list(own) for name, own in (values or {}).items()}
    found = hashlib.sha256(json.dumps([names, told]).encode())
    for case in (*split.train, *split.validation):
        found.update(sha256_of_file(case.labels).encode())
    return found.hexdigest()


def write_split(split: Split, output: Path) -> None:
    """Write which cases are what, by name."""
    write_json(
        output / "split.json",
        {
            "train": [c.name for c in split.train],
            "validation": [c.name for c in split.validation],
            "held_out": [c.name for c in split.held_out],
        },
    )
