"""Trained folders in nnU-Net v2's form, with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet

CONFIGURATION = "3d_fullres"
FOLDER = f"nnUNetTrainer__nnUNetPlans__{CONFIGURATION}"
FLAT = [[1, 3, 3], [3, 3, 3], [3, 3, 3]]
HALVED = [[1, 1, 1], [1, 2, 2], [2, 2, 2]]
FEATURES = [4, 8, 12]
NUMBERS = {"mean": 60.0, "std": 150.0, "percentile_00_5": -300.0, "percentile_99_5": 400.0}


def plans(name: str = "Dataset900_test", **changes: Any) -> dict[str, Any]:
    """A `plans.json`; changes go into the configuration."""
    channels = changes.pop("channels", 1)
    top = changes.pop("top", {})
    configuration = {
        "patch_size": [8, 16, 16],
        "spacing": [3.0, 1.0, 1.0],
        "normalization_schemes": ["CTNormalization"] * channels,
        "use_mask_for_norm": [False] * channels,
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0},
        "architecture": architecture("PlainConvUNet"),
        **changes,
    }
    return {
        "dataset_name": name,
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "foreground_intensity_properties_per_channel": {str(n): NUMBERS for n in range(channels)},
        "configurations": {CONFIGURATION: configuration},
        **top,
    }


def architecture(kind: str, **changes: Any) -> dict[str, Any]:
    """The network's part of a configuration."""
    counts = (
        {"n_conv_per_stage": [2, 2, 2], "n_conv_per_stage_decoder": [2, 2]}
        if kind == "PlainConvUNet"
        else {"n_blocks_per_stage": [1, 2, 1], "n_conv_per_stage_decoder": [1, 1]}
    )
    return {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
        "arch_kwargs": {
            "n_stages": 3,
            "features_per_stage": FEATURES,
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": FLAT,
            "strides": HALVED,
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
            **counts,
            **changes,
        },
    }


def network_of(stated: dict[str, Any], channels: int, heads: int, seed: int) -> torch.nn.Module:
    """The network as nnU-Net builds it, with random weights and biases."""
    kind = stated["network_class_name"].rsplit(".", 1)[-1]
    arguments = dict(stated["arch_kwargs"])
    arguments |= {
        "conv_op": torch.nn.Conv3d,
        "norm_op": torch.nn.InstanceNorm3d,
        "nonlin": torch.nn.LeakyReLU,
    }
    torch.manual_seed(seed)
    make = PlainConvUNet if kind == "PlainConvUNet" else ResidualEncoderUNet
    network: torch.nn.Module = make(input_channels=channels, num_classes=heads, **arguments)
    for parameter in network.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return network.eval()


def checkpoint_of(network: torch.nn.Module, **changes: Any) -> dict[str, Any]:
    """What nnU-Net saves: weights, and a log full of numpy's numbers."""
    return {
        "network_weights": network.state_dict(),
        "optimizer_state": {"state": {}, "param_groups": []},
        "grad_scaler_state": None,
        "logging": {"ema_fg_dice": [np.float64(0.5)], "lrs": [np.float32(0.01)]},
        "_best_ema": np.float64(0.5),
        "current_epoch": 1000,
        "init_args": {"configuration": CONFIGURATION, "fold": 0},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
        **changes,
    }


def write(
    root: Path,
    stated: dict[str, Any] | None = None,
    labels: dict[str, Any] | None = None,
    *,
    folds: int = 1,
    heads: int = 3,
    **changes: Any,
) -> Path:
    """A results folder of one configuration below `root`."""
    stated = stated or plans()
    folder = root / stated["dataset_name"] / FOLDER
    folder.mkdir(parents=True)
    configuration = stated["configurations"][CONFIGURATION]
    channels = len(configuration["normalization_schemes"])
    names = ["CT"] if channels == 1 else ["T1", "T2", "FLAIR", "T1CE"][:channels]
    dataset = {
        "channel_names": {str(n): name for n, name in enumerate(names)},
        "labels": labels or {"background": 0, "liver": 1, "odd thing": 2},
    }
    (folder / "plans.json").write_text(json.dumps(stated))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    for fold in range(folds):
        network = network_of(configuration["architecture"], channels, heads, fold)
        (folder / f"fold_{fold}").mkdir()
        path = folder / f"fold_{fold}" / "checkpoint_final.pth"
        torch.save(checkpoint_of(network, **changes), path)
    return folder
