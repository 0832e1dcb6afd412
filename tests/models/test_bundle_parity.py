"""Four bundles in the zoo's shapes: medrecon finds what `monai.bundle run` finds.

The bundles are written here, with random weights whose last biases are shifted so that
every class wins somewhere. MONAI runs them in a process of its own; medrecon installs
and runs them as it would a downloaded one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from scipy import ndimage

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.models import Head, InstalledModel
from medrecon.models.bundle import read_bundle
from medrecon.models.install import add
from medrecon.models.networks import build_model, build_network
from medrecon.models.store import load_weights
from medrecon.resampling import resample_volume
from medrecon.segmentation.inference import plan_inference, predict_logits
from medrecon.segmentation.prepared import Prepared, prepare
from medrecon.segmentation.unet import UnetSegmenter

RUNNER = Path(__file__).with_name("bundle_runner.py")
EVERYWHERE = (slice(None),) * 3
Table = dict[str, Any]


def step(name: str, **arguments: Any) -> Table:
    keys = "pred" if name in POST else "image"
    return {"_target_": name, "keys": keys, **arguments}


POST = {"Activationsd", "AsDiscreted", "Invertd", "SaveImaged", "Lambdad"}
LOAD = [step("LoadImaged"), step("EnsureChannelFirstd")]
SAVE = step(
    "SaveImaged",
    output_dir="@output_dir",
    output_postfix="seg",
    resample=False,
    separate_folder=False,
)
ARGMAX = [step("Activationsd", softmax=True), step("AsDiscreted", argmax=True)]


def back(nearest: bool) -> Table:
    return step("Invertd", transform="@preprocessing", orig_keys="image", nearest_interp=nearest)


@dataclass(frozen=True)
class Case:
    """One bundle: its network, its chains and the image it is run on."""

    network: Table
    before: list[Table]
    after: list[Table]
    inferer: Table
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    channels: int = 1
    is_yaml: bool = False


UNET = {"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 4}
MERGED = (
    "$lambda x: torch.where(x[[2]] > 0, 4, torch.where(x[[0]] > 0, 1, "
    "torch.where(x[[1]] > 0, 2, 0)))"
)
CASES = {
    "whole_body": Case(
        {**UNET, "channels": [4, 8, 8], "strides": [2, 2], "num_res_units": 1},
        [
            *LOAD,
            step("Orientationd", axcodes="RAS"),
            step("NormalizeIntensityd", nonzero=True),
            step("ScaleIntensityd", minv=-1.0, maxv=1.0),
        ],
        [*ARGMAX, back(True), SAVE],
        {
            "_target_": "SlidingWindowInferer",
            "roi_size": [24, 24, 24],
            "sw_batch_size": "@batch",
            "overlap": "$@batch * 0.25",
            "padding_mode": "replicate",
            "mode": "gaussian",
        },
        (1.5, 1.2, 2.0),
        (34, 30, 21),
    ),
    "brain_tumour": Case(
        {
            "_target_": "SegResNet",
            "in_channels": 4,
            "out_channels": 3,
            "init_filters": 8,
            "blocks_down": [1, 1, 1],
            "blocks_up": [1, 1],
            "dropout_prob": 0.2,
        },
        [
            step("LoadImaged", ensure_channel_first=True),
            step("NormalizeIntensityd", nonzero=True, channel_wise=True),
        ],
        [
            step("Activationsd", sigmoid=True),
            back(False),
            step("AsDiscreted", threshold=0.5),
            step("Lambdad", func=MERGED),
            SAVE,
        ],
        {"_target_": "SlidingWindowInferer", "roi_size": [24, 24, 16], "overlap": 0.5},
        (1.0, 1.0, 1.0),
        (40, 36, 24),
        channels=4,
    ),
    "template": Case(
        {**UNET, "channels": [4, 8, 8], "strides": [2, 2]},
        [*LOAD, step("ScaleIntensityd")],
        [*ARGMAX, SAVE],
        {"_target_": "SimpleInferer"},
        (1.1, 0.9, 1.3),
        (32, 28, 24),
        is_yaml=True,
    ),
    "abdomen": Case(
        {
            "_target_": "DynUNet",
            "spatial_dims": 3,
            "in_channels": 1,
            "out_channels": 4,
            "kernel_size": [3, 3, 3],
            "strides": [1, 2, [2, 2, 1]],
            "upsample_kernel_size": [2, [2, 2, 1]],
            "filters": [4, 8, 8],
            "norm_name": "instance",
        },
        [
            *LOAD,
            step("Orientationd", axcodes="RAS"),
            step("Spacingd", pixdim="@pixdim", mode="bilinear"),
            step("ScaleIntensityRanged", a_min=-250, a_max=400, b_min=0, b_max=1, clip=True),
            step("CropForegroundd", source_key="image"),
            step("EnsureTyped"),
        ],
        [step("Activationsd", softmax=True), back(False), step("AsDiscreted", argmax=True), SAVE],
        {"_target_": "SlidingWindowInferer", "roi_size": [16, 24, 12], "overlap": 0.5},
        (0.8, 0.9, 3.0),
        (42, 38, 14),
    ),
}


def geometry_of(case: Case) -> Geometry:
    """Axes to the left, posterior and superior: not the RAS that the models ask for."""
    return Geometry(case.shape, case.spacing, (-20.0, 5.0, 30.0))


def images_of(case: Case) -> np.ndarray:
    """Lumps in noise, with a rim of exactly −1000, or of zero in MR; int16."""
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((case.channels, *case.shape))
    lumps = ndimage.gaussian_filter(noise, (0, 3, 3, 2))
    values = 200 * lumps / lumps.std() + 20 * noise
    rim = np.ones(case.shape, bool)
    rim[4:-3, 3:-4, 2:-2] = False
    values[:, rim] = 0 if case.channels > 1 else -1000
    return np.rint(values).astype(np.int16)


def config_of(case: Case, image: Path) -> Table:
    """An inference configuration as the zoo's are: with idioms, references and macros."""
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "batch": 1,
        "resolution": [1.0, 1.1, 2.4],
        "pixdim": "%resolution",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "datalist": [str(image)],
        "network_def": case.network,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": case.before},
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
        "inferer": case.inferer,
        "postprocessing": {"_target_": "Compose", "transforms": case.after},
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
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
        "initialize": ["$monai.utils.set_determinism(seed=123)"],
        "run": ["$@evaluator.run()"],
    }


def metadata_of(case: Case) -> Table:
    names = {"0": "background", "1": "liver", "2": "spleen", "3": "Odd Organ"}
    channel = {"0": "t1c", "1": "t1", "2": "t2", "3": "flair"}
    if case.channels == 4:
        names = {"0": "Tumor core", "1": "Whole tumor", "2": "Enhancing tumor"}
    image = {
        "modality": "MR" if case.channels == 4 else "CT",
        "num_channels": case.channels,
        "channel_def": channel if case.channels == 4 else {"0": "image"},
    }
    outputs = {"pred": {"channel_def": names}}
    return {
        "version": "0.1.0",
        "network_data_format": {"inputs": {"image": image}, "outputs": outputs},
    }


def write(name: str, case: Case, root: Path) -> Path:
    """The bundle and its image in a folder."""
    folder = root / name
    for part in ("configs", "models"):
        (folder / part).mkdir(parents=True)
    arrays = images_of(case)
    stored = np.moveaxis(arrays, 0, -1) if case.channels > 1 else arrays[0]
    image = nib.Nifti1Image(stored, geometry_of(case).affine_ras)
    nib.save(image, root / f"{name}.nii.gz")
    config = config_of(case, root / f"{name}.nii.gz")
    text = yaml.safe_dump(config) if case.is_yaml else json.dumps(config)
    (folder / f"configs/inference.{'yaml' if case.is_yaml else 'json'}").write_text(text)
    (folder / "configs/metadata.json").write_text(json.dumps(metadata_of(case)))
    torch.save({}, folder / "models/model.pt")
    torch.save(balanced(folder, case), folder / "models/model.pt")
    return folder


def volumes_of(case: Case) -> list[Volume]:
    modality = Modality.MR if case.channels == 4 else Modality.CT
    acquisition = Acquisition(modality, HuStatus.VERIFIED, frame="one")
    return [Volume(x, geometry_of(case), acquisition) for x in images_of(case)]


def balanced(folder: Path, case: Case) -> dict[str, torch.Tensor]:
    """Random weights whose logits all have the mean zero on the image."""
    manifest = read_bundle(folder).manifest
    torch.manual_seed(5)
    network = build_network(manifest.network)
    weights = {k: v.clone() for k, v in network.state_dict().items()}
    ready = prepare(volumes_of(case), manifest)
    logits = logits_of(build_network(manifest.network, weights), ready, manifest)
    alike = [k for k, v in weights.items() if v.shape == (manifest.classes,) and "bias" in k]
    weights[alike[-1]] -= torch.from_numpy(logits.mean(axis=(1, 2, 3)))
    return weights


def logits_of(network: torch.nn.Module, ready: Prepared, manifest: Any) -> np.ndarray:
    plan = plan_inference(
        ready.grid.shape, manifest.classes, manifest.sampling, torch.device("cpu")
    )
    store, _ = predict_logits(network, ready.image, replace(plan, exact=True))
    return np.stack([store.channel(n, EVERYWHERE) for n in range(manifest.classes)])


@dataclass(frozen=True)
class Both:
    """What MONAI and medrecon found in one bundle's image."""

    case: Case
    model: InstalledModel
    labels: np.ndarray
    logits: np.ndarray
    ready: Prepared
    ours: np.ndarray


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Both]:
    root = tmp_path_factory.mktemp("bundles")
    folders = {name: write(name, case, root) for name, case in CASES.items()}
    arguments = [sys.executable, "-W", "ignore", str(RUNNER), *map(str, folders.values())]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = {}
    for name, case in CASES.items():
        model = add(folders[name], folder=root / "store")
        ready = prepare(volumes_of(case), model.manifest)
        network = build_model(model.manifest, load_weights(model))
        labels = nib.load(root / name / f"eval/{name}_seg.nii.gz").get_fdata()
        raw = nib.load(root / name / f"eval/{name}_logits.nii.gz").get_fdata(dtype=np.float32)
        ours = logits_of(network, ready, model.manifest)
        found[name] = Both(case, model, labels.astype(int), np.moveaxis(raw, -1, 0), ready, ours)
    return found


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_monai_bundle_run(results: dict[str, Both], name: str) -> None:
    both = results[name]
    assert both.ours.shape == both.logits.shape
    assert np.abs(both.ours - both.logits).max() < 1e-4


@pytest.mark.parametrize("name", CASES)
def test_every_class_wins_somewhere(results: dict[str, Both], name: str) -> None:
    assert len(np.unique(results[name].labels)) == 4
    assert np.bincount(results[name].labels.ravel()).max() < 0.8 * results[name].labels.size


@pytest.mark.parametrize("name", ["whole_body", "template"])
def test_a_softmax_bundles_fields_are_its_labels_voxel_for_voxel(
    results: dict[str, Both], name: str
) -> None:
    both = results[name]
    (volume,) = volumes_of(both.case)
    found = UnetSegmenter(both.model, "cpu").segment(volume)
    painted = np.zeros(volume.geometry.shape, int)
    for item in both.model.manifest.labels:
        field = next(f for f in found.fields if f.label == item.label)
        painted[field.slices][field.values > 0] = item.channel
    assert found.exclusive
    assert (painted == both.labels).all()


def test_a_sigmoid_bundle_of_four_channels_gives_overlapping_regions(
    results: dict[str, Both],
) -> None:
    both = results["brain_tumour"]
    t1c, t1, t2, flair = volumes_of(both.case)
    others = {"t1": t1, "T2": t2, "flair": flair}
    found = UnetSegmenter(both.model, "cpu", channels=others).segment(t1c)
    inside = np.zeros((3, *t1c.geometry.shape), bool)
    for item, field in zip(both.model.manifest.labels, found.fields, strict=True):
        inside[(item.channel, *field.slices)] = field.values > 0
    assert both.model.manifest.head is Head.SIGMOID
    assert not found.exclusive
    assert (inside.sum(axis=0) > 1).any()
    # The bundle's own last step: 4 over 1 over 2.
    merged = np.where(inside[2], 4, np.where(inside[0], 1, np.where(inside[1], 2, 0)))
    assert (merged == both.labels).all()


def test_the_way_back_as_the_bundle_inverts_it_gives_its_labels(results: dict[str, Both]) -> None:
    # MONAI takes the softmax back linearly and pads what was cropped with zeros; medrecon
    # takes logits back by cubic convolution. Done its way, the labels are its labels.
    both = results["abdomen"]
    (volume,) = volumes_of(both.case)
    chances = torch.softmax(torch.from_numpy(both.ours), 0).numpy()
    grid = prepare([volume], replace(both.model.manifest, sampling=uncropped(both.model))).grid
    start = np.rint(grid.index_from_mm([both.ready.grid.origin_mm])[0]).astype(int)
    place = tuple(slice(s, s + n) for s, n in zip(start, both.ready.grid.shape, strict=True))
    there = []
    for chance in chances:
        whole = np.zeros(grid.shape, np.float32)
        whole[place] = chance
        there.append(resample_volume(Volume(whole, grid), volume.geometry).array)
    assert both.ready.cropped
    assert (np.argmax(there, axis=0) == both.labels).all()


def uncropped(model: InstalledModel) -> Any:
    from medrecon.models import Crop

    return replace(model.manifest.sampling, crop=Crop.NONE)
