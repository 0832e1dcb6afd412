"""The histogram takes away what a header promised, and gives nothing back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import ball, ct, grid, torso

from medrecon.core import Acquisition, HuStatus, Modality, Volume
from medrecon.errors import UnverifiedHuError
from medrecon.segmentation.hu import examine, verify_hu
from medrecon.segmentation.tissues import TissueSegmenter


@pytest.fixture(scope="module")
def patient() -> Volume:
    return ct(grid((110, 100, 20)), torso(), noise_hu=15)


def with_values(volume: Volume, values: np.ndarray) -> Volume:
    array = np.asfortranarray(np.clip(np.rint(values), -32768, 32767).astype(np.int16))
    return replace(volume, array=array)


def test_a_patient_on_the_hounsfield_scale_is_verified(patient: Volume) -> None:
    finding = examine(patient)
    assert finding.reason == ""
    assert finding.air_peak_hu == pytest.approx(-1000, abs=20)
    assert finding.soft_peak_hu == pytest.approx(50, abs=20)
    assert verify_hu(patient).acquisition.hu is HuStatus.VERIFIED


def test_a_crop_without_air_is_still_verified(patient: Volume) -> None:
    inner = patient.array[45:65, 65:87]  # muscle and fat only
    crop = Volume(inner, grid(inner.shape), patient.acquisition)
    assert examine(crop).air_peak_hu is None
    assert verify_hu(crop).acquisition.hu is HuStatus.VERIFIED


def test_a_crop_inside_the_chest_has_lung_in_place_of_air() -> None:
    inside = [(ball((0, 0, 0), 200), -850.0), (ball((0, 0, 0), 18), 45.0)]
    chest = ct(grid((60, 60, 40)), inside, noise_hu=20)
    assert examine(chest).air_peak_hu == pytest.approx(-850, abs=20)
    assert verify_hu(chest).acquisition.hu is HuStatus.VERIFIED


def test_padding_does_not_count_as_air(patient: Volume) -> None:
    padded = np.array(patient.array)
    padded[:20] = -2000
    assert examine(with_values(patient, padded)).reason == ""


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda v: v * 0.6 - 300, "soft"),  # cone-beam CT: its own slope and offset
        (lambda v: np.clip(v, 0, 200) / 4, "below"),  # iodine map: clipped at zero
        (lambda v: v + 1000.0, "above"),  # stored values without their intercept
        (lambda v: v * 0 + 40, "below"),  # one value everywhere
        (lambda v: np.where(v < -600, v + 250, v), "air"),  # air at −750... of no lung
    ],
)
def test_another_scale_is_refused_with_its_reason(patient: Volume, change, word: str) -> None:
    values = change(patient.array.astype(float))
    if word == "air":
        values = np.where(values < -400, -500 - 100 * (values < -700), values)
    checked = verify_hu(with_values(patient, values))
    assert checked.acquisition.hu is HuStatus.UNVERIFIED
    assert checked.acquisition.hu_reason


def test_what_the_header_refused_stays_refused(patient: Volume) -> None:
    refused = replace(
        patient.acquisition, hu=HuStatus.UNVERIFIED, hu_reason="Rescale Type is not HU"
    )
    checked = verify_hu(replace(patient, acquisition=refused))
    assert checked.acquisition.hu is HuStatus.UNVERIFIED
    assert checked.acquisition.hu_reason == "Rescale Type is not HU"


def test_an_mr_image_is_not_ct(patient: Volume) -> None:
    mr = replace(patient, acquisition=Acquisition(Modality.MR))
    assert verify_hu(mr).acquisition.hu is HuStatus.NOT_CT


def test_tissues_refuse_an_unverified_image_and_say_why(patient: Volume) -> None:
    values = with_values(patient, patient.array.astype(float) * 0.6 - 300)
    with pytest.raises(UnverifiedHuError, match="soft tissue"):
        TissueSegmenter(["bone"]).segment(values)
