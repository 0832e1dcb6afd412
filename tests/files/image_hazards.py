"""One file per hazard: what programs write into NIfTI, MetaImage and NRRD headers.

Each says what must come out: the volume of `STORED` on `AFFINE_LPS`, or a refusal with
one of the given codes.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

# Every voxel has a value of its own, so that no flip or permutation gives the same image.
STORED = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
AFFINE_LPS = np.array([[0.8, 0, 0, -9], [0, 1.1, 0, -8], [0, 0, 2, -11], [0, 0, 0, 1.0]])
AFFINE_RAS = np.diag([-1, -1, 1, 1]) @ AFFINE_LPS
RAW = STORED.tobytes(order="F")


@dataclass(frozen=True)
class ImageHazard:
    """A file to make and what must come of it; no codes where the volume is right."""

    name: str
    make: Callable[[Path], Path]
    codes: tuple[str, ...]


IMAGE_HAZARDS: list[ImageHazard] = []

# --- NIfTI: bytes of a right header, overwritten ---------------------------------------------

# Offsets in nifti1.h.
DIM, INTENT, DATATYPE, PIXDIM, VOX_OFFSET = 40, 68, 70, 76, 108
SLOPE, UNITS, QFORM, SFORM, QUATERN, SROW = 112, 123, 252, 254, 256, 280
Patch = tuple[int, str, tuple[Any, ...]]


def nifti(
    name: str,
    *codes: str,
    patches: tuple[Patch, ...] = (),
    array: Any = STORED,
    affine: Any = AFFINE_RAS,
    units: str = "mm",
    kind: Any = nibabel.Nifti1Image,
    suffix: str = ".nii",
    then: Callable[[bytes], bytes] = bytes,
    **more: Any,
) -> None:
    def make(folder: Path) -> Path:
        image = kind(array, affine, **more)
        image.set_sform(affine, 1)
        image.set_qform(affine, 1)
        image.header.set_xyzt_units(units)
        path = folder / f"image{suffix}"
        nibabel.save(image, path)
        raw = bytearray(path.read_bytes())
        for offset, form, values in patches:
            struct.pack_into("<" + form, raw, offset, *values)
        path.write_bytes(then(bytes(raw)))
        return path

    IMAGE_HAZARDS.append(ImageHazard(f"nifti {name}", make, codes))


def _with(packed: bytes, offset: int, form: str, *values: int) -> bytes:
    raw = bytearray(gzip.decompress(packed))
    struct.pack_into("<" + form, raw, offset, *values)
    return bytes(raw)


def scaled(factor: float) -> Any:
    return np.diag([factor, factor, factor, 1.0]) @ AFFINE_RAS


ONLY_Q, ONLY_S = (SFORM, "h", (0,)), (QFORM, "h", (0,))

nifti("as it should be")
nifti("version 2", kind=nibabel.Nifti2Image)
nifti("as a pair of files", kind=nibabel.Nifti1Pair, suffix=".img")
nifti("one time of four dimensions", array=STORED[..., None])
nifti("64-bit whole numbers that fit", array=STORED.astype(np.int64), dtype=np.int64)
nifti("in metres", affine=scaled(1e-3), units="meter")
nifti("in micrometres", affine=scaled(1e3), units="micron")
nifti("by its quaternion with qfac of zero", patches=(ONLY_Q, (PIXDIM, "f", (0.0,))))
nifti("slope of zero", patches=((SLOPE, "ff", (0.0, 7.0)),))
nifti("a unit that does not exist", "geometry", patches=((UNITS, "B", (5,)),))
nifti("micrometres by its unit alone", "no-spacing", patches=((UNITS, "B", (3,)),))
nifti("infinite slope", "pixel-data", patches=((SLOPE, "ff", (float("inf"), 0.0)),))
nifti("undefined intercept", "pixel-data", patches=((SLOPE, "ff", (2.0, float("nan"))),))
nifti("complex numbers", "geometry", array=STORED.astype(np.complex64))
nifti("colours", "geometry", array=np.zeros((4, 5, 6), [(c, "u1") for c in "RGB"]))
nifti("vectors", "geometry", array=np.repeat(STORED[..., None, None], 3, 4))
nifti("numbers that float32 rounds", "pixel-data", array=STORED.astype(np.int32) + 2**30)
nifti("numbers beyond float32", "pixel-data", array=STORED * 1e300)
nifti("a single slice", "geometry", array=STORED[:, :, :1])
nifti("nine dimensions", "geometry", patches=((DIM, "h", (9,)),))
nifti("a dimension of zero", "geometry", patches=((DIM + 2, "h", (0,)),))
nifti("terabytes promised", "pixel-data", patches=((DIM + 2, "3h", (30000,) * 3),))
nifti(
    "terabytes promised and packed",
    "pixel-data",
    suffix=".nii.gz",
    then=lambda raw: gzip.compress(_with(raw, DIM + 2, "3h", 30000, 30000, 30000), mtime=0),
)
nifti("a pixel dimension of zero", "no-spacing", patches=(ONLY_Q, (PIXDIM + 4, "f", (0.0,))))
nifti("a negative pixel dimension", "no-spacing", patches=(ONLY_Q, (PIXDIM + 4, "f", (-0.8,))))
nifti("pixdim against sform", "geometry", patches=(ONLY_S, (PIXDIM + 4, "f", (3.0,))))
nifti("sform against qform", "geometry", patches=((SROW, "4f", (0.8, 0.0, 0.0, -9.0)),))
nifti("sform of zeros", "geometry", patches=(ONLY_S, (SROW, "12f", (0.0,) * 12)))
nifti("no orientation", "geometry", patches=(ONLY_Q, ONLY_S))
nifti("voxels inside the header", "pixel-data", patches=((VOX_OFFSET, "f", (0.0,)),))
nifti("voxels beyond the end", "pixel-data", patches=((VOX_OFFSET, "f", (400.0,)),))
nifti("voxels of an unknown type", "unreadable", patches=((DATATYPE, "h", (9999,)),))
nifti("analyze header", "geometry", patches=((344, "4s", (b"\0\0\0\0",)),))
nifti("cut inside the header", "unreadable", then=lambda raw: raw[:200])
nifti("cut inside the voxels", "pixel-data", then=lambda raw: raw[:-40])
nifti("packed, but not by its name", "unreadable", then=lambda raw: gzip.compress(raw, mtime=0))

# --- MetaImage and NRRD: text headers with lines changed or left out --------------------------

META = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "-9 -8 -11",
    "AnatomicalOrientation": "RAI",
    "ElementSpacing": "0.8 1.1 2",
    "DimSize": "4 5 6",
    "ElementType": "MET_SHORT",
}
NRRD = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "4 5 6",
    "space directions": "(0.8,0,0) (0,1.1,0) (0,0,2)",
    "space origin": "(-9,-8,-11)",
    "endian": "little",
    "encoding": "raw",
}


def meta(name: str, *codes: str, data: bytes = RAW, file: str = "LOCAL", **lines: Any) -> None:
    """A line given as None is left out."""

    def make(folder: Path) -> Path:
        fields = {**META, **lines, "ElementDataFile": file}
        text = "".join(f"{k} = {v}\n" for k, v in fields.items() if v is not None)
        path = folder / "image.mha"
        path.write_bytes(text.encode() + data)
        return path

    IMAGE_HAZARDS.append(ImageHazard(f"metaimage {name}", make, codes))


def nrrd(name: str, *codes: str, data: bytes = RAW, **lines: Any) -> None:
    """A line given as None is left out; underscores stand for spaces."""

    def make(folder: Path) -> Path:
        fields = {**NRRD, **{k.replace("_", " "): v for k, v in lines.items()}}
        text = "".join(f"{k}: {v}\n" for k, v in fields.items() if v is not None)
        path = folder / "image.nrrd"
        path.write_bytes(b"NRRD0005\n" + text.encode() + b"\n" + data)
        return path

    IMAGE_HAZARDS.append(ImageHazard(f"nrrd {name}", make, codes))


PACKED = zlib.compress(RAW)

meta("as it should be")
meta("big endian", data=STORED.astype(">i2").tobytes(order="F"), BinaryDataByteOrderMSB="True")
meta("packed", data=PACKED, CompressedData="True")
meta("packed with a wrong size", data=PACKED, CompressedData="True", CompressedDataSize="20")
meta("spacing by ElementSize alone", ElementSpacing=None, ElementSize="0.8 1.1 2")
meta("unknown letters", AnatomicalOrientation="???")
meta("packed and cut", "pixel-data", data=PACKED[:-30], CompressedData="True")
meta("packed too little", "pixel-data", data=zlib.compress(RAW[:100]), CompressedData="True")
meta("cut", "pixel-data", data=RAW[:-40])
meta("a slice too much", "pixel-data", data=RAW + bytes(40))
meta("two byte orders", "pixel-data", ElementByteOrderMSB="True")
meta("scaled in its header", "pixel-data", ElementToIntensityFunctionSlope="2")
meta("no direction", "geometry", TransformMatrix=None)
meta("letters against the matrix", "geometry", AnatomicalOrientation="LPI")
meta("no position", "geometry", Offset=None)
meta("two positions", "geometry", Position="1 2 3")
meta("micrometres", "geometry", DistanceUnits="um")
meta("a matrix that stretches", "geometry", TransformMatrix="2 0 0 0 1 0 0 0 1")
meta("no spacing", "no-spacing", ElementSpacing=None)
meta("a negative spacing", "no-spacing", ElementSpacing="0.8 1.1 -2")
meta("decimal commas", "unreadable", ElementSpacing="0,8 1,1 2")
meta("terabytes promised", "resource", DimSize="30000 30000 30000")
meta("another file's bytes", "unreadable", data=b"", file="../../../../etc/passwd")
meta("two values a voxel", "geometry", data=RAW * 2, ElementNumberOfChannels="2")

nrrd("as it should be")
nrrd(
    "right anterior superior",
    space="RAS",
    space_directions="(-0.8,0,0) (0,-1.1,0) (0,0,2)",
    space_origin="(9,8,-11)",
)
nrrd(
    "left anterior superior",
    space="left-anterior-superior",
    space_directions="(0.8,0,0) (0,-1.1,0) (0,0,2)",
    space_origin="(-9,8,-11)",
)
nrrd("big endian", data=STORED.astype(">i2").tobytes(order="F"), endian="big")
nrrd("packed", data=gzip.compress(RAW, mtime=0), encoding="gzip")
nrrd("space of the scanner", "geometry", space="scanner-xyz")
nrrd("a right-handed space", "geometry", space="3D-right-handed")
nrrd(
    "spacings without a space",
    "geometry",
    space=None,
    space_directions=None,
    space_origin=None,
    spacings="0.8 1.1 2",
)
nrrd("no origin", "geometry", space_origin=None)
nrrd("micrometres", "geometry", space_units='"um" "um" "um"')
nrrd("no directions", "no-spacing", space_directions=None)
nrrd("one direction of none", "no-spacing", space_directions="none (0,1.1,0) (0,0,2)")
nrrd("cut", "unreadable", data=RAW[:-30])
nrrd("terabytes promised", "resource", sizes="30000 30000 30000")
nrrd("another file's bytes", "unreadable", data=b"", data_file="../../../../../etc/passwd")
