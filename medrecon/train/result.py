"""The model folder that a training run leaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from medrecon.models.manifest import Components, Head, Manifest, ModelLabel, WeightsFile
from medrecon.models.manifest_toml import MANIFEST_NAME, write_manifest
from medrecon.models.store import InstalledModel, open_model
from medrecon.models.weights import write_weights
from medrecon.train.options import Schedule, TrainOptions

WEIGHTS_NAME = "weights.safetensors"


def write_model(
    weights: Mapping[str, torch.Tensor],
    dice: Mapping[str, float],
    options: TrainOptions,
    folder: Path,
) -> InstalledModel:
    """Write weights, manifest and card; the manifest last, so that a folder with one is whole."""
    file = write_weights(weights, folder / WEIGHTS_NAME, half=options.half_weights)
    manifest = manifest_of(options, file, dice)
    (folder / "README.md").write_text(card(manifest, options), "utf-8")
    write_manifest(manifest, folder / MANIFEST_NAME)
    return open_model(folder)


def manifest_of(options: TrainOptions, file: WeightsFile, dice: Mapping[str, float]) -> Manifest:
    """The manifest of a trained model."""
    labels = tuple(
        ModelLabel(
            channel,
            label,
            Components.ALL if label.name in options.scattered else options.components,
            from_hu_in_ct=label.name in options.from_hu_in_ct,
            never_print=dict(options.never_print).get(label.name, ""),
        )
        for channel, label in enumerate(options.labels, start=1)
    )
    return Manifest(
        name=options.name,
        version=options.version,
        title=options.title,
        intended_use=options.intended_use,
        modalities=options.modalities,
        channels=(options.modalities[0].value if len(options.modalities) == 1 else "image",),
        labels=labels,
        head=Head.SOFTMAX,
        sampling=options.sampling,
        intensity=options.intensity,
        network=options.network,
        weights=file,
        licences=options.licences,
        training=options.training,
        body_parts=options.body_parts,
        # Trained on mirror images too, it may be asked about them (`--tta`).
        mirror_axes=options.augmentation.mirror,
        checks=options.checks,
        figures={f"dice_{name}": round(value, 4) for name, value in dice.items()},
    )


def card(manifest: Manifest, options: TrainOptions) -> str:
    """The model card in Markdown."""
    m, s = manifest, options.schedule
    spacing = "×".join(f"{x:g}" for x in m.sampling.spacing_mm or ())
    patch = "×".join(map(str, m.sampling.patch))
    rows = [f"| {k.removeprefix('dice_')} | {v:.4f} |" for k, v in m.figures.items()]
    return "\n".join(
        [
            f"# {m.title}",
            "",
            f"Model `{m.name}`, version {m.version}. Intended use: **{m.intended_use.value}**. "
            "Research use, not a medical device.",
            "",
            f"- Input: {', '.join(x.value for x in m.modalities)}, resampled to {spacing} mm "
            f"({m.sampling.orientation}), tiles of {patch} voxels",
            f"- Network: MONAI `{m.network.name}`, {m.weights.bytes / 1e6:.2f} MB of weights "
            f"(SHA-256 `{m.weights.sha256}`)",
            f"- Training data: {m.training.data}",
            f"- Training: {_length(s)} of {s.batch} patch, AdamW, peak learning rate "
            f"{s.learning_rate:g}, seed {options.seed}; seeds {_span(options.train_seeds)}",
            f"- Again: `{m.training.command}`",
            f"- Licence: code {m.licences.code}, weights {m.licences.weights}",
            "",
            f"Dice on the seeds {_span(options.validation_seeds)}, which gave the curve and no "
            "weights, on the network's grid, before the boundary is refined:",
            "",
            "| label | Dice |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _length(schedule: Schedule) -> str:
    # With a time alone the number of steps is only a bound that is never reached.
    timed = schedule.minutes is not None
    return f"{schedule.minutes:g} minutes in steps" if timed else f"{schedule.steps} steps"


def _span(seeds: range) -> str:
    return f"{seeds.start}–{seeds.stop - 1}"
