"""`evaluate`: how good a segmentation is, against a reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from medrecon.errors import UsageError
from medrecon_cli import options as opt
from medrecon_cli.given import given
from medrecon_cli.terminal import Terminal
from medrecon_cli.train_verbs import label_values


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("evaluate")(evaluate)


def evaluate(
    context: typer.Context,
    prediction: Annotated[
        Path, typer.Argument(metavar="PRED", help="Label map or folder of them; images --model.")
    ],
    reference: Annotated[
        Path, typer.Argument(metavar="REF", help="Label map or folder of them, by the same names.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for scores.csv and summary.json.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="NAME=V+V,…", help="Structures and their values in REF."),
    ] = None,
    tolerance_mm: Annotated[
        float, typer.Option("--tolerance-mm", min=0.0, help="Of the surface Dice (NSD).")
    ] = 1.0,
    cases: Annotated[
        str | None,
        typer.Option("--cases", metavar="FILE|a,b", help="Only these; a split.json: held out."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME|DIR", help="PRED are images: run this model first."),
    ] = None,
    modality: Annotated[str, typer.Option("--modality", metavar="CT|MR", help="Of images.")] = "MR",
    device: opt.Device = "auto",
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    no_progress: opt.NoProgress = False,
) -> None:
    """Dice, surface Dice, HD95, ASSD and volume error, for each structure and case."""
    from medrecon.recipes import evaluate as recipe
    from medrecon.recipes import training

    terminal = Terminal(quiet=quiet, as_json=as_json, no_progress=no_progress)
    if model is not None and output is None:
        raise UsageError("say where the model's label maps go: -o DIR")
    if model is None and given(context) & {"modality", "device"}:
        raise UsageError("--modality and --device are for a model that runs first (--model)")
    chosen = case_names(cases)
    found: dict[str, tuple[int, ...]] = {}
    with terminal.progress() as progress:
        if model is not None and output is not None:
            found = recipe.predict(
                prediction,
                model,
                output / "predictions",
                modality=training.modality(modality),
                cases=chosen,
                device=device,
                progress=progress,
            )
            prediction = output / "predictions"
        values = label_values(labels) or found
        request = recipe.EvaluateRequest(values, found, tolerance_mm, tuple(chosen))
        result = recipe.evaluate(prediction, reference, request, progress=progress)
    if output is not None:
        recipe.write_evaluation(result, output)
    for warning in result.warnings:
        terminal.warn(warning)
    summary = result.as_json()
    terminal.table(
        ("structure", "figure", "mean", "95 % interval", "median", "cases"), _rows(summary)
    )
    terminal.result(summary)


def case_names(spoken: str | None) -> tuple[str, ...]:
    """Names with commas between, or from a file: one a line, or a training run's split.

    Raises
    ------
    UsageError
        If a split holds no cases that were held out.
    """
    if spoken is None:
        return ()
    path = Path(spoken)
    if not path.is_file():
        return tuple(name.strip() for name in spoken.split(",") if name.strip())
    text = path.read_text("utf-8")
    if path.suffix != ".json":
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        names = tuple(str(name) for name in json.loads(text)["held_out"])
    except (ValueError, KeyError, TypeError):
        names = ()
    if not names:
        raise UsageError(f"{path.name} names no cases that were held out")
    return names


def _rows(summary: dict[str, object]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    labels = summary["labels"]
    for label, figures in labels.items() if isinstance(labels, dict) else ():
        for name, f in figures.items():
            if name != "cases":
                interval = f"{f['low']:.4g} to {f['high']:.4g}"
                numbers = (f"{f['mean']:.4g}", interval, f"{f['median']:.4g}", str(f["count"]))
                rows.append((label, name, *numbers))
    return rows
