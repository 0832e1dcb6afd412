"""`medrecon models add`, then `seg` with the model, as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nnunet_folders
import numpy as np
from scipy import ndimage

from medrecon.core import Geometry, Modality, Volume
from medrecon.core.volume import Acquisition
from medrecon.files import nifti

GRID = Geometry((30, 28, 14), (1.1, 1.1, 2.8), (0.0, 0.0, 0.0))


def medrecon(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    paths = {"PYTHONPATH": str(Path(__file__).parents[2] / "cli"), "XDG_DATA_HOME": str(cwd)}
    return subprocess.run(
        [sys.executable, "-m", "medrecon_cli", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | paths | {"OMP_NUM_THREADS": "1"},
        timeout=300,
    )


def image(path: Path, seed: int) -> Path:
    lumps = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=GRID.shape), 2)
    values = np.asfortranarray(np.rint(500 + 2000 * lumps).astype(np.int16))
    nifti.write_volume(Volume(values, GRID, Acquisition(Modality.MR)), path)
    return path


def test_an_nnunet_folder_of_two_channels_from_adding_it_to_its_label_map(tmp_path: Path) -> None:
    stated = nnunet_folders.plans(
        channels=2,
        normalization_schemes=["ZScoreNormalization"] * 2,
        use_mask_for_norm=[False] * 2,
    )
    folder = nnunet_folders.write(tmp_path / "trained", stated)
    added = medrecon("models", "add", folder, "--name", "Brain Parts", cwd=tmp_path)
    assert added.stdout == "brain_parts 1 installed: research\n", added.stderr

    t1, t2 = image(tmp_path / "a.nii.gz", 1), image(tmp_path / "b.nii.gz", 2)
    channels = ("--channel", f"t1={t1}", "--channel", f"t2={t2}", "--modality", "MR")
    shared = ("--model", "brain_parts", "--no-progress", "-d", "cpu")
    # NIfTI states no frame of reference: the person must say that the images are registered.
    refused = medrecon("seg", *channels, *shared, "-o", "no", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--registered" in refused.stderr

    done = medrecon("seg", *channels, *shared, "--registered", "--tta", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "network brain_parts 1 for research: named by the person" in done.stdout
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert record["options"]["segment"]["tta"] is True
    assert record["options"]["segment"]["image_channel"] == "t1"
    assert str(tmp_path) not in json.dumps(record)
    (step,) = [s["figures"] for s in record["steps"] if s["name"] == "network brain_parts"]
    assert step["model"] == "brain_parts 1"
    # 13 × 31 × 33 voxels of 3 × 1 × 1 mm in tiles of 8 × 16 × 16, at most half a tile apart:
    # ⌈5 / 4⌉ + 1 = 3, ⌈15 / 8⌉ + 1 = 3 and ⌈17 / 8⌉ + 1 = 4 of them.
    assert step["plan"][0].startswith("36 tiles of 8×16×16 on cpu")
    assert record["segmenters"] == ["brain_parts 1"]
