"""`medrecon info` of image files: what DICOM headers would say is said or absent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np


def info(path: Path, *options: str) -> dict:
    command = [sys.executable, "-m", "medrecon_cli", "info", str(path), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["series"][0]


def write(path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    image = nibabel.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


def test_a_nifti_volume_is_usable_and_its_geometry_is_told(tmp_path):
    path = write(tmp_path / "x.nii.gz", np.zeros((5, 6, 7), np.int16), np.diag([2.0, 1.0, 3.0, 1]))
    found = info(path)
    assert found["verdict"] == "usable"
    assert found["shape"] == [5, 6, 7]
    assert found["spacing_mm"] == [2.0, 1.0, 3.0]
    # Between the outermost centres: (5 − 1)·2, (6 − 1)·1, (7 − 1)·3.
    assert found["coverage_mm"] == [8.0, 5.0, 18.0]
    assert found["hu"] == "not CT"


def test_a_sheared_volume_needs_a_correction_and_a_series_of_volumes_a_choice(tmp_path):
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[0, 2] = 0.5
    image = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), None)
    image.set_sform(affine, 1)
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / "sheared.nii")
    assert info(tmp_path / "sheared.nii")["verdict"] == "usable with a correction"
    path = write(tmp_path / "four.nii", np.zeros((4, 4, 4, 3), np.int16), np.eye(4))
    refused = info(path)
    assert refused["verdict"] == "refused"
    assert "--frame" in refused["reasons"][0]
    assert info(path, "--frame", "2")["verdict"] == "usable"
