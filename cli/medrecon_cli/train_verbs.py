"""`train`: make a model, one's own or one that medrecon ships."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Annotated

import typer

from medrecon.errors import UsageError
from medrecon_cli import options as opt
from medrecon_cli.given import given, refuse
from medrecon_cli.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("train")(train)


def train(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATA",
            help="Folder with dataset.json, or with images/ and labels/, or of label maps.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the model.")] = Path(),
    phantom_torso: Annotated[
        bool, typer.Option("--phantom-torso", help="Train the shipped phantom model.")
    ] = False,
    head: Annotated[
        bool, typer.Option("--head", help="Train the shipped head model on head label maps.")
    ] = False,
    from_labels: Annotated[
        bool, typer.Option("--from-labels", help="DATA holds label maps only: make up the images.")
    ] = False,
    name: Annotated[str, typer.Option("--name", help="Of the model.")] = "own",
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels", metavar="NAME=V+V,…", help="Structures, and their values in the label maps."
        ),
    ] = None,
    modality: Annotated[str, typer.Option("--modality", metavar="CT|MR")] = "MR",
    network: Annotated[str, typer.Option("--network", metavar="UNet|DynUNet")] = "UNet",
    features: Annotated[
        str, typer.Option("--features", metavar="N,N,…", help="Features of each level.")
    ] = "16,32,64,128",
    spacing: Annotated[
        float | None, typer.Option("--spacing", metavar="MM", help="Default: the images' median.")
    ] = None,
    patch: Annotated[
        str | None, typer.Option("--patch", metavar="I,J,K", help="Voxels of a patch.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Weight updates.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Stop after so many minutes of training.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Patches an update.")] = 2,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="Its peak. Default: 0.003; --head: 0.004."),
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(
            "--held-out",
            metavar="FILE|every:N|a,b",
            help="Cases that are never looked at: a list of names, or every Nth.",
        ),
    ] = None,
    validation: Annotated[
        int | None, typer.Option("--validation", min=1, help="Cases for the curve.")
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Left and right may be swapped: no label has a side.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1)] = 0,
    half: Annotated[bool, typer.Option("--half", help="Store weights in 16 bits.")] = False,
    licence: Annotated[
        str, typer.Option("--licence", help="SPDX expression of the weights.")
    ] = "NOASSERTION",
    source: Annotated[
        str, typer.Option("--data-source", help="Where the data come from, for the card.")
    ] = "data of your own",
    start: Annotated[
        str | None,
        typer.Option("--start-from", metavar="NAME|DIR", help="Begin with this model's weights."),
    ] = None,
    precision: Annotated[
        str, typer.Option("--precision", metavar="auto|float32|bfloat16")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="1: the same bytes each time.")
    ] = None,
    device: opt.Device = "cpu",
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    no_progress: opt.NoProgress = False,
) -> None:
    """Train a model; started again in the same folder, it goes on where it stopped."""
    from medrecon.recipes import training, training_own

    if output == Path():
        raise UsageError("say where the model goes: -o DIR")
    if sum((phantom_torso, head, from_labels)) > 1:
        raise UsageError("one of --phantom-torso, --head and --from-labels at a time")
    if phantom_torso:
        refuse(context, "--phantom-torso", but=("output", "phantom_torso", "steps", "device"))
    elif head:
        refuse(context, "--head", but=HEAD_TAKES)
    elif from_labels and "modality" in given(context):
        raise UsageError("--modality: images made up from label maps are of no modality")
    _require_positive(
        {"--minutes": minutes, "--learning-rate": learning_rate, "--spacing": spacing}
    )
    terminal = Terminal(quiet=quiet, no_progress=no_progress)
    machine = training.machine(device, threads=threads, precision=precision)
    with terminal.progress() as progress:
        if phantom_torso:
            identity = training.train_phantom_torso(
                output, steps=steps, device=device, progress=progress
            )
        elif head:
            identity = training.train_head(
                _given(data),
                output,
                steps=steps or (NO_END if minutes else None),
                minutes=minutes,
                learning_rate=learning_rate,
                machine=machine,
                start=start,
                command=_command(context),
                progress=progress,
            )
        else:
            request = training_own.TrainRequest(
                name=name,
                labels=_apart(label_values(labels)),
                modality=training.modality(modality),
                network=network,
                features=numbers(features, "--features"),
                spacing_mm=spacing,
                patch=_patch(patch),
                steps=steps or (NO_END if minutes else training_own.DEFAULT_STEPS),
                minutes=minutes,
                batch=batch,
                learning_rate=learning_rate or training_own.DEFAULT_LEARNING_RATE,
                held_out=held_out,
                validation=validation,
                mirror=mirror,
                seed=seed,
                half_weights=half,
                licence=licence,
                data=source,
                command=_command(context),
                start=start,
            )
            errand = training_own.train_on_labels if from_labels else training_own.train_on_pairs
            identity = errand(_given(data), request, output, machine=machine, progress=progress)
    terminal.say(f"{identity} written to {output}")


# With a time alone there is no number of steps to end at.
NO_END = 10_000_000

# What the shipped recipe leaves open.
HEAD_TAKES = (
    *("data", "output", "head", "steps", "minutes", "learning_rate", "start"),
    *("precision", "threads", "device"),
)


def label_values(spoken: str | None) -> dict[str, tuple[int, ...]]:
    """``a=1,b=2+3`` as names and values; empty for None.

    Raises
    ------
    UsageError
        If it is written otherwise.
    """
    found: dict[str, tuple[int, ...]] = {}
    for part in (spoken or "").split(",") if spoken else ():
        name, _, values = part.partition("=")
        if not name.strip() or not values:
            raise UsageError(f"--labels {part}: NAME=VALUE expected")
        if name.strip() in found:
            raise UsageError(f"--labels: {name.strip()} is there twice; {name.strip()}=V+V joins")
        found[name.strip()] = numbers(values.replace("+", ","), "--labels")
    return found


def _apart(labels: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    every = [value for values in labels.values() for value in values]
    if 0 in every or len(set(every)) < len(every):
        raise UsageError("--labels: 0 is the background, and a value belongs to one structure")
    return labels


def numbers(spoken: str, option: str) -> tuple[int, ...]:
    """``1,2,3`` as whole numbers.

    Raises
    ------
    UsageError
        If it is written otherwise.
    """
    try:
        return tuple(int(part) for part in spoken.split(","))
    except ValueError:
        raise UsageError(f"{option} {spoken}: whole numbers with commas between") from None


def _patch(spoken: str | None) -> tuple[int, int, int] | None:
    if spoken is None:
        return None
    values = numbers(spoken, "--patch")
    if len(values) != 3:
        raise UsageError(f"--patch {spoken}: three sizes expected")
    return values[0], values[1], values[2]


def _given(data: Path | None) -> Path:
    if data is None or not data.is_dir():
        raise UsageError("say what to train on: a folder DATA, or --phantom-torso")
    return data


def _require_positive(values: dict[str, float | None]) -> None:
    for option, value in values.items():
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{option} {value:g}: a number above 0 expected")


def _command(context: typer.Context) -> str:
    """The command for the card, without paths and names of cases: they can be a person's."""
    words = ["medrecon", "train"]
    said = given(context)
    for option in context.command.params:
        if option.name not in said:
            continue
        value = context.params[option.name]
        hidden = _HIDDEN.get(option.name or "", "")
        if option.name == "held_out" and str(value).startswith("every:"):
            hidden = ""
        if option.name == "start" and "/" not in str(value) and not Path(str(value)).exists():
            hidden = ""
        name = [] if option.name == "data" else [option.opts[0]]
        words += name if value is True else [*name, hidden or str(value)]
    return shlex.join(words)


_HIDDEN = {"data": "DATA", "output": "DIR", "start": "MODEL", "held_out": "CASES"}
