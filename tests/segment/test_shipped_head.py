"""The shipped model `head`: whole, small, honest, and deaf to what is no head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medrecon.core import Acquisition, HuStatus, Modality
from medrecon.errors import ModelUntrustedError
from medrecon.loading import load_volume
from medrecon.models.choose import choose_model, left_to_hu
from medrecon.models.concerns import print_concerns
from medrecon.models.manifest import IntendedUse
from medrecon.models.store import find, open_model, shipped_folder, verify
from medrecon.options import LoadOptions, SegmentOptions
from medrecon.pipeline import segment_volume
from medrecon.recorder import Recorder
from medrecon.segmentation.unet import UnetSegmenter

FOLDER = shipped_folder() / "head"


def test_it_is_whole_small_and_says_what_it_may_be_used_for():
    model = open_model(FOLDER)
    verify(model)
    assert sum(p.stat().st_size for p in FOLDER.iterdir()) <= 6_000_000
    manifest = model.manifest
    assert manifest.intended_use is IntendedUse.RESEARCH
    assert (manifest.licences.code, manifest.licences.weights) == ("Apache-2.0", "Apache-2.0")
    assert "intact skulls only" in manifest.training.data
    assert {f"dice_{x.label.name}" for x in manifest.labels} == set(manifest.figures)


def test_no_skull_of_it_and_nothing_that_it_finds_badly_is_for_print():
    manifest = open_model(FOLDER).manifest
    badly = {n.removeprefix("dice_") for n, dice in manifest.figures.items() if dice < 0.8}
    assert set(print_concerns(manifest)) == badly | {"skull"}
    assert "brain" not in badly


def test_auto_takes_it_for_heads_alone_and_never_for_the_skull_of_a_ct():
    models = [open_model(p) for p in sorted(shipped_folder().iterdir())]
    for part in ("HEAD", "BRAIN", "SKULL"):
        for modality in (Modality.MR, Modality.CT):
            chosen = choose_model(Acquisition(modality, HuStatus.VERIFIED, body_part=part), models)
            assert chosen.model is not None
            assert chosen.model.manifest.name == "head"
            left = left_to_hu(chosen.model.manifest, Acquisition(modality))
            assert left == ({"skull"} if modality is Modality.CT else frozenset())
    for part in ("CHEST", "ABDOMEN", ""):
        other = Acquisition(Modality.CT, HuStatus.VERIFIED, body_part=part)
        assert choose_model(other, models).model is None


@pytest.mark.data
def test_a_brain_without_a_skull_is_taken_where_somebody_says_so(data_dir: Path):
    scan = data_dir / "mr_head_template" / "spm152.nii.gz"
    volume = load_volume(scan, LoadOptions(modality=Modality.MR), Recorder())
    asked = SegmentOptions(models=("head",), device="cpu", refine=False)
    with pytest.raises(ModelUntrustedError, match="taken away in the image: --force-model"):
        segment_volume(volume, asked, Recorder())
    log = Recorder()
    found = segment_volume(volume, replace(asked, force_model=True), log)
    assert "taken all the same" in str(log.provenance.warnings)
    voxel_ml = volume.geometry.voxel_volume_mm3 / 1000
    size = {f.label.name: (f.values > 0).sum() * voxel_ml for f in found.fields}
    # Cranial cavities of adults hold 1,000 to 1,900 mL.
    assert 1000 < size["brain"] + size["ventricles"] < 1900
    assert size["ventricles"] < 150
    assert not found.observed["brain"].concerns
    assert found.observed["ventricles"].concerns


@pytest.mark.data
def test_a_chest_is_refused_as_no_head(data_dir: Path):
    (scan,) = (data_dir / "ct_chest_lidc").glob("*.zip")
    volume = load_volume(scan, LoadOptions(), Recorder())
    with pytest.raises(ModelUntrustedError, match="shows no head"):
        UnetSegmenter(find("head"), "cpu").segment(volume)
