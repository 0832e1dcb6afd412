"""Real files beside the NIfTI that other converters, or their makers, hold to be right."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from medrecon.core import SliceStack, Volume
from medrecon.dicom import choose, read, scan
from medrecon.dicom.series import Series
from medrecon.errors import (
    DuplicateSliceError,
    GapError,
    MixedOrientationError,
    NoSeriesError,
    UsageError,
)

pytestmark = pytest.mark.data

GENERIC = (
    "anatomical/001",
    "anatomical/001_implicit",
    "anatomical/002_non_isotropic",
    "compressed/001",
    "compressed_j2k/001",
    "compressed_jpeg/001",
    "compressed_jpegls/001",
    "compressed_rle/001",
)


def canonical(values: npt.NDArray[np.float64], affine: npt.NDArray[np.float64]) -> nib.Nifti1Image:
    return nib.as_closest_canonical(nib.Nifti1Image(values, affine))


def assert_same(
    volume: Volume | SliceStack,
    reference: Path,
    *,
    frame: int | None = None,
    unscaled: bool = False,
) -> None:
    """Equal voxels, and affines within 1e-4 mm, after canonical reorientation."""
    assert isinstance(volume, Volume)
    image = nib.load(reference)
    values = image.dataobj.get_unscaled() if unscaled else image.dataobj
    expected = np.asarray(values, np.float64)
    theirs = canonical(expected if frame is None else expected[..., frame], image.affine)
    ours = canonical(np.asarray(volume.array, np.float64), volume.geometry.affine_ras)
    # float32 holds 7 digits; the references are float32 or int16.
    np.testing.assert_allclose(ours.get_fdata(), theirs.get_fdata(), rtol=2e-7, atol=1e-5)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-4)


def stored_units(volume: Volume | SliceStack, series: Series) -> Volume:
    """The volume before slope and intercept."""
    assert isinstance(volume, Volume)
    scale = series.layouts[0].slices[0].scale
    assert scale.slope is not None
    assert scale.intercept is not None
    stored = np.rint((volume.array - scale.intercept) / scale.slope).astype(np.float32)
    return Volume(stored, volume.geometry, volume.acquisition)


@pytest.mark.parametrize("n", range(1, 10))
def test_a_mosaic_is_the_same_volume_in_nine_transfer_syntaxes(n: int, data_dir: Path) -> None:
    folder = data_dir / "dicom/dcm_qa_ts"
    assert_same(read(choose(scan(folder / f"In/{n}.dcm"))), folder / f"Ref/{n}.nii")


@pytest.mark.parametrize("reoriented", ["", "_reoriented"])
@pytest.mark.parametrize("case", GENERIC)
def test_vendors_and_compressions_match_their_ground_truth(
    case: str, reoriented: str, data_dir: Path
) -> None:
    folder = data_dir / "dicom/dicom2nifti/generic" / case
    truth = folder.with_name(f"{folder.name}_ground_truth{reoriented}.nii.gz")
    assert_same(read(choose(scan(folder))), truth)


def test_two_slices_are_a_volume_when_asked_for_by_number(data_dir: Path) -> None:
    folder = data_dir / "dicom/dicom2nifti/failing/slicecount/001"
    found = scan(folder)
    with pytest.raises(NoSeriesError, match="2 slice"):
        choose(found)
    assert_same(read(choose(found, 1)), folder.with_name("001_ground_truth.nii.gz"))


@pytest.mark.parametrize("time", range(4))
def test_each_time_of_an_enhanced_series_is_a_volume(time: int, data_dir: Path) -> None:
    folder = data_dir / "dicom/dcm_qa_enh"
    series = choose(scan(folder / "In/Siemens"))
    assert series.frames == 4
    with pytest.raises(UsageError, match="--frame"):
        read(series)
    reference = folder / "Ref/Siemens_REST1_w_SMS_PF7-8_6.nii"
    assert_same(read(series, frame=time + 1), reference, frame=time)


@pytest.mark.parametrize(
    ("kind", "name"), [("M", "e1"), ("FIELD_MAP", "e2_fieldmaphz")], ids=["magnitude", "field"]
)
def test_a_field_map_and_its_magnitude_are_two_series_of_one_file(
    kind: str, name: str, data_dir: Path
) -> None:
    folder = data_dir / "dicom/dcm_qa_enh"
    found = scan(folder / "In/Philips")
    [series] = [s for s in found.series if s.meaning.image_type[-1] == kind]
    stored = stored_units(read(series), series)
    assert_same(stored, folder / f"Ref/Philips_WIP_B0_NS_801_{name}.nii", unscaled=True)


@pytest.mark.parametrize("folder", ["Agfa", "Siemens"])
def test_enhanced_files_read_the_same_after_a_pacs_renamed_their_private_blocks(
    folder: str, data_dir: Path
) -> None:
    series = choose(scan(data_dir / "dicom/dcm_qa_agfa" / folder))
    other = choose(scan(data_dir / "dicom/dcm_qa_agfa/Siemens"))
    assert series.frames == other.frames == 4
    for frame in range(1, 5):
        one, two = read(series, frame=frame), read(other, frame=frame)
        assert np.array_equal(one.array, two.array)


def test_failing_folders_are_corrected_or_refused(data_dir: Path) -> None:
    failing = data_dir / "dicom/dicom2nifti/failing"
    for case in ("sliceincrement/001", "sliceincrement/002"):
        with pytest.raises(GapError, match="1 gap"):
            read(choose(scan(failing / case)))
    with pytest.raises(DuplicateSliceError, match="all 4 slices"):
        read(choose(scan(failing / "notavolume/001")))
    with pytest.raises(MixedOrientationError, match="2 orientations"):
        choose(scan(failing / "sliceorientation/001"))
    tilted = read(choose(scan(failing / "gantrytilting/001")))
    assert isinstance(tilted, SliceStack)
    # Orientation (1,0,0, 0,0.9703,−0.2419): the gantry leans by asin(0.2419) = 14.0°.
    assert choose(scan(failing / "gantrytilting/001")).finding.tilt_degrees == pytest.approx(
        14, abs=0.01
    )


def test_the_localizer_folders_hold_no_volume(data_dir: Path) -> None:
    found = scan(data_dir / "dicom/dcm_qa_ct_Philips_localizers")
    assert found.set_aside["localizer"] == 1
    with pytest.raises(NoSeriesError, match="localizer"):
        choose(found)


def test_the_chest_ct_in_a_zip_is_read_without_unpacking(data_dir: Path) -> None:
    volume = read(choose(scan(data_dir / "ct_chest_lidc/ct_chest_lidc_0314.zip")))
    assert isinstance(volume, Volume)
    assert volume.geometry.shape == (512, 512, 275)
    assert volume.geometry.spacing_mm == pytest.approx((0.78125, 0.78125, 1.0))


def test_a_ct_without_identifiers_still_loads_and_says_so(data_dir: Path) -> None:
    found = scan(data_dir / "totalseg_examples/example_ct_dicom")
    assert "identifier" in found.warnings[0]
    volume = read(choose(found))
    assert isinstance(volume, Volume)
    assert volume.geometry.spacing_mm[2] == pytest.approx(2.0)
    assert volume.acquisition.slice_thickness_mm == 3.0
