"""Hazards of geometry and of series; importing this completes `HAZARDS`."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from hazards import Change, hazard, plain, turned
from pydicom.dataset import Dataset
from series_maker import Array, Plan, dataset, stack, stored, uid, without, words, write

# --- geometry ---------------------------------------------------------------------------


@hazard()
def oblique(folder: Path) -> Plan:
    row, column = turned(20, -15, 30)
    return plain(folder, "", stack(row=row, column=column))


@hazard()
def oblique_and_sheared_and_irregular(folder: Path) -> Plan:
    row, column = turned(-25, 10, 140)
    steps = [2.0, 2.0, 2.4, 2.0, 1.7, 2.0, 2.6, 2.0, 2.0, 2.2]
    return plain(folder, "", stack(steps, row=row, column=column, shear=(0.1, 0.2, -0.05)))


@hazard()
def sagittal_with_unequal_pixels(folder: Path) -> Plan:
    row, column = (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)
    return plain(folder, "", stack(row=row, column=column, spacing=(0.6, 1.3)))


@hazard()
def columns_run_anterior(folder: Path) -> Plan:
    return plain(folder, "", stack(column=(0.0, -1.0, 0.0)))


@hazard()
def slices_from_two_blocks_recentred(folder: Path) -> Plan:
    plan = stack()
    positions = plan.positions.copy()
    positions[6:, 0] += 3.0
    return plain(folder, "", replace(plan, positions=positions))


@hazard()
def thickness_and_step_grow_together(folder: Path) -> Plan:
    plan = stack([2.0] * 6 + [1.0] + [4.0] * 5)

    def change(k: int, ds: Dataset, _: Array) -> None:
        ds.SliceThickness = "2" if k < 7 else "4"

    return plain(folder, "", plan, change)


@hazard("gap")
def gap_under_overlapping_slices(folder: Path) -> None:
    plain(folder, "", without(stack([2.5] * 11, thickness=5.0), 4))


@hazard("gap")
def two_gaps(folder: Path) -> None:
    plain(folder, "", without(stack([2.0] * 14), 3, 9, 10))


@hazard()
def nominal_attributes_lie(folder: Path) -> Plan:
    lies = {"SpacingBetweenSlices": "9", "GantryDetectorTilt": "30", "SliceLocation": "1e9"}
    return plain(folder, "", stack(thickness=7.0, extra=lies))


@hazard()
def positions_rounded_to_a_hundredth(folder: Path) -> Plan:
    plan = stack([1.256] * 12)
    return plain(folder, "", replace(plan, positions=np.round(plan.positions, 2)))


@hazard("geometry")
def a_slice_without_position(folder: Path) -> None:
    def change(k: int, ds: Dataset, _: Array) -> None:
        if k == 7:
            del ds.ImagePositionPatient

    plain(folder, "", None, change)


@hazard("geometry")
def no_orientation(folder: Path) -> None:
    plain(folder, "", stack(drop=("ImageOrientationPatient",)))


@hazard("geometry")
def orientation_of_wrong_length(folder: Path) -> None:
    plain(folder, "", stack(extra={"ImageOrientationPatient": ["1", "0", "0", "0", "0.5", "0"]}))


@hazard("geometry")
def position_is_not_a_number(folder: Path) -> None:
    def change(k: int, ds: Dataset, _: Array) -> None:
        if k == 2:
            ds["ImagePositionPatient"]._value = ["nan", "0", "0"]

    plain(folder, "", None, change)


@hazard("no-series")
def two_slices_only(folder: Path) -> None:
    plain(folder, "", stack([2.0]))


@hazard("duplicate")
def many_times_of_one_slice(folder: Path) -> None:
    for t in range(5):
        plain(folder, str(t), stack([], number=1, extra={"AcquisitionNumber": t + 1}))


# --- series -----------------------------------------------------------------------------


@hazard()
def every_file_twice(folder: Path) -> Plan:
    plan = plain(folder, "a")
    for path in sorted(folder.iterdir()):
        shutil.copy(path, folder / f"copy-{path.name}")
    return plan


@hazard("series-tie")
def two_kernels_of_one_scan(folder: Path) -> None:
    plain(folder, "a", stack(extra={"ConvolutionKernel": "B30f"}))
    plain(folder, "b", stack([2.0] * 11, series="b", extra={"ConvolutionKernel": "B70f"}))


@hazard("series-tie")
def two_kernels_in_one_series(folder: Path) -> None:
    plain(folder, "a", stack(extra={"ConvolutionKernel": "B30f"}))
    sharp = stack(extra={"ConvolutionKernel": "B70f"})
    plain(folder, "b", sharp, _renamed("sharp"))


@hazard()
def a_large_series_and_a_small_one(folder: Path) -> Plan:
    row, column = (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)
    plain(folder, "b", stack([4.0] * 3, series="b", row=row, column=column))
    return plain(folder, "a")


@hazard()
def localizer_beside(folder: Path) -> Plan:
    row, column = (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)
    scout = stack([], row=row, column=column, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    plain(folder, "0", scout)
    return plain(folder, "a")


@hazard("no-series")
def localizers_only(folder: Path) -> None:
    plain(folder, "", stack([2.0] * 4, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")))


@hazard()
def dose_page_and_report_beside(folder: Path) -> Plan:
    plan = plain(folder)
    page = dataset(stack(series="sc"), 0)
    page.SOPClassUID, page.ImageType = "1.2.840.10008.5.1.4.1.1.7", ["DERIVED", "SECONDARY"]
    write(folder / "page", page, words(plan, stored(plan, 0)))
    report = dataset(stack(series="sr"), 0)
    report.SOPClassUID, report.Modality = "1.2.840.10008.5.1.4.1.1.88.11", "SR"
    write(folder / "report", report, words(plan, stored(plan, 0)))
    return plan


@hazard()
def no_study_or_series_uid(folder: Path) -> Plan:
    blank = {"StudyInstanceUID": "", "SeriesInstanceUID": "", "SOPInstanceUID": ""}
    return plain(folder, "", stack(extra=blank))


@hazard("geometry")
def the_last_slice_without_orientation(folder: Path) -> None:
    def change(k: int, ds: Dataset, _: Array) -> None:
        if k == 11:
            del ds.ImageOrientationPatient

    plain(folder, "", None, change)


@hazard("geometry")
def the_last_slice_with_another_pixel_spacing(folder: Path) -> None:
    def change(k: int, ds: Dataset, _: Array) -> None:
        if k == 11:
            ds.PixelSpacing = ["0.9", "0.9"]

    plain(folder, "", None, change)


@hazard("mixed-orientation")
def one_slice_turned_by_a_degree(folder: Path) -> None:
    def change(k: int, ds: Dataset, _: Array) -> None:
        if k == 5:
            ds.ImageOrientationPatient = ["0.999848", "0.017452", "0", "-0.017452", "0.999848", "0"]

    plain(folder, "", None, change)


@hazard("geometry")
def one_slice_of_another_matrix(folder: Path) -> None:
    plan = plain(folder)
    ds = dataset(plan, 5)
    ds.Rows, ds.Columns = 9, 12
    write(folder / "im005.dcm", ds, words(plan, stored(plan, 5))[::2, ::2].copy())


@hazard("series-tie")
def two_frames_of_reference(folder: Path) -> None:
    plain(folder, "a")
    plain(folder, "b", stack(frame_of_reference="g"), _renamed("moved"))


@hazard("usage")
def four_times_in_one_series(folder: Path) -> None:
    for t in range(4):
        plain(folder, str(t), stack(extra={"TemporalPositionIdentifier": t + 1}), _renamed(t))


@hazard("series-tie")
def magnitude_and_phase_in_one_series(folder: Path) -> None:
    for kind in ("M", "P"):
        mr = stack(modality="MR", image_type=("ORIGINAL", "PRIMARY", kind), intercept=-1024.0)
        plain(folder, kind, mr, _renamed(kind))


@hazard("series-tie")
def two_echoes_in_one_series(folder: Path) -> None:
    for echo in (5.0, 10.0):
        mr = stack(modality="MR", extra={"EchoTime": str(echo)})
        plain(folder, str(echo), mr, _renamed(echo))


@hazard()
def image_type_changes_within_the_series(folder: Path) -> Plan:
    def change(k: int, ds: Dataset, _: Array) -> None:
        if k > 5:
            ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "ADD"]

    return plain(folder, "", None, change)


@hazard("no-series")
def colour_images(folder: Path) -> None:
    plan = stack()

    def change(k: int, ds: Dataset, pixels: Array) -> Array:
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
        return np.repeat(pixels.astype("u1")[..., None], 3, axis=-1)

    plain(folder, "", plan, change)


@hazard(verified_hu=False)
def a_derived_map_is_not_hounsfield(folder: Path) -> Plan:
    plan = stack(image_type=("DERIVED", "PRIMARY", "AXIAL"), extra={"RescaleType": "MGML"})
    return plain(folder, "", plan)


def _renamed(tag: object) -> Change:
    """Instances of their own, in the same series."""

    def change(_: int, ds: Dataset, __: Array) -> None:
        ds.SOPInstanceUID = uid(ds.SOPInstanceUID, tag)

    return change
