"""A MONAI bundle as a manifest and plain weights, if that is all it is.

Only what a run needs is read: network, preprocessing, inferer, head, labels. All of
the configuration is checked before, and one unknown class or expression anywhere
refuses the whole bundle: what cannot be understood cannot be trusted to be harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medrecon.core import Modality
from medrecon.errors import ModelUntrustedError
from medrecon.models.allowed import ALLOWED
from medrecon.models.bundle_expressions import ADVICE
from medrecon.models.bundle_files import METADATA, config_path, read_table, weights_path
from medrecon.models.bundle_labels import labels_of
from medrecon.models.bundle_transforms import Prepared, head_of, largest_only, prepared
from medrecon.models.bundle_values import BundleConfig
from medrecon.models.manifest import (
    Anchor,
    Blend,
    Components,
    IntendedUse,
    Licences,
    Manifest,
    NetworkSpec,
    Sampling,
    Training,
    WeightsFile,
    slug,
)

NETWORKS = frozenset(name for name, place in ALLOWED.items() if place[0].startswith("monai."))
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
        "ScaleIntensityRangePercentilesd",
        "Lambdad",
        "ToTensord",
        "ToDeviced",
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
# Of what a run here does not need: a device is chosen by the person.
PLAIN_TARGETS = frozenset({"torch.device"})
UNUSED = {"SwinUNETR": ("img_size",)}
# A configuration that is not of MONAI's form fails in one of these ways.
MISFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)
ALLOWED_TARGETS = NETWORKS | INFERERS | IGNORED


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle says, as a manifest without a weights' hash, and where its weights lie."""

    manifest: Manifest
    weights_path: Path


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
    metadata = read_table(folder / METADATA)
    config = BundleConfig(read_table(config_path(folder)))
    config.require_harmless()
    _require_known_targets(config)
    try:
        return Bundle(_manifest(folder.name, metadata, config), weights_path(folder, config))
    except MISFORMED as error:
        raise ModelUntrustedError(
            f"the bundle's configuration is not of the usual form: {type(error).__name__} {error}; "
            f"{ADVICE}"
        ) from error


def _manifest(name: str, metadata: Mapping[str, Any], config: BundleConfig) -> Manifest:
    steps, head, network = prepared(config), head_of(config), _network(config)
    labels = labels_of(metadata, head, int(str(network.arguments.get("out_channels", 0))))
    largest = largest_only(config, range(1, len(labels) + 1))
    return Manifest(
        name=slug(name),
        version=slug(str(metadata.get("version", "0"))),
        title=str(metadata.get("description") or metadata.get("task") or name),
        intended_use=IntendedUse.RESEARCH,
        modalities=(_modality(metadata),),
        channels=_channels(metadata),
        labels=tuple(
            replace(x, components=Components.LARGEST) if x.channel in largest else x for x in labels
        ),
        head=head,
        sampling=_sampling(config, steps),
        intensity=steps.intensity,
        network=network,
        weights=WeightsFile("weights.safetensors", "0" * 64, 0),
        licences=Licences("see the bundle's LICENSE", "see the bundle's LICENSE"),
        training=Training(str(metadata.get("data_source", "not stated")), "", "MONAI bundle"),
        figures=_figures(metadata),
    )


def _require_known_targets(config: BundleConfig) -> None:
    for key, target in config.targets():
        word = key.rsplit("#", 1)[-1]
        name = target.rsplit(".", 1)[-1]
        known = target in PLAIN_TARGETS or (
            name in ALLOWED_TARGETS and (target == name or target.startswith("monai."))
        )
        if word not in ("_target_", "_desc_") or (word == "_target_" and not known):
            raise ModelUntrustedError(
                f"the bundle's {key} is {target!r}, which is not in medrecon's list; {ADVICE}"
            )


def _network(config: BundleConfig) -> NetworkSpec:
    key = "network_def" if config.table("network_def") is not None else "network"
    row = config.value(key)
    if not isinstance(row, dict) or str(row.get("_target_", "")).rsplit(".", 1)[-1] not in NETWORKS:
        raise ModelUntrustedError(f"the bundle's {key} is no network of medrecon's list; {ADVICE}")
    name = row["_target_"].rsplit(".", 1)[-1]
    arguments = {k: v for k, v in row.items() if not k.startswith("_")}
    # MONAI took SwinUNETR's img_size for a check only, and takes it no more.
    return NetworkSpec(name, {k: v for k, v in arguments.items() if k not in UNUSED.get(name, ())})


def _sampling(config: BundleConfig, steps: Prepared) -> Sampling:
    inferer = config.table("inferer")
    if inferer is None or "_target_" not in inferer:
        raise ModelUntrustedError(f"the bundle's inferer is no table; {ADVICE}")
    if inferer["_target_"].rsplit(".", 1)[-1] == "SimpleInferer":
        patch, overlap, blend = (1, 1, 1), 0.0, Blend.WHOLE
    else:
        _require_plain_window(inferer)
        size = inferer["roi_size"]
        i, j, k = [int(size)] * 3 if isinstance(size, int) else [int(n) for n in size]
        patch, overlap = (i, j, k), float(inferer.get("overlap", 0.25))
        blend = Blend(str(inferer.get("mode", "constant")).lower())
    return Sampling(
        steps.spacing_mm,
        steps.orientation,
        patch,
        overlap,
        Anchor.FIRST_VOXEL,
        blend,
        steps.crop,
        inferer.get("padding_mode", "constant") == "replicate",
    )


def _require_plain_window(inferer: Mapping[str, Any]) -> None:
    """Refuse a sliding window of another kind than medrecon's."""
    usual = {"padding_mode": ("constant", "replicate"), "cval": (0, 0.0), "sigma_scale": (0.125,)}
    for key, allowed in usual.items():
        if inferer.get(key, allowed[0]) not in allowed:
            raise ModelUntrustedError(
                f"the bundle's inferer#{key} is {inferer[key]!r}, which medrecon does not do; "
                f"{ADVICE}"
            )


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
