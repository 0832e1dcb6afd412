"""What the user may allow, and that it changes the result; limits, and what is never shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from series_maker import Plan, dataset, stack, stored, uid, without, words, write, write_series

from medrecon.core import SliceStack, Volume
from medrecon.dicom import Limits, choose, read, scan
from medrecon.errors import (
    ArchiveError,
    DuplicateSliceError,
    GapError,
    GeometryError,
    NoSeriesError,
    PixelDataError,
    ResourceError,
    SeriesTieError,
    UnreadableInputError,
    UsageError,
)
from medrecon.resampling import stack_geometry, stack_onto


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def test_a_gap_that_is_filled_is_marked_as_unmeasured(tmp_path: Path) -> None:
    write_series(without(stack(), 5), tmp_path)
    series = choose(scan(tmp_path))
    with pytest.raises(GapError, match=r"1 gap\(s\) in series 1: largest step 4.00 mm"):
        read(series)
    image = read(series, fill_gaps=True)
    assert isinstance(image, SliceStack)
    # Slices at 0, 2, 4, 6, 8, then 12: the one at 10 is missing.
    assert image.filled_gaps_mm[0] == pytest.approx((8.0, 12.0))
    volume = stack_onto(image, stack_geometry(image, 1.0))
    assert volume.unmeasured is not None
    inside = np.broadcast_to(volume.unmeasured, volume.array.shape).all(axis=(0, 1))
    assert np.flatnonzero(inside).tolist() == [9, 10, 11]


def test_a_bad_slice_at_the_end_is_left_out_only_when_asked(tmp_path: Path) -> None:
    paths = write_series(stack(), tmp_path)
    truncate(paths[-1])
    series = choose(scan(tmp_path))
    with pytest.raises(PixelDataError, match="slice 12 of 12 in series 1"):
        read(series)
    volume = read(series, skip_bad=True)
    assert isinstance(volume, Volume)
    assert volume.geometry.shape[2] == 11


def test_a_bad_slice_in_the_middle_is_a_gap_even_when_it_may_be_left_out(tmp_path: Path) -> None:
    paths = write_series(stack(), tmp_path)
    truncate(paths[5])
    series = choose(scan(tmp_path))
    with pytest.raises(GapError):
        read(series, skip_bad=True)
    assert isinstance(read(series, skip_bad=True, fill_gaps=True), SliceStack)


def test_a_copy_of_a_bad_slice_stands_in_for_it(tmp_path: Path) -> None:
    paths = write_series(stack(), tmp_path)
    copy = tmp_path / "copy"
    copy.write_bytes(paths[5].read_bytes())
    truncate(paths[5])
    volume = read(choose(scan(tmp_path)), skip_bad=True)
    assert isinstance(volume, Volume)
    assert volume.geometry.shape[2] == 12


def test_a_broken_header_holds_the_series_up_unless_bad_files_may_be_skipped(
    tmp_path: Path,
) -> None:
    paths = write_series(stack(), tmp_path)
    paths[-1].write_bytes(paths[-1].read_bytes()[:500])
    series = choose(scan(tmp_path))
    with pytest.raises(PixelDataError, match="--skip-bad"):
        read(series)
    assert isinstance(read(series, skip_bad=True), Volume)


def test_irregular_slices_have_no_native_grid(tmp_path: Path) -> None:
    write_series(stack([2.0] * 5 + [2.5] * 5), tmp_path)
    with pytest.raises(GeometryError, match="no native grid"):
        read(choose(scan(tmp_path)), native=True)


def test_a_series_chosen_by_number_needs_no_majority(tmp_path: Path) -> None:
    write_series(stack(), tmp_path / "a")
    write_series(stack(series="b", number=2), tmp_path / "b")
    found = scan(tmp_path)
    with pytest.raises(SeriesTieError, match=r"--series 1: CT axial.*--series 2: CT axial"):
        choose(found)
    assert choose(found, 2).number == 2
    with pytest.raises(NoSeriesError, match="no series 3"):
        choose(found, 3)


def test_times_are_read_one_by_one_in_their_order(tmp_path: Path) -> None:
    for t in (2, 1, 3):
        plan = stack(extra={"TemporalPositionIdentifier": t}, intercept=-1024.0 + t)

        def change(_: int, ds: object, __: np.ndarray, t: int = t) -> None:
            ds.SOPInstanceUID = uid(ds.SOPInstanceUID, t)  # type: ignore[attr-defined]

        write_series(plan, tmp_path / str(t), change=change)
    series = choose(scan(tmp_path))
    assert series.frames == 3
    assert [f.slices[0].moment.temporal for f in series.layouts] == [1, 2, 3]
    for frame in (0, 4):
        with pytest.raises(UsageError, match=f"no frame {frame}"):
            read(series, frame=frame)
    assert isinstance(read(series, frame=2), Volume)


def test_a_volume_over_the_budget_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    write_series(stack(), tmp_path)
    # 12 slices of 24 × 18 int16 are 10,368 bytes.
    with pytest.raises(ResourceError, match="--max-memory"):
        read(choose(scan(tmp_path)), limits=Limits(volume_bytes=10_000))
    assert isinstance(read(choose(scan(tmp_path)), limits=Limits(volume_bytes=11_000)), Volume)


def test_too_many_files_or_folders_are_refused(tmp_path: Path) -> None:
    write_series(stack(), tmp_path / "a/b/c")
    with pytest.raises(ResourceError, match="more than 5 files"):
        scan(tmp_path, limits=Limits(files=5))
    with pytest.raises(ResourceError, match="deeper than 2"):
        scan(tmp_path, limits=Limits(depth=2))


def test_input_that_is_not_there_or_no_image_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError, match="cannot be opened"):
        scan(tmp_path / "nowhere")
    (tmp_path / "x.zip").write_bytes(b"PK\3\4 and nothing more")
    with pytest.raises(ArchiveError):
        scan(tmp_path / "x.zip")


def test_several_files_can_be_named_at_once(tmp_path: Path) -> None:
    paths = write_series(stack(), tmp_path)
    volume = read(choose(scan(paths[2:9])))
    assert isinstance(volume, Volume)
    assert volume.geometry.shape[2] == 7


def test_twins_with_the_same_pixels_elsewhere_in_the_plane_are_refused(tmp_path: Path) -> None:
    plan = stack()
    write_series(plan, tmp_path)
    ds = dataset(plan, 4)
    position = plan.positions[4] + [5.0, 0.0, 0.0]
    ds.ImagePositionPatient = [f"{v:g}" for v in position]
    ds.SOPInstanceUID = uid("elsewhere")
    write(tmp_path / "twin", ds, words(plan, stored(plan, 4)))
    with pytest.raises(DuplicateSliceError):
        read(choose(scan(tmp_path)))


def test_padding_is_replaced_and_marked_once_for_all_slices(tmp_path: Path) -> None:
    plan: Plan = stack(intercept=0.0, signed=True, extra={"PixelPaddingValue": -2000})

    def change(_: int, ds: object, pixels: np.ndarray) -> np.ndarray:
        ds["PixelPaddingValue"].VR = "SS"  # type: ignore[index]
        padded = pixels.copy()
        padded[:2] = np.uint16(65536 - 2000)
        return padded

    write_series(plan, tmp_path, change=change)
    volume = read(choose(scan(tmp_path)))
    assert isinstance(volume, Volume)
    assert volume.unmeasured is not None
    assert volume.unmeasured.shape == (24, 18, 1)
    # Rows 0 and 1 of 18 are padding; an array's second axis is the row.
    assert volume.unmeasured[:, :, 0].all(axis=0).tolist() == [True] * 2 + [False] * 16
    assert (volume.array[:, :2] == -1000).all()


def test_nothing_that_identifies_a_patient_is_in_what_is_shown(tmp_path: Path) -> None:
    secrets = {"SeriesDescription": "SECRET", "BodyPartExamined": "SECRET", "StudyID": "SECRET"}
    write_series(replace(stack(), extra=secrets), tmp_path)
    found = scan(tmp_path)
    shown = repr(found) + repr(found.series) + found.series[0].description
    assert "SECRET" not in shown
    assert str(tmp_path) not in shown
