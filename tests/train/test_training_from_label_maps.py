"""`medrecon train --from-labels` as a user runs it: killed, started again, and used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from medrecon.core import Acquisition, Geometry, HuStatus, Label, LabelMap, Modality, Volume
from medrecon.files import nifti
from medrecon.models.store import open_model
from medrecon.segmentation.unet import UnetSegmenter

GRID = Geometry((24, 24, 24), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
NUT, SHELL = Label(2, "nut", (200, 150, 100)), Label(1, "shell", (100, 100, 100))
# A checkpoint is written every 100 steps.
STEPS = 150


def nut(size_mm: float) -> np.ndarray:
    """A ball of value 2 in a ball of value 1 that is twice as wide, in air."""
    index = np.indices(GRID.shape).reshape(3, -1).T
    far = np.linalg.norm(2.0 * (index - 11.5), axis=1).reshape(GRID.shape)
    return (far < 2 * size_mm).astype(np.uint8) + (far < size_mm)


def maps(folder: Path) -> Path:
    folder.mkdir()
    for number, size_mm in enumerate((8.0, 9.0, 10.0, 8.5)):
        values = np.asfortranarray(nut(size_mm))
        nifti.write_labels(LabelMap(values, GRID, (SHELL, NUT)), folder / f"map_{number}.nii.gz")
    return folder


def started(data: Path, output: Path) -> subprocess.Popen[bytes]:
    words = ("train", str(data), "--from-labels", "--labels", "nut=2", "--held-out", "map_3")
    how = ("--steps", str(STEPS), "--features", "8,16", "--spacing", "4", "--patch", "12,12,12")
    rest = ("--batch", "1", "--threads", "1", "--name", "nuts", "--no-progress", "-o", str(output))
    return subprocess.Popen(
        [sys.executable, "-m", "medrecon_cli", *words, *how, *rest],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "cli")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_killed_run_on_label_maps_goes_on_and_its_model_finds_the_nut(tmp_path: Path) -> None:
    data, output = maps(tmp_path / "maps"), tmp_path / "model"
    first = started(data, output)
    end = time.monotonic() + 240
    while not (output / "checkpoint.safetensors").exists():
        assert first.poll() is None, first.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not (output / "manifest.toml").exists()

    again = started(data, output)
    said, errors = again.communicate(timeout=240)
    assert again.returncode == 0, errors
    assert b"nuts 1 written to" in said
    assert json.loads((output / "split.json").read_text())["held_out"] == ["map_3"]
    assert (output / "bundle" / "configs" / "inference.json").exists()
    model = open_model(output)
    assert set(model.manifest.modalities) == {Modality.CT, Modality.MR}

    # The map that was held out, as an image of its own: bright shell, dim nut, a little noise.
    grey = np.array([10.0, 200.0, 90.0], np.float32)[nut(8.5)]
    grey += np.random.default_rng(0).normal(0, 4, GRID.shape).astype(np.float32)
    image = Volume(np.asfortranarray(grey), GRID, Acquisition(Modality.MR, HuStatus.NOT_CT))
    (field,) = UnetSegmenter(model, "cpu").segment(image).fields
    found = np.zeros(GRID.shape, bool)
    found[field.slices] = field.values > 0
    # So few steps find little, but where it is: by chance 304 of 13,824 voxels would be right.
    right = np.count_nonzero(found & (nut(8.5) == 2))
    assert right > 0.3 * np.count_nonzero(found) > 0
