"""A bundle is read as data: the plain ones run as MONAI runs them, the others are refused."""

from __future__ import annotations

import copy
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.errors import ModelError, ModelMissingError, ModelUntrustedError
from medrecon.models import Anchor, Blend, Head, IntensityKind, verify
from medrecon.models.bundle import read_bundle
from medrecon.models.bundle_values import BundleConfig
from medrecon.models.grid import network_grid
from medrecon.models.install import add
from medrecon.models.intensity import normalise
from medrecon.models.networks import build_network
from medrecon.models.store import load_weights
from medrecon.resampling import resample_volume

METADATA: dict[str, Any] = {
    "version": "0.5.9",
    "task": "A test",
    "data_source": "none",
    "eval_metrics": {"mean_dice": 0.96},
    "network_data_format": {
        "inputs": {"image": {"modality": "CT", "num_channels": 1, "channel_def": {"0": "image"}}},
        "outputs": {"pred": {"channel_def": {"0": "background", "1": "Liver", "2": "My Organ"}}},
    },
}

INFERENCE: dict[str, Any] = {
    "imports": ["$import glob", "$import os"],
    "bundle_root": ".",
    "highres": True,
    "datalist": "$list(sorted(glob.glob(@bundle_root + '/imagesTs/*.nii.gz')))",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "pixdim": "$[1.5, 1.5, 2.0] if @highres else [3.0, 3.0, 3.0]",
    "network_def": {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 3,
        "channels": [4, 8],
        "strides": [2],
        "norm": "batch",
    },
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "EnsureChannelFirstd", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {"_target_": "Spacingd", "keys": "image", "pixdim": "@pixdim", "mode": "bilinear"},
            {
                "_target_": "ScaleIntensityRanged",
                "keys": "image",
                "a_min": -57,
                "a_max": 164,
                "b_min": 0,
                "b_max": 1,
                "clip": True,
            },
            {"_target_": "EnsureTyped", "keys": "image"},
        ],
    },
    "inferer": {
        "_target_": "SlidingWindowInferer",
        "roi_size": [32, 32, 16],
        "sw_batch_size": 4,
        "overlap": 0.5,
    },
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
        ],
    },
    "initialize": ["$monai.utils.set_determinism(seed=123)"],
    "run": ["$@evaluator.run()"],
    "evaluator": {"_target_": "SupervisedEvaluator", "device": "@device"},
}


def write_bundle(
    folder: Path,
    inference: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    weights: object | None = None,
) -> Path:
    """A bundle with random weights in the zoo's shape."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs/inference.json").write_text(json.dumps(inference or INFERENCE))
    (folder / "configs/metadata.json").write_text(json.dumps(metadata or METADATA))
    if weights is None:
        row = INFERENCE["network_def"]
        torch.manual_seed(4)
        from monai.networks.nets.unet import UNet

        arguments = {k: v for k, v in row.items() if k != "_target_"}
        weights = UNet(**arguments).state_dict()
    torch.save(weights, folder / "models/model.pt")
    return folder


def test_a_plain_bundle_becomes_a_manifest(tmp_path: Path) -> None:
    manifest = read_bundle(write_bundle(tmp_path / "Spleen_CT")).manifest
    assert manifest.identity == "spleen_ct 0.5.9"
    assert manifest.sampling.spacing_mm == (1.5, 1.5, 2.0)
    assert manifest.sampling.orientation == "RAS"
    assert (manifest.sampling.patch, manifest.sampling.overlap) == ((32, 32, 16), 0.5)
    assert (manifest.sampling.anchor, manifest.sampling.blend) == (
        Anchor.FIRST_VOXEL,
        Blend.CONSTANT,
    )
    assert manifest.intensity.kind is IntensityKind.WINDOW
    assert (manifest.intensity.low, manifest.intensity.high) == (-57, 164)
    assert manifest.head is Head.SOFTMAX
    assert [(x.channel, x.label.name) for x in manifest.labels] == [(1, "liver"), (2, "my_organ")]
    assert manifest.modalities == (Modality.CT,)
    assert not manifest.phantom_only


@pytest.mark.parametrize("packed", [False, True])
def test_a_bundle_is_installed_as_safetensors(tmp_path: Path, packed: bool) -> None:
    source = write_bundle(tmp_path / "organs")
    if packed:
        with zipfile.ZipFile(tmp_path / "organs.zip", "w") as archive:
            for path in sorted(source.rglob("*.*")):
                archive.write(path, f"organs/{path.relative_to(source)}")
        source = tmp_path / "organs.zip"
    model = add(source, folder=tmp_path / "store")
    verify(model)
    assert model.manifest.name == "organs"
    names = sorted(p.name for p in model.folder.iterdir())
    assert names == ["manifest.toml", "weights.safetensors"]
    original = torch.load(tmp_path / "organs/models/model.pt", weights_only=True)
    loaded = load_weights(model)
    assert all(torch.equal(loaded[k], original[k]) for k in original)


def test_its_input_and_logits_are_monais(tmp_path: Path) -> None:
    """The reference: MONAI's own transforms and inferer, as the bundle would call them."""
    from monai.data.meta_tensor import MetaTensor
    from monai.inferers.inferer import SlidingWindowInferer
    from monai.transforms.intensity.array import ScaleIntensityRange
    from monai.transforms.spatial.array import Orientation, Spacing

    from medrecon.segmentation.inference import plan_inference, predict_logits

    rng = np.random.default_rng(0)
    geometry = Geometry((61, 47, 23), (0.9, 0.9, 2.5), (-20.0, 5.0, 30.0))
    # Whole numbers as a scanner stores them; smooth enough for the random net to vary.
    values = rng.integers(-200, 300, geometry.shape).astype(np.int16)
    volume = Volume(values, geometry, Acquisition(Modality.CT, HuStatus.VERIFIED))

    model = add(write_bundle(tmp_path / "organs"), folder=tmp_path / "store")
    manifest = model.manifest
    network = build_network(manifest.network, load_weights(model))
    image = MetaTensor(values.astype(np.float32)[None], affine=geometry.affine_ras)
    image = Spacing((1.5, 1.5, 2.0), mode="bilinear")(Orientation("RAS", labels=None)(image))
    image = ScaleIntensityRange(-57, 164, 0, 1, clip=True)(image)
    with torch.inference_mode():
        tensor = image.as_tensor()[None]
        expected = SlidingWindowInferer((32, 32, 16), 4, 0.5)(tensor, network)
    assert isinstance(expected, torch.Tensor)

    grid = network_grid(geometry, manifest.sampling)
    assert np.allclose(grid.affine_ras, image.affine.numpy(), atol=1e-5)
    exact = Volume(values.astype(np.float32), geometry, volume.acquisition)
    ours = normalise(resample_volume(exact, grid).array, manifest.intensity)
    assert ours.shape == tuple(image.shape[1:])
    assert np.abs(ours - image.numpy()[0]).max() < 1e-4
    plan = plan_inference(grid.shape, 3, manifest.sampling, torch.device("cpu"))
    store, _ = predict_logits(network, ours[None], plan)
    for channel in range(3):
        logits = store.channel(channel, (slice(None),) * 3)
        assert np.abs(logits - expected[0, channel].numpy()).max() < 1e-4


TRACE = "touched"
HOSTILE: list[tuple[str, Any]] = [
    ("network_def#_target_", "subprocess.check_output"),
    ("network_def#_target_", "os.system"),
    ("network_def#_target_", "builtins.eval"),
    ("network_def#_target_", "scripts.network.MyNet"),
    ("network_def#_target_", "evil.UNet"),
    ("network_def#_target_", "$__import__('pathlib').Path('touched').touch()"),
    ("network_def#_mode_", "callable"),
    ("network_def#_requires_", "$__import__('pathlib').Path('touched').touch()"),
    ("network_def#channels", "$[4, 8] if __import__('os').system('touch touched') else [4, 8]"),
    ("network_def#channels", "$(lambda: [4, 8])()"),
    ("network_def#channels", "$[x for x in (4, 8)]"),
    ("network_def#channels", "$[4, 8].copy()"),
    ("network_def#strides", "$[2] * 10 ** 10 ** 10"),
    ("network_def#norm", "$'batch'.__class__.__mro__"),
    ("network_def#norm", "@network_def#norm"),
    ("network_def#norm", "@nowhere"),
    ("network_def#norm", "%other.json#norm"),
    ("network_def#norm", "%/etc/passwd"),
    ("imports#0", "$import scripts"),
    ("imports#0", "$import os; os.system('touch touched')"),
    ("imports#0", "$from os import system"),
    ("initialize#0", "$open('touched', 'w')"),
    ("initialize#0", "$exec('import os')"),
    ("initialize#0", "$monai.utils.set_determinism(seed=open('touched', 'w'))"),
    ("initialize#0", "$setattr(torch.backends.cudnn, 'benchmark', open('touched', 'w'))"),
    ("run#0", "$@evaluator.run(open('touched', 'w'))"),
    ("device", "$torch.device('cpu' if torch.cuda.is_available() else open('touched', 'w'))"),
    ("datalist", "$list(sorted(glob.glob(@bundle_root + open('touched', 'w'))))"),
    ("preprocessing#transforms#0#_target_", "Lambdad"),
    ("preprocessing#transforms#0#_target_", "monai.transforms.RandLambdad"),
    ("postprocessing#transforms#0#_target_", "torch.load"),
    ("inferer#_target_", "monai.bundle.run"),
    ("inferer", "$" + "-" * 1900 + "1"),
    ("device", "$" + "(" * 900 + ")" * 900),
]


@pytest.mark.parametrize(("key", "value"), HOSTILE)
def test_a_hostile_bundle_is_refused_and_nothing_of_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: object
) -> None:
    monkeypatch.chdir(tmp_path)
    inference = copy.deepcopy(INFERENCE)
    place: Any = inference
    *path, last = key.split("#")
    for part in path:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[int(last) if isinstance(place, list) else last] = value
    source = write_bundle(tmp_path / "evil", inference)
    with pytest.raises(ModelUntrustedError) as caught:
        add(source, folder=tmp_path / "store")
    assert caught.value.exit_code == 7
    assert "the bundle's" in str(caught.value)
    assert not Path(TRACE).exists()
    assert list((tmp_path / "store").iterdir()) == []


class Bomb:
    """Its unpickling would leave a file behind."""

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (Path(TRACE),)


PICKLES = [
    Bomb(),
    {"model": Bomb()},
    {"state_dict": {"w": Bomb()}},
    [torch.zeros(1), Bomb()],
    {"w": torch.zeros(1), "hook": Bomb()},
    torch.nn.Conv3d(1, 1, 1),
    {"w": "text"},
    [1, 2],
]


@pytest.mark.parametrize("number", range(len(PICKLES)))
@pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE")
def test_weights_that_are_a_program_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write_bundle(tmp_path / "evil", weights=PICKLES[number])
    with pytest.raises(ModelUntrustedError):
        add(source, folder=tmp_path / "store")
    assert not Path(TRACE).exists()


@pytest.mark.parametrize("content", [pickle.dumps(Bomb()), pickle.dumps(Bomb(), 0), b"", b"junk"])
def test_a_bare_pickle_under_the_weights_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write_bundle(tmp_path / "evil")
    (source / "models/model.pt").write_bytes(content)
    with pytest.raises(ModelUntrustedError):
        add(source, folder=tmp_path / "store")
    assert not Path(TRACE).exists()


def test_a_transform_that_is_not_known_is_named_with_its_key(tmp_path: Path) -> None:
    inference = copy.deepcopy(INFERENCE)
    inference["preprocessing"]["transforms"][4]["b_max"] = None
    with pytest.raises(ModelUntrustedError, match=r"transforms#4.*without a range"):
        read_bundle(write_bundle(tmp_path / "b", inference))


def test_a_sigmoid_head_has_a_label_in_channel_zero(tmp_path: Path) -> None:
    inference = copy.deepcopy(INFERENCE)
    inference["postprocessing"]["transforms"][0] = {"_target_": "Activationsd", "sigmoid": True}
    metadata = copy.deepcopy(METADATA)
    names = {"0": "Tumor core", "1": "Whole tumor", "2": "Enhancing tumor"}
    metadata["network_data_format"]["outputs"]["pred"]["channel_def"] = names
    manifest = read_bundle(write_bundle(tmp_path / "b", inference, metadata)).manifest
    assert manifest.head is Head.SIGMOID
    assert [x.label.name for x in manifest.labels] == [
        "tumor_core",
        "whole_tumor",
        "enhancing_tumor",
    ]


def test_a_simple_inferer_takes_the_whole_grid(tmp_path: Path) -> None:
    inference = copy.deepcopy(INFERENCE)
    inference["inferer"] = {"_target_": "SimpleInferer"}
    assert (
        read_bundle(write_bundle(tmp_path / "b", inference)).manifest.sampling.blend is Blend.WHOLE
    )


def test_weights_of_another_network_do_not_fit(tmp_path: Path) -> None:
    source = write_bundle(tmp_path / "b", weights={"w": torch.zeros(3)})
    with pytest.raises(ModelError, match="cannot be built"):
        add(source, folder=tmp_path / "store")


def test_a_bundle_without_a_configuration_is_incomplete(tmp_path: Path) -> None:
    source = write_bundle(tmp_path / "b")
    (source / "configs/inference.json").unlink()
    with pytest.raises(ModelMissingError, match="inference"):
        read_bundle(source)


def test_plain_arithmetic_is_worked_out() -> None:
    config = BundleConfig(
        {"a": 3, "b": "$@a * 2 - 1", "c": ["$-@b", "@a"], "d": "$'x' + 'y'", "e": "@c#1"}
    )
    assert config.value("b") == 5
    assert config.value("c") == [-5, 3]
    assert config.value("d") == "xy"
    assert config.value("e") == 3
    assert config.value("nothing", "default") == "default"


def changed(**rows: Any) -> dict[str, Any]:
    return copy.deepcopy(INFERENCE) | rows


def chain(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"_target_": "Compose", "transforms": list(steps)}


def test_macros_constants_and_lengths_are_worked_out() -> None:
    config = BundleConfig(
        {
            "size": [96, 96, 96],
            "dims": "$len(@size)",
            "again": "%size",
            "first": "%again#0",
            "image": "$monai.utils.CommonKeys.IMAGE",
        }
    )
    assert config.value("dims") == 3
    assert config.value("again") == [96, 96, 96]
    assert config.value("image") == "image"
    config.require_harmless()


def test_what_a_run_does_not_need_is_not_worked_out(tmp_path: Path) -> None:
    inference = changed(steps=INFERENCE["preprocessing"]["transforms"])
    inference["preprocessing"] = {"_target_": "Compose", "transforms": "$@steps"}
    inference["inferer"]["device"] = "$torch.device('cuda:0')"
    inference["handlers"] = [
        {"_target_": "CheckpointLoader", "_disabled_": "$not os.path.exists(@bundle_root)"}
    ]
    manifest = read_bundle(write_bundle(tmp_path / "b", inference)).manifest
    assert manifest.intensity.kind is IntensityKind.WINDOW


def test_a_disabled_transform_is_left_out(tmp_path: Path) -> None:
    inference = changed()
    inference["preprocessing"]["transforms"][3]["_disabled_"] = True
    assert read_bundle(write_bundle(tmp_path / "b", inference)).manifest.sampling.spacing_mm is None


def test_steps_of_normalisation_follow_one_another(tmp_path: Path) -> None:
    steps = chain(
        {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True},
        {"_target_": "ScaleIntensityd", "keys": "image", "minv": -1, "maxv": 1},
        {"_target_": "ScaleIntensityRangePercentilesd", "keys": "image"}
        | {"lower": 1, "upper": 99, "b_min": 0, "b_max": 2, "clip": True},
    )
    manifest = read_bundle(write_bundle(tmp_path / "b", changed(preprocessing=steps))).manifest
    kinds = [x.kind for x in manifest.intensity.steps]
    assert kinds == [IntensityKind.ZSCORE, IntensityKind.MINMAX, IntensityKind.PERCENTILE]
    assert [x.together for x in manifest.intensity.steps] == [False, True, True]
    # Without Orientationd the image keeps its own axes.
    assert manifest.sampling.orientation == "ijk"


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"_target_": "Spacingd", "keys": "image", "pixdim": [1, 1, 1]}, "Spacingd"),
        ({"_target_": "CropForegroundd", "keys": "image", "margin": 5}, "margin"),
        ({"_target_": "Lambdad", "keys": "image", "func": "$lambda x: None"}, "Lambdad"),
    ],
)
def test_a_step_in_another_place_or_way_is_refused(
    tmp_path: Path, step: dict[str, Any], words: str
) -> None:
    inference = changed()
    inference["preprocessing"]["transforms"].append(step)
    with pytest.raises(ModelUntrustedError, match=rf"transforms#6.*{words}"):
        read_bundle(write_bundle(tmp_path / "b", inference))


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        (3, {"scale_extent": True}, "scale_extent"),
        (3, {"diagonal": True}, "diagonal"),
        (4, {"keys": "label"}, "not the image"),
    ],
)
def test_what_would_change_the_image_otherwise_is_refused(
    tmp_path: Path, place: int, change: dict[str, Any], words: str
) -> None:
    inference = copy.deepcopy(INFERENCE)
    inference["preprocessing"]["transforms"][place] |= change
    with pytest.raises(ModelUntrustedError, match=words):
        read_bundle(write_bundle(tmp_path / "b", inference))


def test_a_spacing_before_the_orientation_is_taken_only_if_it_is_the_same_everywhere(
    tmp_path: Path,
) -> None:
    inference = copy.deepcopy(INFERENCE)
    steps = inference["preprocessing"]["transforms"]
    steps[2], steps[3] = steps[3], steps[2]
    with pytest.raises(ModelUntrustedError, match="after a Spacingd"):
        read_bundle(write_bundle(tmp_path / "b", inference))
    steps[2]["pixdim"] = [2, 2, 2]
    sampling = read_bundle(write_bundle(tmp_path / "c", inference)).manifest.sampling
    assert sampling.spacing_mm == (2.0, 2.0, 2.0)


@pytest.mark.parametrize("level", [0.2, 0.9])
def test_another_level_than_a_half_is_refused(tmp_path: Path, level: float) -> None:
    inference = copy.deepcopy(INFERENCE)
    steps = inference["postprocessing"]["transforms"]
    steps[0] = {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
    steps[1] = {"_target_": "AsDiscreted", "keys": "pred", "threshold": level}
    with pytest.raises(ModelUntrustedError, match=r"another threshold than 0\.5"):
        read_bundle(write_bundle(tmp_path / "b", inference))


def test_the_largest_part_is_kept_where_the_bundle_keeps_it(tmp_path: Path) -> None:
    from medrecon.models import Components

    inference = changed()
    row = {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [2]}
    inference["postprocessing"]["transforms"].append(row)
    labels = read_bundle(write_bundle(tmp_path / "b", inference)).manifest.labels
    assert [x.components for x in labels] == [Components.ALL, Components.LARGEST]


def test_weights_under_another_name_are_found_where_the_loader_names_them(tmp_path: Path) -> None:
    inference = changed(
        checkpointloader={
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/tuned.pt'",
        }
    )
    source = write_bundle(tmp_path / "b", inference)
    (source / "models/model.pt").rename(source / "models/tuned.pt")
    assert read_bundle(source).weights_path.name == "tuned.pt"


def test_channels_without_names_are_called_by_their_number(tmp_path: Path) -> None:
    metadata = copy.deepcopy(METADATA)
    del metadata["network_data_format"]["outputs"]
    labels = read_bundle(write_bundle(tmp_path / "b", metadata=metadata)).manifest.labels
    assert [x.label.name for x in labels] == ["label_1", "label_2"]


def test_a_licence_that_reserves_uses_must_be_accepted_once(tmp_path: Path) -> None:
    from medrecon.models.terms import Terms

    source = write_bundle(tmp_path / "b")
    (source / "docs").mkdir()
    (source / "docs/data_license.txt").write_text("Weights: CC BY-NC 4.0, see the site.")
    with pytest.raises(ModelUntrustedError, match=r"CC BY-NC 4\.0.*--accept-license"):
        add(source, folder=tmp_path / "store")
    model = add(source, folder=tmp_path / "store", terms=Terms(accepted=True))
    assert len(model.manifest.licences.accepted) == len("2026-11-21")
    # What is accepted stays accepted when the model's own folder is added again.
    again = add(model.folder, folder=tmp_path / "other")
    assert again.manifest.licences == model.manifest.licences


def test_a_known_models_terms_are_written_into_its_manifest(tmp_path: Path) -> None:
    from medrecon.models.terms import Terms

    source = write_bundle(tmp_path / "b")
    terms = Terms(accepted=False, weights="data need a registration", required=True)
    with pytest.raises(ModelUntrustedError, match="data need a registration"):
        add(source, folder=tmp_path / "store", terms=terms)
    from dataclasses import replace

    model = add(source, folder=tmp_path / "store", terms=replace(terms, accepted=True))
    assert model.manifest.licences.weights == "data need a registration"
    assert model.manifest.licences.accepted
