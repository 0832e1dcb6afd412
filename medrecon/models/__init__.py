"""Trained models as data: what they are, where they lie, and how they are trusted.

Importing this package loads no torch: `networks` and `weights` do, and only they.
"""

from medrecon.models.choose import Choice, choose_model
from medrecon.models.manifest import (
    Anchor,
    Blend,
    Components,
    Crop,
    Head,
    IntendedUse,
    Intensity,
    IntensityKind,
    Licences,
    Manifest,
    ModelLabel,
    NetworkSpec,
    PlannedResampling,
    Sampling,
    Training,
    WeightsFile,
)
from medrecon.models.manifest_toml import read_manifest, write_manifest
from medrecon.models.store import InstalledModel, find, installed, verify

__all__ = [
    "Anchor",
    "Blend",
    "Choice",
    "Components",
    "Crop",
    "Head",
    "InstalledModel",
    "IntendedUse",
    "Intensity",
    "IntensityKind",
    "Licences",
    "Manifest",
    "ModelLabel",
    "NetworkSpec",
    "PlannedResampling",
    "Sampling",
    "Training",
    "WeightsFile",
    "choose_model",
    "find",
    "installed",
    "read_manifest",
    "verify",
    "write_manifest",
]
