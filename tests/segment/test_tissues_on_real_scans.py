"""What the tissue engine finds on clinical CT: plausible, and not what it must not be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Segmentation, Volume
from medrecon.segmentation.tissues import TissueSegmenter

pytestmark = pytest.mark.data


def read(path: Path) -> Volume:
    import SimpleITK

    image = SimpleITK.ReadImage(str(path), SimpleITK.sitkInt16)
    rows = np.reshape(image.GetDirection(), (3, 3)).tolist()
    shape, spacing, origin = image.GetSize(), image.GetSpacing(), image.GetOrigin()
    geometry = Geometry(shape, spacing, origin, tuple(map(tuple, rows)))
    array = SimpleITK.GetArrayFromImage(image).T
    return Volume(array, geometry, Acquisition(Modality.CT, HuStatus.VERIFIED))


def millilitres(found: Segmentation, name: str) -> float:
    fields = [f for f in found.fields if f.label.name == name]
    voxel = found.grid.voxel_volume_mm3 / 1000
    return sum(float((f.values > 0).sum()) * voxel for f in fields)


@pytest.fixture(scope="module")
def abdomen(data_dir: Path) -> Segmentation:
    volume = read(data_dir / "totalseg_examples" / "example_ct.nii.gz")
    return TissueSegmenter(["skin", "bone", "lungs", "airway"]).segment(volume)


@pytest.fixture(scope="module")
def thigh(data_dir: Path) -> Segmentation:
    volume = read(data_dir / "ct_mr_sarcoma" / "STS_001" / "CT_image.nii.gz")
    return TissueSegmenter(["skin", "bone", "lungs", "airway"]).segment(volume)


def test_an_abdomen_has_bone_and_the_lungs_bases_but_no_airway(abdomen: Segmentation) -> None:
    names = [f.label.name for f in abdomen.fields]
    assert names == ["skin", "bone", "lung_left", "lung_right"]
    assert abdomen.findings["airway"]


def test_bowel_gas_is_not_lung(abdomen: Segmentation) -> None:
    # The lungs' bases lie in the top third; the gas-filled colon holds 200 mL below.
    for field in abdomen.fields:
        if field.label.name.startswith("lung"):
            assert field.start[2] > abdomen.grid.shape[2] / 2
    assert 20 < millilitres(abdomen, "lung_left") < 80
    assert 40 < millilitres(abdomen, "lung_right") < 120


def test_the_table_under_the_abdomen_is_not_skin(abdomen: Segmentation) -> None:
    assert any("table" in words for words in abdomen.findings["skin"])


def test_a_thigh_has_a_femur_and_no_lung(thigh: Segmentation) -> None:
    assert [f.label.name for f in thigh.fields] == ["skin", "bone"]
    assert 200 < millilitres(thigh, "bone") < 400


def test_the_femurs_shaft_is_solid(thigh: Segmentation) -> None:
    (bone,) = (f for f in thigh.fields if f.label.name == "bone")
    inside = np.zeros(thigh.grid.shape, dtype=bool)
    inside[bone.slices] = bone.values > 0
    # Slice 25: the lumen of the shaft, read from the image (column 154, row 60 to 68).
    assert inside[152:156, 60:68, 25].all()
