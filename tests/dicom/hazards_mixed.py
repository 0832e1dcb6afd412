"""Hazards of slices that are filed under one series and do not belong together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from hazards import Change, hazard, plain, tilted
from pydicom.dataset import Dataset
from series_maker import Array, Plan, dataset, enhanced, sequence, stack, uid, write

# Two times, echoes or weightings differ in their values: a tenth of a HU per mm is enough.
OTHER = (6.0, -5.0, 12.0)
HALF_A_STEP_UP = (-9.0, -8.0, -10.0)


def renamed(tag: object) -> Change:
    """Instances of their own, in the same series."""

    def change(_: int, ds: Dataset, __: Array) -> None:
        ds.SOPInstanceUID = uid(ds.SOPInstanceUID, tag)

    return change


def some(chosen: Callable[[int], bool], **attributes: object) -> Change:
    """Other attributes in some of the slices."""

    def change(k: int, ds: Dataset, _: Array) -> None:
        for name, value in attributes.items():
            if chosen(k):
                setattr(ds, name, value)

    return change


def top(k: int) -> bool:
    """The last four of twelve slices."""
    return k >= 8


# --- a part of the scan that differs: alone, the rest is a body cut off --------------------


@hazard("geometry")
def the_top_with_another_kernel(folder: Path) -> None:
    change = some(top, ConvolutionKernel="B60f")
    plain(folder, "", stack(extra={"ConvolutionKernel": "B30f"}), change)


@hazard("geometry")
def the_top_in_a_smaller_field(folder: Path) -> None:
    plain(folder, "", None, some(top, PixelSpacing=["0.9", "0.65"]))


@hazard("geometry")
def the_top_in_another_frame_of_reference(folder: Path) -> None:
    plain(folder, "", None, some(top, FrameOfReferenceUID=uid("moved")))


@hazard("geometry")
def every_third_slice_without_frame_of_reference(folder: Path) -> None:
    plain(folder, "", None, some(lambda k: k % 3 == 1, FrameOfReferenceUID=""))


@hazard("geometry")
def one_slice_of_another_patient(folder: Path) -> None:
    plain(folder, "", None, some(lambda k: k == 5, PatientID="SECRET-OTHER"))


@hazard("geometry")
def the_top_of_another_patient(folder: Path) -> None:
    plain(folder, "", None, some(top, PatientID="SECRET-OTHER"))


@hazard("geometry")
def enhanced_frames_of_two_pixel_spacings(folder: Path) -> None:
    ds, pixels = enhanced(stack(), range(12))
    del ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    for k, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        spacing = ["1.1", "0.8"] if k < 7 else ["1.0", "0.7"]
        group.PixelMeasuresSequence = sequence({"PixelSpacing": spacing, "SliceThickness": "2"})
    write(folder / "e", ds, pixels)


@hazard("geometry")
def enhanced_in_two_stacks_that_follow_each_other(folder: Path) -> None:
    ds, pixels = enhanced(stack(), range(12))
    for k, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        group.FrameContentSequence[0].StackID = "1" if k < 7 else "2"
    write(folder / "e", ds, pixels)


@hazard("geometry")
def a_concatenation_without_its_second_file(folder: Path) -> None:
    _concatenation(folder, 1)


@hazard()
def a_concatenation_of_two_files(folder: Path) -> Plan:
    _concatenation(folder, 1)
    return _concatenation(folder, 2)


def _concatenation(folder: Path, number: int) -> Plan:
    plan = stack()
    ds, pixels = enhanced(plan, range(6 * number - 6, 6 * number))
    ds.SOPInstanceUID = uid("part", number)
    ds.ConcatenationUID = uid("whole")
    ds.InConcatenationNumber, ds.InConcatenationTotalNumber = number, 2
    write(folder / str(number), ds, pixels)
    return plan


# --- two scans whose slices alternate -------------------------------------------------------


@hazard("usage")
def two_acquisitions_half_a_step_apart(folder: Path) -> None:
    plain(folder, "a", stack(extra={"AcquisitionNumber": 1}))
    later = stack(origin=HALF_A_STEP_UP, slopes=OTHER, extra={"AcquisitionNumber": 2})
    plain(folder, "b", later, renamed("later"))


@hazard("series-tie")
def two_echoes_half_a_step_apart(folder: Path) -> None:
    plain(folder, "a", stack(modality="MR", extra={"EchoTime": "5"}))
    second = stack(modality="MR", origin=HALF_A_STEP_UP, slopes=OTHER, extra={"EchoTime": "10"})
    plain(folder, "b", second, renamed("second"))


@hazard("series-tie")
def two_b_values_half_a_step_apart(folder: Path) -> None:
    plain(folder, "a", stack(modality="MR", extra={"DiffusionBValue": 0.0}))
    weighted = stack(
        modality="MR", origin=HALF_A_STEP_UP, slopes=OTHER, extra={"DiffusionBValue": 800.0}
    )
    plain(folder, "b", weighted, renamed("weighted"))


@hazard("series-tie")
def two_echoes_a_hundredth_of_a_millimetre_apart(folder: Path) -> None:
    plain(folder, "a", stack(modality="MR", extra={"EchoTime": "5"}))
    second = stack(
        modality="MR", origin=(-9.0, -8.0, -10.99), slopes=OTHER, extra={"EchoTime": "10"}
    )
    plain(folder, "b", second, renamed("second"))


@hazard("geometry")
def two_knees_side_by_side(folder: Path) -> None:
    left = stack()
    right = left.positions + np.array([60.0, 0.0, 1.0])
    plain(folder, "", replace(left, positions=np.concatenate([left.positions, right])))


@hazard("duplicate")
def two_phases_that_nothing_tells_apart(folder: Path) -> None:
    plain(folder, "a")
    plain(folder, "b", stack(slopes=OTHER), renamed("second"))


@hazard("series-tie")
def four_dixon_images_in_one_series(folder: Path) -> None:
    for n, kind in enumerate(("IN_PHASE", "OPP_PHASE", "WATER", "FAT")):
        plan = stack(
            modality="MR",
            image_type=("DERIVED", "PRIMARY", "DIXON", kind),
            slopes=(6.0 + n, -5.0, 11.0),
        )
        plain(folder, kind, plan, renamed(kind))


# --- planes ---------------------------------------------------------------------------------


@hazard("mixed-orientation")
def radial_planes(folder: Path) -> None:
    for n in range(12):
        a = np.radians(15 * n)
        row = (float(np.cos(a)), float(np.sin(a)), 0.0)
        plan = stack([], row=row, column=(0.0, 0.0, -1.0), modality="MR")
        plain(folder, str(n), plan, renamed(n))


@hazard("mixed-orientation")
def one_slice_mirrored(folder: Path) -> None:
    change = some(lambda k: k == 5, ImageOrientationPatient=["-1", "0", "0", "0", "1", "0"])
    plain(folder, "", None, change)


@hazard("geometry")
def rows_and_columns_half_a_degree_off_square(folder: Path) -> None:
    bent = ["1", "0", "0", "0.0087", "0.99996", "0"]
    plain(folder, "", stack(extra={"ImageOrientationPatient": bent}))


@hazard("geometry")
def a_tilt_of_60_degrees(folder: Path) -> None:
    plain(folder, "", tilted(60))


@hazard("duplicate")
def orientation_of_another_plane_than_the_positions(folder: Path) -> None:
    plain(folder, "", stack(extra={"ImageOrientationPatient": ["0", "1", "0", "0", "0", "-1"]}))


@hazard()
def cosines_rounded_differently_in_each_slice(folder: Path) -> Plan:
    noise = np.random.default_rng(1)

    def change(_: int, ds: Dataset, __: Array) -> None:
        cosines = np.array([1, 0, 0, 0, 1, 0]) + noise.uniform(-1e-4, 1e-4, 6)
        ds.ImageOrientationPatient = [f"{v:.6f}" for v in cosines]

    return plain(folder, "", None, change)


@hazard("mixed-orientation")
def wide_slices_turned_by_a_fiftieth_of_a_degree(folder: Path) -> None:
    # 4e-4 rad over 512 pixels are 0.2 voxel at the corner.
    turn = ["1", "0.0004", "0", "-0.0004", "1", "0"]
    plan = stack([2.0] * 3, shape=(512, 512), slopes=(1.0, -1.0, 1.0))
    plain(folder, "", plan, some(lambda k: k > 1, ImageOrientationPatient=turn))


@hazard("geometry")
def pixel_spacing_grows_by_half_a_micrometre(folder: Path) -> None:
    # 0.0004 mm over 511 pixels are 0.2 mm, a quarter of a voxel.
    plan = stack([2.0] * 3, shape=(512, 512), slopes=(1.0, -1.0, 1.0))
    plain(folder, "", plan, some(lambda k: k > 1, PixelSpacing=["1.1004", "0.8004"]))


@hazard("no-spacing")
def pixel_spacing_in_metres(folder: Path) -> None:
    plain(folder, "", stack(extra={"PixelSpacing": ["0.0011", "0.0008"]}))


@hazard("no-spacing")
def pixel_spacing_of_the_detector_only(folder: Path) -> None:
    other = {"ImagerPixelSpacing": ["1.1", "0.8"], "NominalScannedPixelSpacing": ["1", "1"]}
    plain(folder, "", stack(extra=other, drop=("PixelSpacing",)))


@hazard("no-spacing")
def negative_pixel_spacing(folder: Path) -> None:
    plain(folder, "", stack(extra={"PixelSpacing": ["-1.1", "0.8"]}))


@hazard("geometry")
def decimal_commas(folder: Path) -> None:
    def change(k: int, ds: Dataset, _: Array) -> None:
        commas = [f"{v:.2f}".replace(".", ",") for v in stack().positions[k]]
        ds["ImagePositionPatient"]._value = commas

    plain(folder, "", None, change)


@hazard("duplicate")
def one_position_and_many_slice_locations(folder: Path) -> None:
    def change(k: int, ds: Dataset, _: Array) -> None:
        ds.ImagePositionPatient, ds.SliceLocation = ["-9", "-8", "-11"], f"{2 * k}"

    plain(folder, "", None, change)


@hazard("duplicate")
def a_classic_multi_frame_with_one_position(folder: Path) -> None:
    plan = stack()
    _, pixels = enhanced(plan, range(12))
    whole = dataset(plan, 0)
    whole.NumberOfFrames, whole.SpacingBetweenSlices = 12, "2"
    write(folder / "frames", whole, pixels)


@hazard()
def patient_position_says_feet_first_prone(folder: Path) -> Plan:
    return plain(folder, "", stack(extra={"PatientPosition": "FFP"}))
