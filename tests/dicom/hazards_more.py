"""Hazards of damaged numbers, labels that lie about encodings, and times of enhanced objects."""

from __future__ import annotations

import shutil
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from hazards import hazard, plain
from hazards_mixed import OTHER, renamed
from pydicom.dataset import Dataset
from series_maker import (
    EXPLICIT,
    Array,
    Plan,
    dataset,
    enhanced,
    sequence,
    stack,
    stored,
    uid,
    words,
    write,
)

IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"

# --- damaged numbers ------------------------------------------------------------------------


@hazard("geometry")
def one_slice_aside_of_the_others(folder: Path) -> None:
    plan = stack()
    positions = plan.positions.copy()
    positions[5, 0] += 1.5
    plain(folder, "", replace(plan, positions=positions))


@hazard("geometry")
def exponents_cut_off_at_sixteen_characters(folder: Path) -> None:
    # x is zero but for rounding, "-1.8369701987210297e-15"; cut, it is −1.8 mm.
    noise = np.random.default_rng(3).uniform(-9, 9, 12)

    def change(k: int, ds: Dataset, _: Array) -> None:
        ds["ImagePositionPatient"]._value = [f"{noise[k]:.13f}"[:16], "-8", f"{2 * k}"]

    plain(folder, "", None, change)


@hazard()
def the_table_was_moved_twice(folder: Path) -> Plan:
    plan = stack()
    positions = plan.positions.copy()
    positions[4:, 0] += 2.0
    positions[8:, 1] -= 3.0
    return plain(folder, "", replace(plan, positions=positions))


@hazard("pixel-data")
def a_padding_range_that_holds_all_values(folder: Path) -> None:
    plan = stack(extra={"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 4095})

    def change(_: int, ds: Dataset, __: Array) -> None:
        ds["PixelPaddingValue"].VR = ds["PixelPaddingRangeLimit"].VR = "US"

    plain(folder, "", plan, change)


@hazard("geometry")
def an_orientation_of_zeros(folder: Path) -> None:
    plain(folder, "", stack(extra={"ImageOrientationPatient": ["0"] * 6}))


@hazard("geometry")
def rows_and_columns_in_one_direction(folder: Path) -> None:
    plain(folder, "", stack(extra={"ImageOrientationPatient": ["1", "0", "0", "1", "0", "0"]}))


@hazard("gap")
def positions_rounded_to_whole_millimetres(folder: Path) -> None:
    plan = stack([1.25] * 11)
    plain(folder, "", replace(plan, positions=np.rint(plan.positions)))


@hazard("no-series")
def a_series_uid_for_every_file(folder: Path) -> None:
    def change(k: int, ds: Dataset, _: Array) -> None:
        ds.SeriesInstanceUID = uid("file", k)

    plain(folder, "", None, change)


@hazard("pixel-data")
def one_file_without_any_pixels(folder: Path) -> None:
    plain(folder, "", None, lambda k, *_: np.zeros(0, "<u2") if k == 4 else None)


# --- labels that lie ------------------------------------------------------------------------


def _relabelled(folder: Path, written: str, labelled: str) -> Plan:
    plan = plain(folder, "", stack(syntax=written))
    for path in folder.iterdir():
        raw = path.read_bytes()
        at = raw.index(b"\x02\x00\x10\x00UI")
        old = struct.unpack_from("<H", raw, at + 6)[0]
        value = labelled.encode() + b"\0" * (len(labelled) % 2)
        raw = raw[: at + 6] + struct.pack("<H", len(value)) + value + raw[at + 8 + old :]
        group = struct.unpack_from("<I", raw, 140)[0] + len(value) - old
        path.write_bytes(raw[:140] + struct.pack("<I", group) + raw[144:])
    return plan


@hazard()
def implicit_labelled_explicit(folder: Path) -> Plan:
    return _relabelled(folder, IMPLICIT, EXPLICIT)


@hazard()
def explicit_labelled_implicit(folder: Path) -> Plan:
    return _relabelled(folder, EXPLICIT, IMPLICIT)


@hazard()
def little_endian_labelled_big(folder: Path) -> Plan:
    return _relabelled(folder, EXPLICIT, BIG_ENDIAN)


@hazard("pixel-data", "no-series")
def explicit_labelled_deflated(folder: Path) -> None:
    _relabelled(folder, EXPLICIT, DEFLATED)


@hazard("pixel-data", "no-series")
def deflated_with_a_header_of_zlib(folder: Path) -> None:
    plain(folder)
    for path in folder.iterdir():
        raw = path.read_bytes()
        start = 144 + struct.unpack_from("<I", raw, 140)[0]
        path.write_bytes(raw[:start] + zlib.compress(raw[start:]))
    _relabel_in_place(folder)


def _relabel_in_place(folder: Path) -> None:
    for path in folder.iterdir():
        raw = path.read_bytes()
        at = raw.index(b"\x02\x00\x10\x00UI")
        old = struct.unpack_from("<H", raw, at + 6)[0]
        value = DEFLATED.encode()
        raw = raw[: at + 6] + struct.pack("<H", len(value)) + value + raw[at + 8 + old :]
        group = struct.unpack_from("<I", raw, 140)[0] + len(value) - old
        path.write_bytes(raw[:140] + struct.pack("<I", group) + raw[144:])


@hazard()
def a_wrong_length_of_the_meta_group(folder: Path) -> Plan:
    plan = plain(folder)
    for path in folder.iterdir():
        raw = path.read_bytes()
        path.write_bytes(raw[:140] + struct.pack("<I", 10) + raw[144:])
    return plan


@hazard()
def trailing_padding_after_the_pixels(folder: Path) -> Plan:
    plan = plain(folder)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes() + b"\xfc\xff\xfc\xffOB\0\0\x10\0\0\0" + bytes(16))
    return plan


@hazard("pixel-data", entry="series.zip")
def a_zip_whose_last_slices_are_encrypted(folder: Path) -> None:
    plain(folder / "in")
    with zipfile.ZipFile(folder / "series.zip", "w") as archive:
        for path in sorted((folder / "in").iterdir()):
            archive.write(path, path.name)
    shutil.rmtree(folder / "in")
    raw = bytearray((folder / "series.zip").read_bytes())
    at = len(raw)
    for _ in range(3):
        at = raw.rindex(b"PK\x01\x02", 0, at)
        raw[at + 8] |= 1
    (folder / "series.zip").write_bytes(bytes(raw))


# --- enhanced objects -----------------------------------------------------------------------


def _enhanced_twice(folder: Path, **groups: list[dict[str, object]]) -> None:
    """Two volumes in one object; each group's items are for the first and the second."""
    first = stack(modality="MR")
    second = replace(first, slopes=OTHER)
    ds, pixels = enhanced(first, list(range(12)) * 2)
    for n, item in enumerate(ds.PerFrameFunctionalGroupsSequence):
        for name, values in groups.items():
            setattr(item, name, sequence(values[n // 12]))
    for k in range(12):
        pixels[12 + k] = words(second, stored(second, k))
    write(folder / "e", ds, pixels)


@hazard("series-tie")
def enhanced_mr_of_two_b_values(folder: Path) -> None:
    _enhanced_twice(
        folder, MRDiffusionSequence=[{"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}]
    )


@hazard("series-tie")
def enhanced_mr_of_two_effective_echoes(folder: Path) -> None:
    _enhanced_twice(
        folder, MREchoSequence=[{"EffectiveEchoTime": 5.0}, {"EffectiveEchoTime": 10.0}]
    )


@hazard("series-tie")
def enhanced_mr_of_magnitude_and_phase(folder: Path) -> None:
    kinds = [
        {"FrameType": ["ORIGINAL", "PRIMARY", part, "NONE"], "ComplexImageComponent": word}
        for part, word in (("M", "MAGNITUDE"), ("P", "PHASE"))
    ]
    _enhanced_twice(folder, MRImageFrameTypeSequence=kinds)


@hazard("duplicate")
def enhanced_mr_of_two_volumes_that_nothing_tells_apart(folder: Path) -> None:
    _enhanced_twice(folder)


@hazard("geometry")
def one_frame_without_position(folder: Path) -> None:
    ds, pixels = enhanced(stack(), range(12))
    del ds.PerFrameFunctionalGroupsSequence[7].PlanePositionSequence
    write(folder / "e", ds, pixels)


@hazard("usage")
def two_times_on_both_sides_of_midnight(folder: Path) -> None:
    for n, time in enumerate(("235950", "000010")):
        plan = stack(extra={"AcquisitionTime": time}, slopes=(6.0 + n, -5.0, 11.0))
        plain(folder, str(n), plan, renamed(n))


@hazard("usage")
def a_cardiac_cine(folder: Path) -> None:
    for phase in range(3):

        def change(k: int, ds: Dataset, _: Array, phase: int = phase) -> None:
            ds.TriggerTime = f"{100 * phase + k}"
            ds.SOPInstanceUID = uid(ds.SOPInstanceUID, phase)

        plain(folder, str(phase), stack(modality="MR", slopes=(6.0 + phase, -5.0, 11.0)), change)


@hazard("encoding")
def one_bit_pixels(folder: Path) -> None:
    def change(_: int, ds: Dataset, __: Array) -> Array:
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
        return np.zeros(54, "u1")

    plain(folder, "", None, change)


@hazard()
def a_parametric_word_in_rescale_type_of_a_mr(folder: Path) -> Plan:
    return plain(folder, "", stack(modality="MR", extra={"RescaleType": "normalized"}))


@hazard("pixel-data")
def the_pixels_of_one_file_are_another_size(folder: Path) -> None:
    plan = plain(folder)
    write(folder / "im003.dcm", dataset(plan, 3), words(plan, stored(plan, 3))[:9])


@hazard()
def enhanced_with_the_rescale_of_the_data_set(folder: Path) -> Plan:
    plan = stack()
    ds, pixels = enhanced(plan, range(12))
    del ds.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "-1024", "HU"
    write(folder / "e", ds, pixels)
    return plan


@hazard("pixel-data")
def enhanced_with_a_rescale_in_some_frames(folder: Path) -> None:
    ds, pixels = enhanced(stack(), range(12))
    del ds.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    numbers = {"RescaleSlope": "1", "RescaleIntercept": "-1024", "RescaleType": "HU"}
    for k, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        if k != 3:
            group.PixelValueTransformationSequence = sequence(numbers)
    write(folder / "e", ds, pixels)


@hazard()
def converted_from_classic_slices(folder: Path) -> Plan:
    plan = stack()
    ds, pixels = enhanced(plan, range(12))
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.2"
    write(folder / "e", ds, pixels)
    return plan


# --- vendors and archives -------------------------------------------------------------------


@hazard("pixel-data")
def high_bit_above_the_pixels(folder: Path) -> None:
    plain(folder, "", stack(extra={"HighBit": 15}))


@hazard()
def a_thick_first_slice(folder: Path) -> Plan:
    def change(k: int, ds: Dataset, _: Array) -> None:
        ds.SliceThickness = "2" if k else "3"

    return plain(folder, "", stack([2.5] + [2.0] * 10), change)


@hazard("geometry")
def an_averaged_image_among_the_slices(folder: Path) -> None:
    plan = plain(folder)
    ds = dataset(plan, 5)
    ds.SOPInstanceUID, ds.ImageType = uid("average"), ["DERIVED", "SECONDARY", "AXIAL"]
    write(folder / "average", ds, words(plan, stored(plan, 6)))


@hazard()
def modality_other_by_a_converter(folder: Path) -> Plan:
    return plain(folder, "", stack(extra={"Modality": "OT"}))


@hazard("duplicate")
def an_interrupted_dynamic(folder: Path) -> None:
    for n in range(3):
        plan = stack(slopes=(6.0 + n, -5.0, 11.0), extra={"AcquisitionNumber": n + 1})
        if n == 2:
            plan = replace(plan, positions=plan.positions[:5])
        plain(folder, str(n), plan, renamed(n))


@hazard()
def no_bits_stored(folder: Path) -> Plan:
    return plain(folder, "", stack(bits=(16, 16, 15), drop=("BitsStored", "HighBit")))
