"""Label maps, folders of masks and tables of names as others leave them."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from medrecon.errors import DamagedInputError, MissingSpacingError
from medrecon.files.label_maps import read_label_map, read_label_table, read_masks


def mask(size_mm: float = 1.0, slices: int = 4) -> nibabel.Nifti1Image:
    array = np.zeros((4, 4, slices), np.uint8)
    array[1:3, 1:3] = 1
    image = nibabel.Nifti1Image(array, np.diag([size_mm, size_mm, size_mm, 1.0]))
    image.header.set_xyzt_units("mm")
    return image


@pytest.mark.parametrize("size_mm", [0.001, 1000.0])
def test_label_maps_in_another_unit_than_they_say_are_refused(
    tmp_path: Path, size_mm: float
) -> None:
    nibabel.save(mask(size_mm), tmp_path / "a.nii")
    image = sitk.ReadImage(str(tmp_path / "a.nii"))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    for name in ("a.nii", "a.nrrd"):
        with pytest.raises(MissingSpacingError, match="unit of length"):
            read_label_map(tmp_path / name)


def test_a_label_map_may_be_a_single_slice(tmp_path: Path) -> None:
    nibabel.save(mask(slices=1), tmp_path / "a.nii")
    assert read_label_map(tmp_path / "a.nii").geometry.shape == (4, 4, 1)


def test_a_pair_of_files_is_one_mask(tmp_path: Path) -> None:
    pair = nibabel.Nifti1Pair(np.asarray(mask().dataobj), mask().affine)
    pair.header.set_xyzt_units("mm")
    nibabel.save(pair, tmp_path / "liver.hdr")
    nibabel.save(mask(), tmp_path / "spleen.nii.gz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["liver.hdr", "liver.img", "spleen.nii.gz"]
    assert [m.labels[0].name for m in read_masks(tmp_path)] == ["liver", "spleen"]


@pytest.mark.parametrize(
    "text", ["index\tname\n1\tliver\n2\n", "name\tindex\nliver\n", "index\n1\n"]
)
def test_a_table_with_a_row_that_is_too_short_is_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.tsv").write_text(text)
    with pytest.raises(DamagedInputError, match="table of labels"):
        read_label_table(tmp_path / "labels.tsv")
