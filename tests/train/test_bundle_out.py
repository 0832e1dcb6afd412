"""A trained model as a MONAI bundle: medrecon reads it back, the zoo's own tool runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from toy import LEFT, toy_options, toy_pair, toy_samples

from medrecon.errors import ModelError
from medrecon.files import nifti
from medrecon.models.bundle import read_bundle
from medrecon.models.manifest import Components, Intensity, IntensityKind
from medrecon.quality.overlap import dice
from medrecon.segmentation.unet import UnetSegmenter
from medrecon.train import train, write_bundle
from medrecon.train.bundle_out import _normalisation


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    write_bundle(
        train(toy_samples(), toy_options(60, components=Components.ALL), output=folder),
        folder / "bundle",
    )
    return folder / "bundle"


def test_medrecons_own_reader_takes_it_and_finds_the_same_settings(bundle: Path) -> None:
    manifest = read_bundle(bundle).manifest
    options = toy_options()
    assert manifest.sampling.spacing_mm == options.sampling.spacing_mm
    assert manifest.sampling.patch == options.sampling.patch
    assert manifest.intensity == options.intensity
    assert dict(manifest.network.arguments) == dict(options.network.arguments)
    assert [x.label.name for x in manifest.labels] == ["kidney_left", "kidney_right"]


def test_monai_bundle_run_finds_what_medrecon_finds(bundle: Path, tmp_path: Path) -> None:
    volume, _ = toy_pair(5000)
    (tmp_path / "in").mkdir()
    nifti.write_volume(volume, tmp_path / "in" / "case.nii.gz")
    words = ["run", "--config_file", bundle / "configs/inference.json"]
    words += ["--bundle_root", bundle, "--dataset_dir", tmp_path / "in"]
    words += ["--output_dir", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "monai.bundle", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = (tmp_path / "out").rglob("*.nii.gz")
    theirs = np.asarray(nibabel.load(path).dataobj).squeeze()
    from medrecon.models import find

    (field, _) = UnetSegmenter(find(bundle.parent, []), "cpu").segment(volume).fields
    mine = np.zeros(volume.geometry.shape, np.bool_)
    mine[field.slices] = field.values > 0
    # Their grid is fastened to the first voxel and ours to the middle; at the model's own
    # spacing both are the image's.
    agree = dice(mine, theirs == 1)
    assert agree is not None
    assert agree > 0.99
    assert field.label.name == LEFT.name


def test_what_a_bundle_cannot_state_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot state"):
        _normalisation(Intensity(IntensityKind.FIXED_ZSCORE))
