"""Which network ran, why, what it may be used for: always said, always recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from model_folders import SMALL, example, make_model

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume, label
from medrecon.errors import ModelMissingError, ModelUntrustedError, UsageError
from medrecon.models import (
    InstalledModel,
    IntendedUse,
    Sampling,
    choose,
    store,
    write_manifest,
)
from medrecon.models.manifest import ModelLabel
from medrecon.models.networks import build_network
from medrecon.models.weights import write_weights
from medrecon.networks import model_hashes, run_networks
from medrecon.options import SegmentOptions
from medrecon.recorder import Recorder
from medrecon.segmentation import unet
from medrecon.segmentation.channels import in_channel_order

CT = Acquisition(Modality.CT, HuStatus.VERIFIED, body_part="ABDOMEN", frame="one")
GEOMETRY = Geometry((24, 20, 16), (2.0, 2.0, 3.0), (0.0, 0.0, 0.0))


def volume(acquisition: Acquisition = CT, seed: int = 0) -> Volume:
    values = np.random.default_rng(seed).normal(0, 100, GEOMETRY.shape).astype(np.int16)
    return Volume(values, GEOMETRY, acquisition)


def model(root: Path, name: str, **changes: object) -> InstalledModel:
    small = Sampling((2.0, 2.0, 3.0), "LPS", (16, 16, 16), 0.25)
    return make_model(root, name, **({"sampling": small} | changes))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store, "default_folders", lambda: (tmp_path,))
    return tmp_path


def figures(log: Recorder, number: int = 0) -> dict[str, object]:
    return dict(log.provenance.steps[number].figures)


def test_auto_records_the_model_the_reason_the_use_the_licence_and_the_plan(folder: Path) -> None:
    model(folder, "organs")
    log = Recorder()
    (found,) = run_networks(volume(), SegmentOptions(device="cpu"), log)
    noted = figures(log)
    assert found.source == noted["model"] == "organs 1.2"
    assert noted["why"] == (
        "organs 1.2 (research): made for CT of a patient, names ABDOMEN, finds 2 structures; "
        "1 installed models fit"
    )
    assert noted["use"] == "research"
    assert noted["licence"] == "CC-BY-4.0"
    # 24 × 20 × 16 voxels in tiles of 16³, 12 apart: 2 × 2 × 1.
    assert str(noted["plan"]).startswith("['4 tiles of 16×16×16 on cpu, ")
    assert "wholebody_ct_segmentation" in str(noted["could_be_pulled"])


def test_a_licence_that_was_accepted_stands_in_the_record(folder: Path) -> None:
    terms = replace(example().licences, weights="CC-BY-NC-4.0", accepted="2026-11-21")
    model(folder, "organs", licences=terms)
    log = Recorder()
    run_networks(volume(), SegmentOptions(device="cpu", models=("organs",)), log)
    assert figures(log)["licence"] == "CC-BY-NC-4.0"
    assert figures(log)["licence_accepted"] == "2026-11-21"
    assert figures(log)["why"] == "named by the person"


def test_a_ct_without_a_model_says_why_none_ran_and_what_could_be_pulled(folder: Path) -> None:
    log = Recorder()
    assert run_networks(volume(), SegmentOptions(device="cpu"), log) == []
    noted = figures(log)
    assert noted["model"] is None
    assert "none of 0 installed models" in str(noted["why"])
    assert "spleen_ct_segmentation" in str(noted["could_be_pulled"])


def test_an_mr_without_a_model_is_refused_and_says_what_could_be_pulled(folder: Path) -> None:
    mr = volume(Acquisition(Modality.MR))
    with pytest.raises(ModelMissingError, match=r"brats_mri_segmentation.*could be pulled"):
        run_networks(mr, SegmentOptions(device="cpu"), Recorder())


def test_a_models_hash_is_of_what_it_is_and_not_of_its_name(folder: Path) -> None:
    model(folder, "organs")
    named = SegmentOptions(models=("organs",))
    before = model_hashes(volume(), named)
    assert before == model_hashes(volume(), SegmentOptions())  # which "auto" takes
    manifest = folder / "organs" / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.2"', 'version = "1.3"'))
    assert model_hashes(volume(), named) != before
    assert model_hashes(volume(), SegmentOptions(tissues=("bone",))) == ()
    assert model_hashes(volume(), SegmentOptions(models=("missing",))) == ()


def test_every_part_of_a_model_runs_and_is_recorded(folder: Path) -> None:
    one = model(folder, "organs")
    other = tuple(
        ModelLabel(n, replace(x.label, name=f"more_{n}", index=2000 + n))
        for n, x in enumerate(one.manifest.labels, 1)
    )
    second = replace(one.manifest, labels=other, name="organs")
    write_manifest(replace(one.manifest, parts=(second,)), one.folder / "manifest.toml")
    log = Recorder()
    found = run_networks(volume(), SegmentOptions(device="cpu", models=("organs",)), log)
    names = [step.name for step in log.provenance.steps]
    assert names == ["network organs part 1", "network organs part 2"]
    assert len(found) == 2
    assert {x.name for x in found[1].labels} <= {"more_1", "more_2"}
    whole = unet.UnetSegmenter(store.find("organs"), "cpu").segment(volume())
    assert whole.labels == (*found[0].labels, *found[1].labels)
    assert not whole.exclusive


def test_auto_leaves_a_label_to_the_hu_engine_in_a_ct_only(folder: Path) -> None:
    liver, own = example().labels
    model(folder, "organs", labels=(replace(liver, from_hu_in_ct=True), own))

    def names(acquisition: Acquisition, options: SegmentOptions) -> set[str]:
        (found,) = run_networks(volume(acquisition), options, Recorder())
        return {x.name for x in found.labels}

    auto = SegmentOptions(device="cpu")
    assert "liver" not in names(CT, auto)
    assert "liver" in names(CT, replace(auto, models=("organs",)))
    assert "liver" in names(Acquisition(Modality.MR, body_part="ABDOMEN"), auto)


def test_a_ct_in_which_auto_model_sees_no_head_keeps_its_tissues_and_an_mr_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model(folder, "head", checks=("head",))

    def no_head(*_: object) -> None:
        raise ModelUntrustedError("the image shows no head")

    monkeypatch.setattr(unet, "require_head", no_head)
    log, auto = Recorder(), SegmentOptions(device="cpu")
    assert run_networks(volume(), auto, log) == []
    assert log.provenance.warnings == ("nothing of the network is kept: the image shows no head",)
    with pytest.raises(ModelUntrustedError):
        run_networks(volume(), replace(auto, models=("head",)), Recorder())
    mr = volume(Acquisition(Modality.MR, body_part="ABDOMEN"))
    with pytest.raises(ModelUntrustedError):
        run_networks(mr, auto, Recorder())


def test_in_a_ct_auto_takes_a_head_models_soft_labels_and_leaves_its_skull_to_the_hu_engine(
    folder: Path,
) -> None:
    brain, skull = ModelLabel(1, label("brain")), ModelLabel(2, label("skull"))
    model(folder, "heads", labels=(brain, skull))
    log, auto = Recorder(), SegmentOptions(device="cpu")
    (found,) = run_networks(volume(), auto, log)
    assert {x.name for x in found.labels} <= {"brain"}
    assert "left out: in a CT it is taken from the HU" in found.findings["skull"][-1]
    assert "finds 1 structures and leaves skull to the Hounsfield engine" in str(
        figures(log)["why"]
    )
    mr = volume(Acquisition(Modality.MR, body_part="ABDOMEN"))
    (everything,) = run_networks(mr, auto, Recorder())
    assert "skull" not in everything.findings or "left out" not in str(everything.findings)
    named = replace(auto, models=("heads",))
    (asked,) = run_networks(volume(), named, Recorder())
    assert "left out" not in str(asked.findings)


def test_auto_takes_no_model_of_which_a_ct_would_leave_nothing(folder: Path) -> None:
    model(folder, "skulls", labels=(ModelLabel(2, label("skull")),))
    assert choose.choose_model(CT).model is None
    assert choose.choose_model(Acquisition(Modality.MR, body_part="ABDOMEN")).model is not None


def test_several_channels_are_put_in_the_models_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(example().network, name="UNet", arguments={**SMALL, "in_channels": 2})
    torch.manual_seed(2)
    (folder / "tumour").mkdir()
    file = write_weights(
        build_network(spec).state_dict(), folder / "tumour" / "weights.safetensors"
    )
    manifest = replace(
        example(),
        name="tumour",
        channels=("T1", "FLAIR"),
        network=spec,
        weights=file,
        sampling=Sampling(None, "LPS", (16, 16, 16), 0.25),
    )
    write_manifest(manifest, folder / "tumour" / "manifest.toml")
    seen: list[list[float]] = []
    whole = unet.prepare
    monkeypatch.setattr(
        unet,
        "prepare",
        lambda images, m: seen.append([float(v.array.mean()) for v in images]) or whole(images, m),
    )
    t1, flair = volume(seed=1), volume(seed=2)
    options = SegmentOptions(device="cpu", models=("tumour",))
    run_networks(t1, options, Recorder(), {"flair": flair})
    run_networks(flair, options, Recorder(), {"t1": t1})
    assert seen[0] == seen[1] == [float(t1.array.mean()), float(flair.array.mean())]

    auto = choose.choose_model(CT, channels=("flair",))
    assert auto.model is not None
    assert auto.model.manifest.name == "tumour"

    elsewhere = replace(flair, acquisition=replace(CT, frame="two"))
    with pytest.raises(UsageError, match="another frame of reference"):
        run_networks(t1, options, Recorder(), {"flair": elsewhere})
    unknown = replace(flair, acquisition=replace(CT, frame=""))
    with pytest.raises(UsageError, match="states no frame of reference"):
        run_networks(t1, options, Recorder(), {"flair": unknown})
    declared = replace(options, registered=True)
    assert run_networks(t1, declared, Recorder(), {"flair": elsewhere})
    with pytest.raises(UsageError, match="takes T1, FLAIR"):
        run_networks(t1, options, Recorder(), {"t2": flair})
    with pytest.raises(UsageError, match="flair is missing, t1 was given twice"):
        run_networks(t1, replace(options, image_channel="t1"), Recorder(), {"t1": flair})


def test_a_channel_that_no_model_takes_is_refused(folder: Path) -> None:
    model(folder, "organs")
    with pytest.raises(UsageError, match="--channel flair"):
        run_networks(
            volume(),
            SegmentOptions(device="cpu", models=("organs",)),
            Recorder(),
            {"flair": volume()},
        )


def test_a_phantoms_model_never_offers_a_patients(folder: Path) -> None:
    model(folder, "balls", intended_use=IntendedUse.PHANTOM_ONLY)
    choice = choose.choose_model(replace(CT, is_phantom=True))
    assert choice.model is not None
    assert choice.more == ()


def test_another_grid_is_resampled_onto_the_first_images() -> None:
    def slope(geometry: Geometry) -> Volume:
        index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), -1)
        mm = geometry.mm_from_index(index.reshape(-1, 3)).reshape(*geometry.shape, 3)
        return Volume((mm @ [1.0, 2.0, 3.0]).astype(np.float32), geometry, CT)

    first = slope(Geometry((10, 9, 8), (1.0, 1.0, 2.0), (5.0, 6.0, 7.0)))
    other = slope(Geometry((40, 40, 40), (0.7, 0.6, 0.9), (0.0, 1.0, 2.0)))
    two = replace(example(), channels=("T1", "FLAIR"))
    images = in_channel_order(two, first, {"t1": other}, registered=False)
    assert images[1] is first
    # A slope in space is the same slope on any grid.
    assert images[0].geometry == first.geometry
    assert np.abs(images[0].array - first.array).max() < 1e-2
