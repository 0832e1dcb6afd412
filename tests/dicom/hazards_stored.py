"""Hazards of encodings, pixels and multi-frame objects; importing this completes `HAZARDS`."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from hazards import RESCALE, hazard, plain
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
    words,
    write,
    write_series,
)

# --- encodings ---------------------------------------------------------------------------

SYNTAXES = {
    "implicit_little_endian": "1.2.840.10008.1.2",
    "explicit_big_endian": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg_lossless": "1.2.840.10008.1.2.4.57",
    "jpeg_lossless_first_order": "1.2.840.10008.1.2.4.70",
    "jpeg_ls": "1.2.840.10008.1.2.4.80",
    "jpeg_2000": "1.2.840.10008.1.2.4.90",
    "htj2k": "1.2.840.10008.1.2.4.201",
}

BASELINE = "1.2.840.10008.1.2.4.50"


def _encoded(name: str, syntax: str) -> None:
    def make(folder: Path) -> Plan:
        return plain(folder, "", stack(syntax=syntax))

    make.__name__ = name
    hazard()(make)


for _name, _syntax in SYNTAXES.items():
    _encoded(_name, _syntax)


@hazard()
def several_transfer_syntaxes_in_one_series(folder: Path) -> Plan:
    plan = stack()
    syntaxes = [EXPLICIT, *SYNTAXES.values()]
    for k in range(len(plan.positions)):
        syntax = syntaxes[k % len(syntaxes)]
        write(folder / f"{k}", dataset(plan, k), words(plan, stored(plan, k)), syntax)
    return plan


@hazard("encoding")
def a_video_transfer_syntax(folder: Path) -> None:
    _patch_syntax(folder, "1.2.840.10008.1.2.4.100")


@hazard()
def signed_12_bits(folder: Path) -> Plan:
    return plain(folder, "", stack(bits=(16, 12, 11), signed=True, intercept=0.0))


@hazard()
def signed_jpeg_2000(folder: Path) -> Plan:
    bits = (16, 16, 15)
    plan = stack(signed=True, bits=bits, intercept=0.0, syntax="1.2.840.10008.1.2.4.90")
    return plain(folder, "", plan)


@hazard()
def bits_stored_at_the_top_of_the_word(folder: Path) -> Plan:
    return plain(folder, "", stack(bits=(16, 12, 15)))


# A step of 4 HU between stored values: up to 2 HU of rounding, and 0.5 of int16.
@hazard(tolerance=2.51)
def eight_bits(folder: Path) -> Plan:
    plan = stack(bits=(8, 8, 7), slope=4.0, intercept=-450.0)
    return plain(folder, "", plan)


# Steps of 4 HU (2 HU of rounding) and one or two of them lost to the DCT; slices differ by 22.
@hazard(tolerance=10.5)
def jpeg_baseline(folder: Path) -> Plan:
    return plain(folder, "", stack(bits=(8, 8, 7), slope=4.0, intercept=-450.0, syntax=BASELINE))


@hazard()
def packed_12_bits(folder: Path) -> Plan:
    plan = stack()

    def change(k: int, ds: Dataset, pixels: Array) -> Array:
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 12, 12, 11
        a, b = pixels.reshape(-1, 2).T.astype(np.uint16)
        packed = np.stack([a & 0xFF, a >> 8 | (b & 0xF) << 4, b >> 4], axis=1)
        return packed.astype("u1").reshape(-1)

    return plain(folder, "", plan, change)


@hazard()
def thirty_two_bits(folder: Path) -> Plan:
    plan = stack(bits=(32, 32, 31))
    return plain(folder, "", plan)


@hazard()
def float_pixels_with_undefined_values(folder: Path) -> Plan:
    plan = stack()
    for k in range(len(plan.positions)):
        ds = dataset(plan, k)
        ds.BitsAllocated = 32
        for name in ("BitsStored", "HighBit", "PixelRepresentation"):
            delattr(ds, name)
        values = (plan.values(k) + 1024).astype("<f4")
        values[0, 0], values[1, 0] = np.nan, np.inf
        write(folder / f"{k}", ds, words(plan, stored(plan, k)))
        ds.FloatPixelData = values.tobytes()
        del ds.PixelData
        ds.save_as(folder / f"{k}", enforce_file_format=True)
    return plan


@hazard()
def fractional_slope_and_intercept(folder: Path) -> Plan:
    return plain(folder, "", stack(slope=0.125, intercept=-1024.5, bits=(16, 16, 15)))


@hazard()
def values_beyond_16_bits(folder: Path) -> Plan:
    return plain(folder, "", stack(slope=1.0, intercept=-65000.0, bits=(32, 32, 31)))


@hazard()
def padding_range(folder: Path) -> Plan:
    extra = {"PixelPaddingValue": 65535, "PixelPaddingRangeLimit": 65500}
    plan = stack(bits=(16, 16, 15), extra=extra)

    def change(_: int, ds: Dataset, pixels: Array) -> Array:
        ds["PixelPaddingValue"].VR = ds["PixelPaddingRangeLimit"].VR = "US"
        padded = pixels.copy()
        padded[:3, :4], padded[-3:, -4:] = 65535, 65510
        return padded

    return plain(folder, "", plan, change)


@hazard("pixel-data")
def rescale_missing_in_one_slice(folder: Path) -> None:
    def change(k: int, ds: Dataset, _: Array) -> None:
        if k == 3:
            for name in RESCALE:
                delattr(ds, name)

    plain(folder, "", None, change)


@hazard("pixel-data")
def slope_of_zero(folder: Path) -> None:
    plain(folder, "", stack(extra={"RescaleSlope": "0"}))


@hazard("encoding")
def modality_lookup_table(folder: Path) -> None:
    lut = sequence({"LUTDescriptor": [4, 0, 16], "ModalityLUTType": "HU", "LUTData": b"\0\0" * 4})
    lut[0]["LUTDescriptor"].VR, lut[0]["LUTData"].VR = "US", "OW"
    plain(folder, "", stack(extra={"ModalityLUTSequence": lut}, drop=RESCALE))


@hazard("pixel-data")
def header_states_a_larger_matrix(folder: Path) -> None:
    def change(_: int, ds: Dataset, __: Array) -> None:
        ds.Rows = 36

    plain(folder, "", None, change)


@hazard("pixel-data")
def a_corrupt_compressed_slice(folder: Path) -> None:
    plain(folder, "", stack(syntax="1.2.840.10008.1.2.4.80"))
    path = folder / "im004.dcm"
    raw = bytearray(path.read_bytes())
    raw[-120:-20] = bytes(100)
    path.write_bytes(bytes(raw))


@hazard("resource", "pixel-data")
def a_compressed_bomb(folder: Path) -> None:
    plan = stack(syntax="1.2.840.10008.1.2.4.90")
    paths = write_series(plan, folder)
    for path in paths:
        raw = path.read_bytes()
        for tag in (b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x11\x00US\x02\x00"):
            at = raw.index(tag) + 8
            raw = raw[:at] + struct.pack("<H", 65535) + raw[at + 2 :]
        path.write_bytes(raw)


# --- multi-frame -------------------------------------------------------------------------


@hazard()
def enhanced_ct_with_frames_in_any_order(folder: Path) -> Plan:
    plan = stack()
    order = [3, 0, 7, 1, 11, 2, 10, 4, 9, 5, 8, 6]
    write(folder / "enhanced", *enhanced(plan, order))
    return plan


@hazard()
def enhanced_ct_jpeg_2000(folder: Path) -> Plan:
    plan = stack()
    write(folder / "e", *enhanced(plan, reversed(range(12))), "1.2.840.10008.1.2.4.90")
    return plan


@hazard("gap")
def enhanced_ct_with_a_missing_frame(folder: Path) -> None:
    plan = stack()
    write(folder / "enhanced", *enhanced(plan, [k for k in range(12) if k != 4]))


@hazard("geometry")
def multi_frame_without_positions(folder: Path) -> None:
    ds, pixels = enhanced(stack(), range(12))
    del ds.PerFrameFunctionalGroupsSequence
    write(folder / "frames", ds, pixels)


@hazard("pixel-data")
def per_frame_groups_that_do_not_match(folder: Path) -> None:
    ds, pixels = enhanced(stack(), range(12))
    ds.NumberOfFrames = 10
    write(folder / "frames", ds, pixels)


@hazard()
def siemens_mosaic(folder: Path) -> Plan:
    plan = stack(modality="MR", intercept=-1024.0)
    ds = dataset(plan, 0)
    columns, rows = plan.shape
    side = 4
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    ds.Rows, ds.Columns = rows * side, columns * side
    i, j = np.asarray(plan.row) * plan.spacing[0], np.asarray(plan.column) * plan.spacing[1]
    corner = plan.positions[0] - (i * columns * (side - 1) + j * rows * (side - 1)) / 2
    ds.ImagePositionPatient = [f"{v:.8g}" for v in corner]
    ds.SpacingBetweenSlices = "2"
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    normal = [f"{v:.8f}" for v in plan.normal]
    count = len(plan.positions)
    block.add_new(
        0x10, "OB", csa({"NumberOfImagesInMosaic": [str(count)], "SliceNormalVector": normal})
    )
    whole = np.zeros((rows * side, columns * side), "<u2")
    for k in range(count):
        r, c = k // side * rows, k % side * columns
        whole[r : r + rows, c : c + columns] = words(plan, stored(plan, k))
    write(folder / "mosaic.dcm", ds, whole)
    return plan


def csa(values: dict[str, list[str]]) -> bytes:
    """A CSA header ("SV10") with the given values."""
    out = b"SV10\4\3\2\1" + struct.pack("<II", len(values), 77)
    for name, words_ in values.items():
        out += struct.pack("<64si4s3i", name.encode(), len(words_), b"FD\0\0", 4, len(words_), 77)
        for word in words_:
            raw = word.encode() + b"\0"
            out += struct.pack("<4i", len(raw), len(raw), 77, len(raw))
            out += raw + b"\0" * (-len(raw) % 4)
    return out


def _patch_syntax(folder: Path, syntax: str) -> None:
    """Rewrite the files under another transfer syntax without changing their pixels."""
    plan = stack()
    for k in range(len(plan.positions)):
        path = write(folder / f"{k}", dataset(plan, k), words(plan, stored(plan, k)))
        raw = path.read_bytes()
        at = raw.index(b"\x02\x00\x10\x00UI")
        length = struct.unpack_from("<H", raw, at + 6)[0]
        value = syntax.encode() + b"\0" * (len(syntax) % 2)
        raw = raw[: at + 6] + struct.pack("<H", len(value)) + value + raw[at + 8 + length :]
        group = struct.unpack_from("<I", raw, 140)[0] + len(value) - length
        path.write_bytes(raw[:140] + struct.pack("<I", group) + raw[144:])
