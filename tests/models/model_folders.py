"""Small models for tests: a manifest that uses every key, and folders with random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from medrecon.core import Label, Modality, label
from medrecon.models import (
    Components,
    Head,
    InstalledModel,
    IntendedUse,
    Intensity,
    IntensityKind,
    Licences,
    Manifest,
    ModelLabel,
    NetworkSpec,
    Sampling,
    Training,
    WeightsFile,
    write_manifest,
)
from medrecon.models.networks import build_network
from medrecon.models.store import open_model
from medrecon.models.weights import write_weights

SMALL = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "channels": [4, 8],
    "strides": [2],
}


def example() -> Manifest:
    """A manifest that uses every key."""
    return Manifest(
        name="two_organs",
        version="1.2",
        title='A "quoted" title, with a tab\tand a line\nbreak',
        intended_use=IntendedUse.RESEARCH,
        modalities=(Modality.CT, Modality.MR),
        channels=("CT",),
        labels=(
            ModelLabel(1, label("liver"), Components.LARGEST),
            ModelLabel(2, Label(99, "own_name", (1, 2, 3), None, True, ("liver",))),
        ),
        head=Head.SOFTMAX,
        sampling=Sampling((1.5, 1.5, 3.0), "RAS", (96, 96, 64), 0.25),
        intensity=Intensity(IntensityKind.FIXED_ZSCORE, -150.0, 250.0, 40.0, 55.5),
        network=NetworkSpec("UNet", {"channels": [8, 16], "norm": ["INSTANCE", {"affine": True}]}),
        weights=WeightsFile("weights.safetensors", "0" * 64, 12),
        licences=Licences("Apache-2.0", "CC-BY-4.0"),
        training=Training("data with a licence", "a command", "a source"),
        body_parts=("ABDOMEN",),
        figures={"dice_liver": 0.95},
    )


def make_model(root: Path, name: str = "two_organs", **changes: object) -> InstalledModel:
    """A model folder with a small random network's weights."""
    folder = root / name
    folder.mkdir(parents=True)
    spec = NetworkSpec("UNet", SMALL)
    torch.manual_seed(1)
    file = write_weights(build_network(spec).state_dict(), folder / "weights.safetensors")
    changed = {"name": name, "network": spec, "weights": file} | changes
    write_manifest(replace(example(), **changed), folder / "manifest.toml")  # type: ignore[arg-type]
    return open_model(folder)
