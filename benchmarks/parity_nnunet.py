"""medrecon beside nnU-Net's own predictor, on models with random weights.

    python benchmarks/parity_nnunet.py --peer ENVIRONMENT/bin/python [--case NAME]

ENVIRONMENT holds nnunetv2 (tested with 2.8.1); medrecon does not need it. Each case is a
trained folder in nnU-Net's form: it is installed with `models add` and run, and its
logits on the network's grid and its labels on the image's are compared with the peer's.
For the comparison, and only for it, logits go back to the image as nnU-Net's plans say;
medrecon's own way back is cubic (`fields`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.models.grid import network_grid, oriented, oriented_geometry
from medrecon.models.install import add
from medrecon.models.manifest import Head, Manifest
from medrecon.models.networks import build_model
from medrecon.models.nnunet_plans import planned_resampling, read_plans
from medrecon.models.sampling import PlannedResampling
from medrecon.models.store import load_weights
from medrecon.segmentation.flips import Flipped, flips_of
from medrecon.segmentation.inference import plan_inference, predict_logits
from medrecon.segmentation.planned import resize, separate_axis
from medrecon.segmentation.prepared import prepare

EVERYWHERE = (slice(None), slice(None), slice(None))


@dataclass(frozen=True)
class Case:
    """One trained folder and one image."""

    plans: dict[str, Any]
    dataset: dict[str, Any]
    shape_zyx: tuple[int, int, int]
    spacing_zyx: tuple[float, float, float]
    channels: int = 1
    heads: int = 4
    folds: int = 1
    mirror: tuple[int, ...] | None = (0, 1, 2)
    border: int = 0
    extra: dict[str, Any] = field(default_factory=dict)


def unet(kind: str, kernels: list[list[int]], strides: list[list[int]]) -> dict[str, Any]:
    count = "n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage"
    stages = len(kernels)
    decoder = 2 if kind == "PlainConvUNet" else 1
    return {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": [8 * 2**n for n in range(stages)],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": kernels,
            "strides": strides,
            count: [2] * stages if decoder == 2 else [1, 2, 2, 2][:stages],
            "n_conv_per_stage_decoder": [decoder] * (stages - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def plans(
    name: str, architecture: dict[str, Any], patch: list[int], spacing: list[float], **more: Any
) -> dict[str, Any]:
    scheme, masked = more.pop("scheme", "CTNormalization"), more.pop("masked", False)
    channels = more.pop("channels", 1)
    function = "resample_data_or_seg_to_shape"
    orders = {"is_seg": False, "order_z": 0, "force_separate_z": None}
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": patch,
        "spacing": spacing,
        "normalization_schemes": [scheme] * channels,
        "use_mask_for_norm": [masked] * channels,
        "resampling_fn_data": function,
        "resampling_fn_seg": function,
        "resampling_fn_data_kwargs": {**orders, "order": 3},
        "resampling_fn_seg_kwargs": {**orders, "is_seg": True, "order": 1},
        "resampling_fn_probabilities": function,
        "resampling_fn_probabilities_kwargs": {**orders, "order": 1},
        "batch_dice": False,
        **architecture,
    }
    measured = {
        "mean": 60.0,
        "std": 150.0,
        "percentile_00_5": -300.0,
        "percentile_99_5": 400.0,
    }
    return {
        "dataset_name": name,
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "foreground_intensity_properties_per_channel": {str(n): measured for n in range(channels)},
        "configurations": {"3d_fullres": configuration},
        **more,
    }


ISO = [[3, 3, 3]] * 4, [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]]
FLAT = [[1, 3, 3], [1, 3, 3], [3, 3, 3], [3, 3, 3]], [[1, 1, 1], [1, 2, 2], [1, 2, 2], [2, 2, 2]]
FOUR = {"background": 0, "liver": 1, "spleen": 2, "vessel": 3}
OLD = {
    "UNet_class_name": "PlainConvUNet",
    "UNet_base_num_features": 8,
    "unet_max_num_features": 24,
    "n_conv_per_stage_encoder": [2, 2, 2, 2],
    "n_conv_per_stage_decoder": [2, 2, 2],
    "num_pool_per_axis": [3, 3, 3],
    "pool_op_kernel_sizes": ISO[1],
    "conv_kernel_sizes": ISO[0],
}

CASES = {
    "isotropic": Case(
        plans(
            "Dataset901_isotropic",
            {"architecture": unet("PlainConvUNet", *ISO)},
            [32, 32, 24],
            [1.5, 1.5, 1.5],
        ),
        {"channel_names": {"0": "CT"}, "labels": FOUR, "file_ending": ".nii.gz"},
        (40, 70, 75),
        (1.25, 0.9, 0.9),
        folds=2,
    ),
    "anisotropic": Case(
        plans(
            "Dataset902_anisotropic",
            {"architecture": unet("PlainConvUNet", *FLAT)},
            [40, 8, 48],
            [0.8, 3.6, 0.8],
            transpose_forward=[1, 0, 2],
            transpose_backward=[1, 0, 2],
            scheme="ZScoreNormalization",
            masked=True,
        ),
        {"channel_names": {"0": "T2"}, "labels": FOUR, "file_ending": ".nii.gz"},
        (20, 90, 84),
        (5.0, 0.7, 0.75),
        mirror=(0, 2),
        border=7,
    ),
    "resenc": Case(
        plans(
            "Dataset903_resenc",
            {"architecture": unet("ResidualEncoderUNet", *ISO)},
            [32, 40, 32],
            [1.2, 1.0, 1.0],
            scheme="ZScoreNormalization",
            channels=2,
        ),
        {"channel_names": {"0": "T1", "1": "FLAIR"}, "labels": FOUR, "file_ending": ".nii.gz"},
        (44, 60, 66),
        (1.2, 1.0, 1.0),
        channels=2,
        mirror=None,
    ),
    "regions": Case(
        plans(
            "Dataset904_regions",
            {"architecture": unet("PlainConvUNet", *ISO)},
            [32, 32, 32],
            [1.0, 1.0, 1.0],
            scheme="RescaleTo01Normalization",
            channels=4,
        ),
        {
            "channel_names": {"0": "T1", "1": "T1ce", "2": "T2", "3": "FLAIR"},
            "labels": {
                "background": 0,
                "whole_tumor": [1, 2, 3],
                "tumor_core": [2, 3],
                "enhancing_tumor": 3,
            },
            "regions_class_order": [1, 2, 3],
            "file_ending": ".nii.gz",
        },
        (48, 56, 52),
        (1.1, 1.0, 1.0),
        channels=4,
        heads=3,
        border=4,
    ),
    "old plans": Case(
        plans("Dataset905_old", OLD, [32, 32, 32], [1.5, 1.5, 1.5]),
        {"channel_names": {"0": "CT"}, "labels": FOUR, "file_ending": ".nii.gz"},
        (36, 48, 44),
        (1.5, 1.5, 1.5),
        mirror=(1, 2),
    ),
}


def image_of(case: Case) -> np.ndarray:
    """Smooth lumps and noise (channel, z, y, x), zero in a border."""
    rng = np.random.default_rng(7)
    lumps = ndimage.gaussian_filter(
        rng.standard_normal((case.channels, *case.shape_zyx)), (0, 4, 4, 4)
    )
    values = 150 * lumps / lumps.std() + rng.normal(0, 20, lumps.shape)
    if case.border:
        b = case.border
        inside = np.zeros(values.shape, bool)
        inside[:, 2:-2, b:-b, b : -b - 3] = True
        values = np.where(inside, np.abs(values) + 1, 0)
    return np.rint(values).astype(np.float32)


def make(case: Case, root: Path) -> str:
    """Files that the peer starts from; the trained folder's path below the root."""
    folder = "nnUNetTrainer__nnUNetPlans__3d_fullres"
    (root / folder).mkdir()
    (root / folder / "plans.json").write_text(json.dumps(case.plans))
    dataset = {"numTraining": 1, **case.dataset}
    (root / folder / "dataset.json").write_text(json.dumps(dataset))
    settings = {
        "folder": folder,
        "configuration": "3d_fullres",
        "trainer": "nnUNetTrainer",
        "folds": case.folds,
        "heads": case.heads,
        "channels": case.channels,
        "mirror": case.mirror,
        "spacing_zyx": case.spacing_zyx,
        "seed": 11,
    }
    (root / "settings.json").write_text(json.dumps(settings))
    np.save(root / "image.npy", image_of(case))
    return folder


def volumes_of(case: Case) -> list[Volume]:
    z, y, x = case.spacing_zyx
    geometry = Geometry(case.shape_zyx[::-1], (x, y, z), (-30.0, 12.0, 5.0))
    acquisition = Acquisition(Modality.CT, HuStatus.VERIFIED)
    return [Volume(image.T.copy(), geometry, acquisition) for image in image_of(case)]


def labels_as_planned(
    logits: np.ndarray, volume: Volume, manifest: Manifest, back: PlannedResampling, order: Any
) -> np.ndarray:
    """Labels (z, y, x) with the plans' own way from the network's grid to the image's."""
    turned = oriented_geometry(volume.geometry, manifest.sampling.orientation)
    grid = logits_grid(volume, manifest)
    box = cropped_box(volume, manifest)
    shape = tuple(s.stop - s.start for s in box)
    spacing = manifest.sampling.spacing_mm or turned.spacing_mm
    apart = separate_axis(spacing, turned.spacing_mm, back)
    assert grid == logits.shape[1:]
    there = np.stack([resize(channel, shape, back, apart) for channel in logits])
    whole = np.zeros(turned.shape, np.uint8)
    if manifest.head is Head.SOFTMAX:
        whole[box] = there.argmax(axis=0)
    else:
        for channel, value in zip(there, order, strict=True):
            whole[box][channel > 0] = value
    transposed = np.argsort(["kji".index(a) for a in manifest.sampling.orientation])
    return whole.transpose(transposed)


def cropped_box(volume: Volume, manifest: Manifest) -> tuple[slice, slice, slice]:
    from medrecon.segmentation.morphology import bounding_box

    stack = oriented(volume.array, volume.geometry, manifest.sampling.orientation)
    box = bounding_box(ndimage.binary_fill_holes(stack != 0))
    assert box is not None
    return box


def logits_grid(volume: Volume, manifest: Manifest) -> tuple[int, ...]:
    from dataclasses import replace

    box = cropped_box(volume, manifest)
    turned = oriented_geometry(volume.geometry, manifest.sampling.orientation)
    part = turned.crop([s.start for s in box], [s.stop - s.start for s in box])
    return network_grid(part, replace(manifest.sampling, orientation="ijk")).shape


def compare(name: str, case: Case, peer: str) -> None:
    with tempfile.TemporaryDirectory() as work:
        root = Path(work)
        folder = make(case, root)
        script = Path(__file__).with_name("parity_nnunet_peer.py")
        subprocess.run([peer, str(script), str(root)], check=True, stdout=subprocess.DEVNULL)
        theirs = np.load(root / "peer.npz")
        model = add(root / folder, folder=root / "store")
        manifest, volumes = model.manifest, volumes_of(case)
        network = build_model(manifest, load_weights(model))
        ready = prepare(volumes, manifest)
        back = planned_resampling(read_plans(root / folder, "3d_fullres"), "probabilities")
    input_error = float(np.abs(ready.image - theirs["input"]).max())
    print(
        f"{name}: {manifest.network.name}, {manifest.members} folds, input off by {input_error:.1e}"
    )
    for flips in (False, True):
        if flips and case.mirror is None:
            continue
        run = Flipped(network, flips_of(manifest, ready.grid)) if flips else network
        plan = plan_inference(
            ready.grid.shape, manifest.classes, manifest.sampling, torch.device("cpu")
        )
        store, _ = predict_logits(run, ready.image, plan)
        logits = np.stack([store.channel(n, EVERYWHERE) for n in range(manifest.classes)])
        order = case.dataset.get("regions_class_order")
        labels = labels_as_planned(logits, volumes[0], manifest, back, order)
        report("mirrored" if flips else "plain", logits, labels, theirs, flips)


def report(what: str, logits: np.ndarray, labels: np.ndarray, theirs: Any, flips: bool) -> None:
    for kind in ("half", "float"):
        other = theirs[f"labels_{kind}_{flips}"]
        off = np.abs(logits - theirs[f"logits_{kind}_{flips}"].astype(np.float32)).max()
        same = (labels == other).mean()
        shares = np.bincount(other.ravel()) / other.size
        print(
            f"  {what}, peer's sums in {kind}: labels {100 * same:.4f} % identical "
            f"({(labels != other).sum()} of {other.size} differ), logits off by {off:.1e}; "
            f"shares {np.round(shares, 2).tolist()}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--case", choices=sorted(CASES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, case in CASES.items():
        if args.case in (None, name):
            compare(name, case, args.peer)


if __name__ == "__main__":
    main()
