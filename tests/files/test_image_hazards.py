"""NIfTI, MetaImage and NRRD: the right volume or the right refusal, for every hazard."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from image_hazards import AFFINE_LPS, IMAGE_HAZARDS, META, RAW, STORED, ImageHazard

from medrecon.errors import MedreconError, ResourceError
from medrecon.files.images import is_image_file, read_image


def test_there_are_more_than_70_hazards() -> None:
    assert len({h.name for h in IMAGE_HAZARDS}) == len(IMAGE_HAZARDS) > 70


@pytest.mark.parametrize("hazard", IMAGE_HAZARDS, ids=lambda h: h.name.replace(" ", "-"))
def test_right_volume_or_right_refusal(hazard: ImageHazard, tmp_path: Path) -> None:
    path = hazard.make(tmp_path)
    if hazard.codes:
        with pytest.raises(MedreconError) as refusal:
            read_image(path)
        assert refusal.value.code in hazard.codes
        assert str(tmp_path) not in str(refusal.value)
        return
    volume = read_image(path)
    assert np.array_equal(volume.array, STORED)
    assert volume.array.dtype == np.int16
    assert np.allclose(volume.geometry.affine_lps, AFFINE_LPS, atol=1e-5)


def test_the_memory_budget_is_asked_before_the_voxels_are_read(tmp_path: Path) -> None:
    for hazard in IMAGE_HAZARDS:
        if hazard.name.endswith("as it should be"):
            path = hazard.make(tmp_path)
            # 4 × 5 × 6 voxels of two bytes are 240 bytes.
            with pytest.raises(ResourceError):
                read_image(path, volume_bytes=100)


def test_voxels_beside_their_header_are_read(tmp_path: Path) -> None:
    lines = {**META, "ElementDataFile": "voxels.raw"}
    (tmp_path / "image.mhd").write_text("".join(f"{k} = {v}\n" for k, v in lines.items()))
    (tmp_path / "voxels.raw").write_bytes(RAW)
    assert np.array_equal(read_image(tmp_path / "image.mhd").array, STORED)


def test_a_dicom_file_called_img_is_no_nifti(tmp_path: Path) -> None:
    (tmp_path / "slice.img").write_bytes(bytes(128) + b"DICM" + bytes(100))
    assert not is_image_file(tmp_path / "slice.img")
    shutil.copy(tmp_path / "slice.img", tmp_path / "slice.nii")
    assert not is_image_file(tmp_path / "slice.nii")
