"""Hazards of what the pixels are: other objects, other units, other words for the same bits."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
from hazards import CORNERS, hazard, plain
from hazards_stored import siemens_mosaic
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from series_maker import (
    ENCODERS,
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

STORAGE = "1.2.840.10008.5.1.4.1.1."
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_LS = "1.2.840.10008.1.2.4.80"
LOSSLESS = "1.2.840.10008.1.2.4.70"

# --- other objects --------------------------------------------------------------------------


@hazard("no-series")
def a_curved_reformation(folder: Path) -> None:
    made = {"VolumetricProperties": "DISTORTED", "VolumeBasedCalculationTechnique": "CURVED_MPR"}
    plain(folder, "", stack(image_type=("DERIVED", "SECONDARY", "AXIAL"), extra=made))


@hazard("no-series")
def a_maximum_intensity_projection_by_its_technique(folder: Path) -> None:
    made = {"VolumetricProperties": "SAMPLED", "VolumeBasedCalculationTechnique": "MAX_IP"}
    plain(folder, "", stack(image_type=("DERIVED", "SECONDARY", "AXIAL"), extra=made))


@hazard("no-series")
def an_enhanced_projection_by_its_image_type(folder: Path) -> None:
    ds, pixels = enhanced(stack(), range(12))
    ds.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "MAXIMUM"]
    write(folder / "e", ds, pixels)


@hazard("no-series")
def pet_stored_as_ct_images(folder: Path) -> None:
    plain(folder, "", stack(extra={"Modality": "PT"}))


@hazard("no-series")
def pet_images_that_say_ct(folder: Path) -> None:
    plain(folder, "", stack(extra={"SOPClassUID": STORAGE + "128"}))


@hazard()
def a_dose_grid_that_says_ct_beside(folder: Path) -> Plan:
    plan = plain(folder)
    ds = dataset(stack(series="dose"), 0)
    ds.SOPClassUID, ds.SOPInstanceUID, ds.NumberOfFrames = STORAGE + "481.2", uid("dose"), 30
    write(folder / "dose", ds, np.zeros((30, 18, 24), "<u2"))
    return plan


@hazard()
def a_larger_pet_beside(folder: Path) -> Plan:
    pet = {"Modality": "PT", "SOPClassUID": STORAGE + "128"}
    plain(folder, "pet", stack([1.0] * 30, series="pet", slopes=(1.0, 2.0, 3.0), extra=pet))
    return plain(folder)


# --- other units ----------------------------------------------------------------------------


@hazard(verified_hu=False)
def an_iodine_map_by_its_real_world_unit(folder: Path) -> Plan:
    unit = {"CodeValue": "mg/mL", "CodingSchemeDesignator": "UCUM", "CodeMeaning": "mg/mL"}
    ends = {"RealWorldValueFirstValueMapped": 0, "RealWorldValueLastValueMapped": 4095}
    line = {"RealWorldValueSlope": 0.1, "RealWorldValueIntercept": 0.0}
    unit_sequence = {"MeasurementUnitsCodeSequence": sequence(unit)}
    values = sequence({**unit_sequence, **line, **ends})
    for name in ends:
        values[0][name].VR = "US"
    return plain(folder, "", stack(extra={"RealWorldValueMappingSequence": values}))


@hazard(verified_hu=False)
def a_material_map_that_says_hu(folder: Path) -> Plan:
    return plain(folder, "", stack(image_type=("DERIVED", "PRIMARY", "AXIAL", "MAT_SPECIFIC")))


@hazard(verified_hu=False)
def rescale_type_unspecified(folder: Path) -> Plan:
    return plain(folder, "", stack(extra={"RescaleType": "US"}))


@hazard("pixel-data")
def a_slope_beyond_all_numbers(folder: Path) -> None:
    plain(folder, "", stack(extra={"RescaleSlope": "1e300"}))


@hazard()
def enhanced_with_a_rescale_in_each_frame(folder: Path) -> Plan:
    plan = stack(bits=(16, 16, 15))
    ds, pixels = enhanced(plan, range(12))
    del ds.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    for k, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        slope, intercept = round(0.25 + 0.01 * k, 2), -1024.0 - 3 * k
        numbers = {"RescaleSlope": f"{slope:g}", "RescaleIntercept": f"{intercept:g}"}
        group.PixelValueTransformationSequence = sequence({**numbers, "RescaleType": "HU"})
        own = replace(plan, slope=slope, intercept=intercept)
        pixels[k] = words(own, stored(own, k))
    write(folder / "e", ds, pixels)
    return plan


# --- other words for the same bits ----------------------------------------------------------


@hazard()
def padding_wider_than_bits_stored(folder: Path) -> Plan:
    plan = stack(extra={"PixelPaddingValue": 65536 - 3024})

    def change(_: int, ds: Dataset, pixels: Array) -> Array:
        ds["PixelPaddingValue"].VR = "US"
        padded = pixels.copy()
        padded[CORNERS] = 65536 - 3024
        return padded

    return plain(folder, "", plan, change)


@hazard()
def slices_signed_and_unsigned_by_turns(folder: Path) -> Plan:
    plan = stack()
    ways = (plan, replace(plan, signed=True, intercept=0.0))
    for k in range(12):
        way = ways[k % 2]
        write(folder / f"{k}", dataset(way, k), words(way, stored(way, k)))
    return plan


@hazard()
def slices_of_four_widths(folder: Path) -> Plan:
    plan = stack()
    widths = ((16, 12, 11), (16, 16, 15), (16, 14, 13), (32, 32, 31))
    for k in range(12):
        way = replace(plan, bits=widths[k % 4])
        write(folder / f"{k}", dataset(way, k), words(way, stored(way, k)))
    return plan


@hazard()
def an_overlay_in_the_high_bits(folder: Path) -> Plan:
    def change(_: int, ds: Dataset, pixels: Array) -> Array:
        for tag, value in ((0x60000010, 18), (0x60000011, 24), (0x60000100, 16), (0x60000102, 12)):
            ds.add_new(tag, "US", value)
        return pixels | np.uint16(0x1000)

    return plain(folder, "", None, change)


# A step of 4 HU between stored values, as for `eight_bits`.
@hazard(tolerance=2.51)
def big_endian_bytes_in_words(folder: Path) -> Plan:
    plan = stack(bits=(8, 8, 7), slope=4.0, intercept=-450.0)
    for k in range(12):
        ds, pixels = dataset(plan, k), words(plan, stored(plan, k))
        path = write(folder / f"{k}", ds, pixels, BIG_ENDIAN)
        ds.PixelData = pixels.reshape(-1).view("<u2").byteswap().tobytes()
        ds["PixelData"].VR = "OW"
        ds.save_as(path, enforce_file_format=True)
    return plan


@hazard("pixel-data")
def two_positions_in_one_header(folder: Path) -> None:
    plain(folder)
    for k, path in enumerate(sorted(folder.iterdir())):
        raw = path.read_bytes()
        at = raw.index(b"\x20\x00\x32\x00DS")
        end = at + 8 + struct.unpack_from("<H", raw, at + 6)[0]
        second = b"\x20\x00\x32\x00DS\x08\x00" + b"0\\0\\%4d" % (3 * k)
        path.write_bytes(raw[:end] + second + raw[end:])


@hazard()
def a_lossless_jpeg_labelled_baseline(folder: Path) -> Plan:
    plan = plain(folder, "", stack(syntax=LOSSLESS))
    for path in folder.iterdir():
        raw = path.read_bytes()
        path.write_bytes(raw.replace(LOSSLESS.encode(), LOSSLESS[:-2].encode() + b"50"))
    return plan


@hazard()
def frames_in_several_fragments_without_offsets(folder: Path) -> Plan:
    plan, frames, ds, path = _encapsulated(folder)
    ds.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=False)
    _save(ds, path)
    return plan


@hazard()
def an_extended_offset_table(folder: Path) -> Plan:
    plan, frames, ds, path = _encapsulated(folder)
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(
        frames
    )
    _save(ds, path)
    return plan


@hazard()
def a_wrong_basic_offset_table(folder: Path) -> Plan:
    plan, frames, ds, path = _encapsulated(folder)
    ds.PixelData = encapsulate(frames, has_bot=True)
    at = 8
    count = struct.unpack_from("<I", ds.PixelData, 4)[0] // 4
    ds.PixelData = ds.PixelData[:at] + b"\x06\0\0\0" * count + ds.PixelData[at + 4 * count :]
    _save(ds, path)
    return plan


def _encapsulated(folder: Path) -> tuple[Plan, list[bytes], Dataset, Path]:
    plan = stack()
    ds, pixels = enhanced(plan, range(12))
    path = write(folder / "e", ds, pixels, JPEG_LS)
    return plan, [ENCODERS[JPEG_LS](frame, False) for frame in pixels], ds, path


def _save(ds: Dataset, path: Path) -> None:
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path, enforce_file_format=True)


# --- containers and vendors -----------------------------------------------------------------


@hazard()
def every_file_gzipped(folder: Path) -> Plan:
    plan = plain(folder, "", stack(syntax=JPEG_LS))
    _gzip(sorted(folder.iterdir()))
    return plan


@hazard()
def the_last_three_files_gzipped(folder: Path) -> Plan:
    plan = plain(folder)
    _gzip(sorted(folder.iterdir())[-3:])
    return plan


@hazard("pixel-data")
def a_gzipped_file_cut_short(folder: Path) -> None:
    plain(folder)
    _gzip(sorted(folder.iterdir()))
    path = folder / "im004.dcm.gz"
    path.write_bytes(path.read_bytes()[:-40])


def _gzip(paths: list[Path]) -> None:
    for path in paths:
        packed = gzip.compress(path.read_bytes(), mtime=0)
        path.with_name(path.name + ".gz").write_bytes(packed)
        path.unlink()


@hazard("no-series")
def a_mosaic_with_a_negative_step(folder: Path) -> None:
    siemens_mosaic(folder)
    _edit(folder / "mosaic.dcm", SpacingBetweenSlices="-2")


@hazard("no-series")
def a_mosaic_without_a_step(folder: Path) -> None:
    siemens_mosaic(folder)
    _edit(folder / "mosaic.dcm", SpacingBetweenSlices="", SliceThickness="1.5")


def _edit(path: Path, **attributes: object) -> None:
    ds = dcmread(path)
    for name, value in attributes.items():
        setattr(ds, name, value)
    ds.save_as(path)
