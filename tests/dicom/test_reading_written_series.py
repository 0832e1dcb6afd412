"""What write_ct writes is read back, voxel for voxel, in every encoding and any order."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.dicom import choose, read, scan
from medrecon.dicom.write_ct import TransferSyntax, write_ct_series

# 30° about x, then an in-plane spacing that differs along i and j.
TURN = ((1.0, 0.0, 0.0), (0.0, 0.8660254, -0.5), (0.0, 0.5, 0.8660254))


def ramp(shape: tuple[int, int, int] = (24, 20, 7)) -> Volume:
    """Every voxel has a value of its own, from −1000 HU: any permutation shows."""
    values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape, order="F") - 1000
    geometry = Geometry(shape, (0.7, 0.9, 2.0), (-40.0, 12.5, 300.25), TURN)
    return Volume(np.asfortranarray(values), geometry, Acquisition(Modality.CT, is_phantom=True))


def load(folder: Path) -> Volume:
    volume = read(choose(scan(folder)))
    assert isinstance(volume, Volume)
    return volume


@pytest.mark.parametrize("syntax", list(TransferSyntax))
def test_every_encoding_gives_the_voxels_that_were_written(
    syntax: TransferSyntax, tmp_path: Path
) -> None:
    truth = ramp()
    write_ct_series(truth, tmp_path, transfer_syntax=syntax)
    volume = load(tmp_path)
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, truth.array)
    assert volume.geometry.is_close(truth.geometry, 1e-4)
    assert volume.acquisition.hu is HuStatus.VERIFIED
    assert volume.acquisition.is_phantom


def test_order_and_names_of_the_files_change_nothing(tmp_path: Path) -> None:
    paths = write_ct_series(ramp(), tmp_path / "a")
    first = load(tmp_path / "a")
    shuffled = list(paths)
    random.Random(7).shuffle(shuffled)
    for n, path in enumerate(shuffled):
        target = tmp_path / "b" / f"d{n % 3}" / f"{n:05d}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    second = load(tmp_path / "b")
    assert first.array.tobytes("F") == second.array.tobytes("F")
    assert np.array_equal(first.geometry.affine_lps, second.geometry.affine_lps)
