"""Small DICOM series whose every voxel says where it is: values are linear in LPS millimetres.

Linear interpolation reproduces a linear field exactly, so whatever grid a reader
returns can be judged by itself: value at a voxel = `field(its LPS position)`. A flip,
a wrong step, a dropped tilt or a lost rescale shows in every voxel.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID

Array = npt.NDArray[Any]
Vector = tuple[float, float, float]

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"

# HU per mm along x, y, z, and HU at the origin: unlike enough that no permutation, flip or
# scale of the axes gives the same values; 40 × 40 × 40 mm stays within ±1000 HU.
SLOPES = (7.0, -5.0, 11.0)
OFFSET = 40.0


def field_hu(points_lps: Array, slopes: Vector = SLOPES) -> Array:
    """(…) values of the field at (…, 3) LPS millimetres."""
    return np.asarray(OFFSET + np.asarray(points_lps, float) @ np.array(slopes))


def uid(*parts: object) -> str:
    """A UID that depends on the parts alone."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


@dataclass(frozen=True)
class Plan:
    """What a series is; each hazard changes one thing of it."""

    positions: Array
    row: Vector = (1.0, 0.0, 0.0)
    column: Vector = (0.0, 1.0, 0.0)
    spacing: tuple[float, float] = (0.8, 1.1)  # along i, along j
    shape: tuple[int, int] = (24, 18)  # columns, rows
    modality: str = "CT"
    series: str = "a"
    study: str = "s"
    frame_of_reference: str = "f"
    number: int = 1
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    slope: float = 1.0
    intercept: float = -1024.0
    syntax: str = EXPLICIT
    signed: bool = False
    bits: tuple[int, int, int] = (16, 12, 11)  # allocated, stored, high bit
    thickness: float | None = 2.0
    extra: dict[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    slopes: Vector = SLOPES

    @property
    def normal(self) -> Array:
        return np.cross(self.row, self.column)

    def points(self, k: int) -> Array:
        """(rows, columns, 3) LPS positions of slice k's pixel centres."""
        i, j = np.meshgrid(np.arange(self.shape[0]), np.arange(self.shape[1]))
        return (
            self.positions[k]
            + i[..., None] * self.spacing[0] * np.asarray(self.row)
            + j[..., None] * self.spacing[1] * np.asarray(self.column)
        )

    def values(self, k: int) -> Array:
        """(rows, columns) field values of slice k."""
        return field_hu(self.points(k), self.slopes)


def stack(
    steps: Iterable[float] = (2.0,) * 11,
    *,
    origin: Vector = (-9.0, -8.0, -11.0),
    row: Vector = (1.0, 0.0, 0.0),
    column: Vector = (0.0, 1.0, 0.0),
    shear: Vector = (0.0, 0.0, 0.0),
    **changes: Any,
) -> Plan:
    """Slices along row × column with the given steps; `shear` is mm in LPS per mm of height."""
    heights = np.concatenate([[0.0], np.cumsum(list(steps))])
    normal = np.cross(row, column)
    positions = np.asarray(origin) + heights[:, None] * (normal + np.asarray(shear))
    return Plan(positions, row, column, **changes)


def without(plan: Plan, *indices: int) -> Plan:
    """The plan less some slices."""
    keep = [k for k in range(len(plan.positions)) if k not in indices]
    return replace(plan, positions=plan.positions[keep])


def dataset(plan: Plan, k: int) -> Dataset:
    """Slice k with everything but its pixels."""
    ds = Dataset()
    ds.SOPClassUID = CT if plan.modality == "CT" else MR
    ds.SOPInstanceUID = uid(plan.study, plan.series, plan.number, tuple(plan.positions[k]))
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(plan.study), uid(plan.study, plan.series)
    ds.FrameOfReferenceUID = uid(plan.study, plan.frame_of_reference)
    ds.Modality, ds.ImageType = plan.modality, list(plan.image_type)
    ds.PatientName, ds.PatientID = "SECRET^NAME", "SECRET-ID"
    ds.SeriesNumber, ds.InstanceNumber = plan.number, k + 1
    ds.ImagePositionPatient = [_ds(v) for v in plan.positions[k]]
    ds.ImageOrientationPatient = [_ds(v) for v in (*plan.row, *plan.column)]
    ds.PixelSpacing = [_ds(plan.spacing[1]), _ds(plan.spacing[0])]
    if plan.thickness is not None:
        ds.SliceThickness = _ds(plan.thickness)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Columns, ds.Rows = plan.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = plan.bits
    ds.PixelRepresentation = int(plan.signed)
    ds.RescaleSlope, ds.RescaleIntercept = _ds(plan.slope), _ds(plan.intercept)
    if plan.modality == "CT":
        ds.RescaleType = "HU"
    for name, value in plan.extra.items():
        setattr(ds, name, value)
    for name in plan.drop:
        if name in ds:
            delattr(ds, name)
    return ds


def stored(plan: Plan, k: int) -> Array:
    """(rows, columns) stored integers of slice k, before bits are placed."""
    return np.rint((plan.values(k) - plan.intercept) / plan.slope).astype(np.int64)


def words(plan: Plan, integers: Array) -> Array:
    """Integers as the words of the pixel cell: two's complement, at the high bit."""
    allocated, bits, high = plan.bits
    masked = integers & ((1 << bits) - 1)
    return (masked << (high + 1 - bits)).astype(f"<u{allocated // 8}")


def write(path: Path, ds: Dataset, pixels: Array, syntax: str = EXPLICIT) -> Path:
    """One file. `pixels` are words, (rows, columns) or (frames, rows, columns)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = ds.get("SOPClassUID") or CT
    meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID") or uid("none")
    meta.ImplementationClassUID = "1.2.3.4"
    ds.file_meta = meta
    if syntax in ENCODERS:
        frames = pixels if pixels.ndim == 3 else pixels[None]
        signed = bool(ds.PixelRepresentation)
        ds.PixelData = encapsulate([ENCODERS[syntax](f, signed) for f in frames])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    else:
        big = syntax == "1.2.840.10008.1.2.2"
        ds.PixelData = (pixels.byteswap() if big and pixels.itemsize > 1 else pixels).tobytes()
        ds["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    dcmwrite(path, ds, enforce_file_format=True)
    return path


def write_series(
    plan: Plan,
    folder: Path,
    *,
    names: Callable[[int], str] = "im{:03d}.dcm".format,
    change: Callable[[int, Dataset, Array], Array | None] | None = None,
) -> list[Path]:
    """All slices; `change` may alter a slice's data set, and return other words for it."""
    paths = []
    for k in range(len(plan.positions)):
        ds = dataset(plan, k)
        pixels = words(plan, stored(plan, k))
        if change is not None:
            other = change(k, ds, pixels)
            pixels = pixels if other is None else other
        paths.append(write(folder / names(k), ds, pixels, plan.syntax))
    return paths


def _rle(frame: Array, signed: bool) -> bytes:
    """PackBits of each byte plane, high byte first, segments padded to even length."""
    planes = frame.reshape(-1).view("u1").reshape(-1, frame.itemsize).T[::-1]
    segments = [
        b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in p)
        for p in (plane.reshape(frame.shape) for plane in planes)
    ]
    segments = [s + b"\0" * (len(s) % 2) for s in segments]
    offsets = [64 + sum(map(len, segments[:n])) for n in range(len(segments))]
    head = struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments)))
    return head + b"".join(segments)


ENCODERS: dict[str, Callable[[Array, bool], bytes]] = {
    "1.2.840.10008.1.2.5": _rle,
    "1.2.840.10008.1.2.4.57": lambda f, _: bytes(imagecodecs.ljpeg_encode(f, bitspersample=16)),
    "1.2.840.10008.1.2.4.70": lambda f, _: bytes(imagecodecs.ljpeg_encode(f, bitspersample=16)),
    "1.2.840.10008.1.2.4.50": lambda f, _: bytes(imagecodecs.jpeg8_encode(f, level=95)),
    "1.2.840.10008.1.2.4.81": lambda f, _: bytes(imagecodecs.jpegls_encode(f, level=2)),
    "1.2.840.10008.1.2.4.80": lambda f, _: bytes(imagecodecs.jpegls_encode(f)),
    "1.2.840.10008.1.2.4.90": lambda f, s: bytes(
        imagecodecs.jpeg2k_encode(
            f.view(np.int16) if s else f, codecformat="j2k", reversible=True, level=0
        )
    ),
    "1.2.840.10008.1.2.4.201": lambda f, _: bytes(imagecodecs.htj2k_encode(f, reversible=True)),
}


def sequence(*items: dict[str, Any]) -> DicomSequence:
    """A sequence of data sets from keyword and value."""
    out = []
    for item in items:
        ds = Dataset()
        for name, value in item.items():
            setattr(ds, name, value)
        out.append(ds)
    return DicomSequence(out)


def enhanced(plan: Plan, order: Iterable[int], **extra: Any) -> tuple[Dataset, Array]:
    """One enhanced multi-frame object with the plan's slices as frames, in any order."""
    frames = [int(k) for k in order]
    ds = dataset(plan, 0)
    for name in (
        *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
        *("RescaleSlope", "RescaleIntercept", "RescaleType"),
    ):
        if name in ds:
            delattr(ds, name)
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1" if plan.modality == "CT" else MR + ".1"
    ds.NumberOfFrames = len(frames)
    measures = {
        "PixelSpacing": [_ds(plan.spacing[1]), _ds(plan.spacing[0])],
        "SliceThickness": _ds(plan.thickness or 1.0),
    }
    axes = {"ImageOrientationPatient": [_ds(v) for v in (*plan.row, *plan.column)]}
    rescale = {"RescaleSlope": _ds(plan.slope), "RescaleIntercept": _ds(plan.intercept)}
    ds.SharedFunctionalGroupsSequence = sequence(
        {
            "PixelMeasuresSequence": sequence(measures),
            "PlaneOrientationSequence": sequence(axes),
            "PixelValueTransformationSequence": sequence({**rescale, "RescaleType": "HU"}),
        }
    )
    ds.PerFrameFunctionalGroupsSequence = sequence(
        *(
            {
                "PlanePositionSequence": sequence(
                    {"ImagePositionPatient": [_ds(v) for v in plan.positions[k]]}
                ),
                "FrameContentSequence": sequence(
                    {"StackID": "1", "InStackPositionNumber": k + 1, "DimensionIndexValues": [1, k]}
                ),
            }
            for k in frames
        )
    )
    for name, value in extra.items():
        setattr(ds, name, value)
    pixels = np.stack([words(plan, stored(plan, k)) for k in frames])
    return ds, pixels


def _ds(value: float) -> str:
    return f"{float(value):.10g}"[:16]
