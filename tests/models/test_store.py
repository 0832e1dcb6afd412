"""Weights are trusted only if they are the ones described, and only if they cannot run."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from model_folders import SMALL, make_model

from medrecon.core import Acquisition, HuStatus, Modality
from medrecon.errors import (
    ModelError,
    ModelHashError,
    ModelMissingError,
    ModelUntrustedError,
)
from medrecon.models import (
    IntendedUse,
    NetworkSpec,
    WeightsFile,
    choose_model,
    find,
    installed,
    verify,
    write_manifest,
)
from medrecon.models.allowed import ALLOWED
from medrecon.models.manifest import Literal
from medrecon.models.networks import build_network
from medrecon.models.store import load_weights, open_model
from medrecon.models.weights import tensors_from_bytes, write_weights


def test_a_model_is_found_by_name_and_by_folder(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    assert find("two_organs", [tmp_path]) == model
    assert find(model.folder, []) == model
    assert [m.manifest.name for m in installed([tmp_path])] == ["two_organs"]


def test_a_path_means_its_folder_and_no_installed_model_of_that_name(tmp_path: Path) -> None:
    store = tmp_path / "store"
    make_model(store)
    mine = make_model(tmp_path / "mine", title="another")
    assert find(mine.folder, [store]) == mine
    assert find(str(mine.folder), [store]).manifest.title == "another"
    with pytest.raises(ModelMissingError):
        find(tmp_path / "nowhere" / "two_organs", [store])


def test_a_missing_model_is_answered_with_what_there_is(tmp_path: Path) -> None:
    make_model(tmp_path)
    with pytest.raises(ModelMissingError, match=r"'spleen'.*installed: two_organs"):
        find("spleen", [tmp_path])


def test_a_broken_model_is_not_listed_but_says_why_when_asked_for(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    (model.folder / "manifest.toml").write_text("schema = 1\n")
    assert installed([tmp_path]) == ()
    with pytest.raises(ModelError, match="missing"):
        find("two_organs", [tmp_path])


def test_the_first_folder_wins_over_the_next(tmp_path: Path) -> None:
    mine = make_model(tmp_path / "mine")
    make_model(tmp_path / "shipped")
    assert installed([tmp_path / "mine", tmp_path / "shipped"]) == (mine,)


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    verify(model)
    weights = load_weights(model)
    build_network(model.manifest.network, weights)
    torch.manual_seed(1)
    expected = build_network(model.manifest.network).state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[k], expected[k]) for k in expected)


def test_one_changed_bit_is_refused(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    content = bytearray(model.weights_path.read_bytes())
    content[-1] ^= 1
    model.weights_path.write_bytes(content)
    with pytest.raises(ModelHashError, match="SHA-256"):
        load_weights(model)


def test_missing_weights_are_missing(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    model.weights_path.unlink()
    with pytest.raises(ModelMissingError, match="install the model again"):
        verify(model)


class Bomb:
    """Its unpickling would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_pickle_is_refused_under_any_name_and_never_runs(tmp_path: Path, name: str) -> None:
    model = make_model(tmp_path)
    trace = tmp_path / "ran"
    content = pickle.dumps(Bomb(trace))
    (model.folder / name).write_bytes(content)
    file = WeightsFile(name, hashlib.sha256(content).hexdigest(), len(content))
    write_manifest(replace(model.manifest, weights=file), model.folder / "manifest.toml")
    with pytest.raises(ModelUntrustedError, match=r"pickle"):
        load_weights(open_model(model.folder))
    assert not trace.exists()


def test_half_precision_weights_differ_by_at_most_one_rounding(tmp_path: Path) -> None:
    torch.manual_seed(2)
    whole = {"w": torch.randn(1000)}
    file = write_weights(whole, tmp_path / "w.safetensors", half=True)
    # 1000 values of 2 bytes, and a header of some 70 bytes.
    assert 2000 < file.bytes < 2200
    back = tensors_from_bytes((tmp_path / "w.safetensors").read_bytes(), "w")["w"]
    assert back.dtype == torch.float32
    # float16 keeps 11 significant bits: half a unit in the last place is 2⁻¹¹ relative;
    # numbers under 2⁻¹⁴ are subnormal, with an absolute step of 2⁻²⁴.
    assert torch.allclose(back, whole["w"], rtol=2**-11, atol=2**-24)


def test_a_network_outside_the_list_is_refused() -> None:
    with pytest.raises(ModelUntrustedError, match=r"'subprocess.run'.*UNet"):
        build_network(NetworkSpec("subprocess.run", {"args": ["true"]}))


def test_an_unknown_argument_is_named() -> None:
    with pytest.raises(ModelError, match="colour"):
        build_network(NetworkSpec("UNet", SMALL | {"colour": "red"}))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    weights = load_weights(make_model(tmp_path))
    with pytest.raises(ModelError, match="cannot be built"):
        build_network(NetworkSpec("UNet", SMALL | {"channels": [8, 16]}), weights)


def test_automatic_choice_keeps_phantoms_and_patients_apart(tmp_path: Path) -> None:
    phantom = make_model(tmp_path, "phantom", intended_use=IntendedUse.PHANTOM_ONLY)
    person = make_model(tmp_path, "person")
    models = [phantom, person]
    ct = Acquisition(Modality.CT, HuStatus.VERIFIED, body_part="ABDOMEN")
    assert choose_model(replace(ct, is_phantom=True), models).model == phantom
    assert choose_model(ct, models).model == person
    nothing = choose_model(ct, [phantom])
    assert nothing.model is None
    assert "none of 1 installed models" in nothing.reason


def test_automatic_choice_heeds_modality_and_body_part(tmp_path: Path) -> None:
    abdomen = make_model(tmp_path, "abdomen", modalities=(Modality.CT,))
    head = Acquisition(Modality.CT, HuStatus.VERIFIED, body_part="HEAD")
    assert choose_model(head, [abdomen]).model is None
    assert choose_model(replace(head, body_part="ABDOMEN"), [abdomen]).model == abdomen
    mr = Acquisition(Modality.MR)
    assert choose_model(mr, [abdomen]).model is None


def test_a_model_for_one_body_part_is_not_offered_where_none_is_named(tmp_path: Path) -> None:
    abdomen = make_model(tmp_path, "abdomen", modalities=(Modality.CT, Modality.MR))
    for modality in (Modality.CT, Modality.MR):
        assert choose_model(Acquisition(modality, HuStatus.VERIFIED), [abdomen]).model is None


def test_a_model_that_would_fit_an_image_of_no_named_body_part_is_told_of(tmp_path: Path) -> None:
    belly = make_model(tmp_path, "belly", modalities=(Modality.CT, Modality.MR))
    unnamed = choose_model(Acquisition(Modality.MR), [belly])
    assert unnamed.model is None
    assert unnamed.reason.endswith("names no body part; if it is ABDOMEN: --model belly")
    named = choose_model(Acquisition(Modality.MR, body_part="HEAD"), [belly])
    assert "--model" not in named.reason


def test_importing_the_models_room_loads_no_torch() -> None:
    code = (
        "import sys, medrecon.models; "
        "sys.exit(any(m.split('.')[0] in ('torch', 'monai') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_weights_that_two_names_share_can_be_written(tmp_path: Path) -> None:
    shared = torch.ones(3)
    write_weights({"a": shared, "b": shared}, tmp_path / "w.safetensors")
    back = tensors_from_bytes((tmp_path / "w.safetensors").read_bytes(), "w")
    assert torch.equal(back["a"], back["b"])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("BasicUNet", {"spatial_dims": 3, "out_channels": 2, "features": [4, 4, 4, 4, 4, 4]}),
        ("SegResNet", {"in_channels": 1, "out_channels": 2, "init_filters": 8}),
        ("SegResNetDS", {"in_channels": 1, "out_channels": 2, "init_filters": 8}),
        ("SwinUNETR", {"in_channels": 1, "out_channels": 2, "feature_size": 12}),
        (
            "DynUNet",
            {
                "spatial_dims": 3,
                "in_channels": 1,
                "out_channels": 2,
                "kernel_size": [3, 3, 3],
                "strides": [1, 2, 2],
                "upsample_kernel_size": [2, 2],
                "filters": [4, 8, 8],
                "norm_name": ["INSTANCE", {"affine": True}],
            },
        ),
    ],
)
def test_every_network_of_the_list_is_built_saved_and_built_again(
    tmp_path: Path, name: str, arguments: dict[str, Literal]
) -> None:
    network = build_network(NetworkSpec(name, arguments))
    write_weights(network.state_dict(), tmp_path / "w.safetensors")
    weights = tensors_from_bytes((tmp_path / "w.safetensors").read_bytes(), name)
    again = build_network(NetworkSpec(name, arguments), weights)
    assert set(ALLOWED) >= {name}
    expected = network.state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in again.state_dict().items())
