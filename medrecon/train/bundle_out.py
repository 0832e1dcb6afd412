"""A trained model as a MONAI bundle that the model zoo's own tools run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from medrecon.core import Modality
from medrecon.errors import ModelError
from medrecon.models.manifest import Intensity, IntensityKind, Manifest
from medrecon.models.store import InstalledModel, load_weights

Row = dict[str, Any]


def write_bundle(model: InstalledModel, folder: Path) -> None:
    """Write ``configs``, ``models/model.pt`` and a card; run with ``monai.bundle run``.

    The bundle's grid is fastened to the image's first voxel (MONAI's ``Spacing``), the
    model folder's to the image's middle: on images of the model's own spacing they are
    the same, elsewhere they differ by a part of a voxel.

    Raises
    ------
    ModelError
        If the model has several input channels or a normalisation MONAI has no
        transform for.
    """
    manifest = model.manifest
    if len(manifest.channels) != 1 or manifest.parts:
        raise ModelError(f"model {manifest.identity}: a bundle of one channel only")
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    (folder / "docs").mkdir(exist_ok=True)
    _write_json(folder / "configs" / "metadata.json", metadata_of(manifest))
    _write_json(folder / "configs" / "inference.json", inference_of(manifest))
    torch.save(load_weights(model), folder / "models" / "model.pt")
    card = model.folder / "README.md"
    text = card.read_text("utf-8") if card.is_file() else manifest.title + "\n"
    (folder / "docs" / "README.md").write_text(text, "utf-8")


def metadata_of(manifest: Manifest) -> Row:
    """The bundle's ``metadata.json``."""
    m = manifest
    names = {"0": "background"} | {str(x.channel): x.label.name for x in m.labels}
    modality = "CT" if m.modalities == (Modality.CT,) else "MR"
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/"
        "0.8.1/meta_schema_20240725.json",
        "version": m.version,
        "task": m.title,
        "description": m.title,
        "data_source": m.training.data,
        "data_type": "nibabel",
        "image_classes": "one channel",
        "label_classes": ", ".join(f"{n}: {name}" for n, name in names.items()),
        "pred_classes": "one channel per class",
        "eval_metrics": dict(m.figures),
        "intended_use": f"{m.intended_use.value}; not a medical device",
        "licences": {"code": m.licences.code, "weights": m.licences.weights},
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": modality,
                    "num_channels": 1,
                    "spatial_shape": list(m.sampling.patch),
                    "dtype": "float32",
                    "is_patch_data": True,
                    "channel_def": {"0": "image"},
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "segmentation",
                    "num_channels": len(names),
                    "spatial_shape": list(m.sampling.patch),
                    "dtype": "float32",
                    "is_patch_data": True,
                    "channel_def": names,
                }
            },
        },
    }


def inference_of(manifest: Manifest) -> Row:
    """The bundle's ``inference.json``: nothing in it but what medrecon itself would read."""
    m = manifest
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "dataset_dir": "@bundle_root",
        "output_dir": "@bundle_root",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": {"_target_": m.network.name} | dict(m.network.arguments),
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": _preprocessing(m)},
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {
            "_target_": "DataLoader",
            "dataset": "@dataset",
            "batch_size": 1,
            "shuffle": False,
            "num_workers": 0,
        },
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(m.sampling.patch),
            "sw_batch_size": 1,
            "overlap": m.sampling.overlap,
            "mode": m.sampling.blend.value,
        },
        "postprocessing": {"_target_": "Compose", "transforms": _postprocessing()},
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
                "map_location": "@device",
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }


def _preprocessing(m: Manifest) -> list[Row]:
    steps: list[Row] = [
        {"_target_": "LoadImaged", "keys": "image"},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "Orientationd", "keys": "image", "axcodes": m.sampling.orientation},
    ]
    if m.sampling.spacing_mm is not None:
        pixdim = list(m.sampling.spacing_mm)
        steps.append(
            {"_target_": "Spacingd", "keys": "image", "pixdim": pixdim, "mode": "bilinear"}
        )
    for step in m.intensity.steps:
        steps.extend(_normalisation(step))
    return [*steps, {"_target_": "EnsureTyped", "keys": "image"}]


def _normalisation(step: Intensity) -> list[Row]:
    ends = {"b_min": step.to_low, "b_max": step.to_high, "clip": step.clip}
    match step.kind:
        case IntensityKind.NONE:
            return []
        case IntensityKind.ZSCORE:
            return [{"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": step.nonzero}]
        case IntensityKind.WINDOW:
            window = {"a_min": step.low, "a_max": step.high}
            return [{"_target_": "ScaleIntensityRanged", "keys": "image", **window, **ends}]
        case IntensityKind.PERCENTILE:
            window = {"lower": step.low, "upper": step.high}
            return [
                {"_target_": "ScaleIntensityRangePercentilesd", "keys": "image", **window, **ends}
            ]
        case _:
            raise ModelError(f"a {step.kind.value} normalisation, which a bundle cannot state")


def _postprocessing() -> list[Row]:
    inverted: Mapping[str, Any] = {
        "_target_": "Invertd",
        "keys": "pred",
        "transform": "@preprocessing",
        "orig_keys": "image",
        "nearest_interp": False,
        "to_tensor": True,
    }
    return [
        {"_target_": "Activationsd", "keys": "pred", "softmax": True},
        dict(inverted),
        {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
        {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
    ]


def _write_json(path: Path, content: Row) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
