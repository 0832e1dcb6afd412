"""A MONAI bundle as a manifest and plain weights, if that is all it is.

Only what a run needs is read: network, preprocessing, inferer, head, labels. All of
the configuration is checked before, and one unknown class or expression anywhere
refuses the whole bundle: what cannot be understood cannot be trusted to be harmless.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrecon.core import Modality
from medrecon.errors import ModelMissingError, ModelUntrustedError
from medrecon.models.allowed import ALLOWED
from medrecon.models.bundle_labels import labels_of
from medrecon.models.bundle_transforms import Prepared, prepared
from medrecon.models.bundle_values import ADVICE, BundleConfig
from medrecon.models.manifest import (
    Anchor,
    Blend,
    Head,
    IntendedUse,
    Licences,
    Manifest,
    NetworkSpec,
    Sampling,
    Training,
    WeightsFile,
    slug,
)

METADATA = "configs/metadata.json"
CONFIGS = ("configs/inference.json",)
WEIGHTS = ("models/model.safetensors", "models/model.pt")
MAX_CONFIG_BYTES = 4 << 20

NETWORKS = frozenset(ALLOWED)
INFERERS = frozenset({"SlidingWindowInferer", "SimpleInferer"})
# Parts of a configuration that a run here does not use; they may stand there.
IGNORED = frozenset(
    {
        "Compose",
        "LoadImaged",
        "EnsureChannelFirstd",
        "EnsureTyped",
        "CastToTyped",
        "Orientationd",
        "Spacingd",
        "ScaleIntensityRanged",
        "NormalizeIntensityd",
        "ScaleIntensityd",
        "CropForegroundd",
        "Activationsd",
        "Invertd",
        "AsDiscreted",
        "KeepLargestConnectedComponentd",
        "SaveImaged",
        "Dataset",
        "CacheDataset",
        "DataLoader",
        "ThreadDataLoader",
        "StatsHandler",
        "CheckpointLoader",
        "SupervisedEvaluator",
    }
)
ALLOWED_TARGETS = NETWORKS | INFERERS | IGNORED


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle says, as a manifest without a weights' hash, and where its weights lie."""

    manifest: Manifest
    weights_path: Path


def is_bundle(folder: Path) -> bool:
    """Whether a folder looks like a MONAI bundle."""
    return (folder / METADATA).is_file()


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a folder, read as data.

    Raises
    ------
    ModelMissingError
        If a file of the bundle is not there.
    ModelUntrustedError
        If it holds a class, an expression or a transform that is not in the
        allow-lists; the message names it and its key.
    ModelError
        If its values contradict one another.
    """
    metadata = _json(folder / METADATA)
    config = BundleConfig(_json(_first(folder, CONFIGS)))
    config.require_harmless()
    _require_known_targets(config)
    steps = prepared(config)
    head = _head(config)
    manifest = Manifest(
        name=slug(folder.name),
        version=slug(str(metadata.get("version", "0"))),
        title=str(metadata.get("description") or metadata.get("task") or folder.name),
        intended_use=IntendedUse.RESEARCH,
        modalities=(_modality(metadata),),
        channels=_channels(metadata),
        labels=labels_of(metadata, head),
        head=head,
        sampling=_sampling(config, steps),
        intensity=steps.intensity,
        network=_network(config),
        weights=WeightsFile("weights.safetensors", "0" * 64, 0),
        licences=Licences("see the bundle's LICENSE", "see the bundle's LICENSE"),
        training=Training(str(metadata.get("data_source", "not stated")), "", "MONAI bundle"),
        figures=_figures(metadata),
    )
    return Bundle(manifest, _first(folder, WEIGHTS))


def _require_known_targets(config: BundleConfig) -> None:
    for key, target in config.targets():
        word = key.rsplit("#", 1)[-1]
        name = target.rsplit(".", 1)[-1]
        known = name in ALLOWED_TARGETS and (target == name or target.startswith("monai."))
        if word not in ("_target_", "_desc_") or (word == "_target_" and not known):
            raise ModelUntrustedError(
                f"the bundle's {key} is {target!r}, which is not in medrecon's list; {ADVICE}"
            )


def _network(config: BundleConfig) -> NetworkSpec:
    key = "network_def" if config.value("network_def") is not None else "network"
    row = config.value(key)
    if not isinstance(row, dict) or str(row.get("_target_", "")).rsplit(".", 1)[-1] not in NETWORKS:
        raise ModelUntrustedError(f"the bundle's {key} is no network of medrecon's list; {ADVICE}")
    arguments = {k: v for k, v in row.items() if not k.startswith("_")}
    return NetworkSpec(row["_target_"].rsplit(".", 1)[-1], arguments)


def _sampling(config: BundleConfig, steps: Prepared) -> Sampling:
    inferer = config.value("inferer")
    if not isinstance(inferer, dict):
        raise ModelUntrustedError(f"the bundle's inferer is {inferer!r}; {ADVICE}")
    if inferer["_target_"].rsplit(".", 1)[-1] == "SimpleInferer":
        patch, overlap, blend = (1, 1, 1), 0.0, Blend.WHOLE
    else:
        i, j, k = (int(n) for n in inferer["roi_size"])
        patch, overlap = (i, j, k), float(inferer.get("overlap", 0.25))
        blend = Blend(str(inferer.get("mode", "constant")))
    return Sampling(steps.spacing_mm, steps.orientation, patch, overlap, Anchor.FIRST_VOXEL, blend)


def _head(config: BundleConfig) -> Head:
    """From the activation among the postprocessing's transforms; softmax if none is stated."""
    for row in config.value("postprocessing#transforms", []):
        if str(row.get("_target_", "")).rsplit(".", 1)[-1] == "Activationsd":
            return Head.SIGMOID if row.get("sigmoid") else Head.SOFTMAX
    return Head.SOFTMAX


def _modality(metadata: Mapping[str, Any]) -> Modality:
    image = _data_format(metadata, "inputs", "image")
    word = str(image.get("modality", "")).upper()
    if word in ("CT", "HU"):
        return Modality.CT
    return Modality.MR if word.startswith("MR") else Modality.OTHER


def _channels(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    image = _data_format(metadata, "inputs", "image")
    stated = image.get("channel_def") or {}
    count = int(image.get("num_channels", max(1, len(stated))))
    return tuple(str(stated.get(str(n), f"image{n}")) for n in range(count))


def _figures(metadata: Mapping[str, Any]) -> dict[str, float]:
    rows = metadata.get("eval_metrics") or {}
    return {str(k): float(v) for k, v in rows.items() if isinstance(v, int | float)}


def _data_format(metadata: Mapping[str, Any], side: str, name: str) -> dict[str, Any]:
    row: Any = metadata.get("network_data_format") or {}
    for key in (side, name):
        row = row.get(key, {}) if isinstance(row, dict) else {}
    return row if isinstance(row, dict) else {}


def _first(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ModelMissingError(f"the bundle {folder.name} holds no {' or '.join(names)}")


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelUntrustedError(f"{path.name} is larger than {MAX_CONFIG_BYTES} bytes")
        rows = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelMissingError(f"the bundle's {path.name} cannot be read: {error}") from error
    if not isinstance(rows, dict):
        raise ModelUntrustedError(f"the bundle's {path.name} is no table")
    return rows
