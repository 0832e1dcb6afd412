"""A volume as a CT Image Storage series: one file per slice, the same bytes every time."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import UID, CTImageStorage
from pydicom.valuerep import format_number_as_ds

from medrecon.core import Geometry, Volume
from medrecon.errors import GeometryError, OutputError

Frame = npt.NDArray[np.uint16]

# Names under which UIDs are derived; our own, so that nobody else's derivation collides.
UID_NAMESPACE = uuid.UUID("6f0f3d58-9d0c-5b0e-8d5e-5d1f6a2c7e11")
IMPLEMENTATION_UID = UID(f"2.25.{uuid.uuid5(UID_NAMESPACE, 'implementation').int}")
# HU of the stored value 0. −1024 is every vendor's choice and holds air with its noise.
RESCALE_INTERCEPT_HU = -1024


class TransferSyntax(StrEnum):
    """How the files are encoded; every one is lossless."""

    EXPLICIT = "explicit"
    IMPLICIT = "implicit"
    DEFLATED = "deflated"
    RLE = "rle"
    JPEG_LOSSLESS = "jpeglossless"
    JPEG_LS = "jpegls"
    JPEG_2000 = "jpeg2000"
    HTJ2K = "htj2k"


_UIDS = {
    TransferSyntax.EXPLICIT: UID("1.2.840.10008.1.2.1"),
    TransferSyntax.IMPLICIT: UID("1.2.840.10008.1.2"),
    TransferSyntax.DEFLATED: UID("1.2.840.10008.1.2.1.99"),
    TransferSyntax.RLE: UID("1.2.840.10008.1.2.5"),
    TransferSyntax.JPEG_LOSSLESS: UID("1.2.840.10008.1.2.4.57"),
    TransferSyntax.JPEG_LS: UID("1.2.840.10008.1.2.4.80"),
    TransferSyntax.JPEG_2000: UID("1.2.840.10008.1.2.4.90"),
    TransferSyntax.HTJ2K: UID("1.2.840.10008.1.2.4.201"),
}


def _rle(frame: Frame) -> bytes:
    rows, columns = frame.shape
    encoded: bytes = RLELosslessEncoder.encode(
        frame,
        encoding_plugin="pydicom",
        rows=rows,
        columns=columns,
        number_of_frames=1,
        samples_per_pixel=1,
        bits_allocated=16,
        bits_stored=16,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
    )
    return encoded


_ENCODERS: dict[TransferSyntax, Callable[[Frame], bytes]] = {
    TransferSyntax.JPEG_LOSSLESS: lambda f: bytes(imagecodecs.ljpeg_encode(f, bitspersample=16)),
    TransferSyntax.JPEG_LS: lambda f: bytes(imagecodecs.jpegls_encode(f)),
    TransferSyntax.JPEG_2000: lambda f: bytes(
        imagecodecs.jpeg2k_encode(f, codecformat="j2k", reversible=True, level=0, numthreads=1)
    ),
    TransferSyntax.HTJ2K: lambda f: bytes(imagecodecs.htj2k_encode(f, reversible=True)),
    TransferSyntax.RLE: _rle,
}


@dataclass(frozen=True, slots=True)
class CtSeries:
    """What a written series says of itself besides its image.

    Parameters
    ----------
    uid_seed : str
        Every UID is derived from it: the same seed gives the same UIDs.
    number : int
        Series Number (0020,0011); series of one `uid_seed` share study and frame of
        reference, so two series of one study differ in this only.
    description : str
        Series Description (0008,103E).
    patient_name, patient_id : str
        Of somebody who does not exist.
    tube_voltage_kv : int
        KVP (0018,0060).
    kernel : str
        Convolution Kernel (0018,1210).
    """

    uid_seed: str = "medrecon"
    number: int = 1
    description: str = "Phantom"
    patient_name: str = "Phantom^Torso"
    patient_id: str = "PHANTOM"
    tube_voltage_kv: int = 120
    kernel: str = "STANDARD"


def write_ct_series(
    volume: Volume,
    folder: Path,
    *,
    transfer_syntax: TransferSyntax | str = TransferSyntax.EXPLICIT,
    series: CtSeries | None = None,
    name_pattern: str = "ct_{number:04d}.dcm",
) -> tuple[Path, ...]:
    """Paths of the files written, one per slice along the volume's k axis.

    Positions come from the volume's geometry: an oblique, left-handed or sheared
    (gantry tilt) one is written as it is; only i and j must be perpendicular. No date
    or time is written. `name_pattern` is filled with `number`, from 1.

    Parameters
    ----------
    volume : Volume
        HU; int16, or float32, which is rounded to whole HU. −1024 to 64511.
    folder : Path
        Made if it is not there.

    Raises
    ------
    GeometryError
        If rows and columns are not perpendicular.
    ValueError
        If a value does not fit into 16 bits.
    OutputError
        If a file cannot be written.

    References
    ----------
    PS3.3 A.3 (CT Image IOD), C.7.6.2 (Image Plane), C.8.2.1 (CT Image);
    PS3.5 A.4 (encapsulation) and B.2 (UIDs from UUIDs).
    """
    syntax, header = TransferSyntax(transfer_syntax), series or CtSeries()
    _check_plane(volume.geometry)
    _check_range(volume)
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for k in range(volume.geometry.shape[2]):
            path = folder / name_pattern.format(number=k + 1)
            _write_file(path, _slice(volume, k, header), _stored(volume, k), syntax)
            paths.append(path)
    except OSError as error:
        raise OutputError(f"cannot write the series: {error.strerror}") from error
    return tuple(paths)


def derived_uid(*parts: object) -> UID:
    """A UID that depends on the parts only (version 5 UUID under the root 2.25)."""
    name = "/".join(str(p) for p in parts)
    return UID(f"2.25.{uuid.uuid5(UID_NAMESPACE, name).int}")


def _check_plane(geometry: Geometry) -> None:
    direction = np.asarray(geometry.direction)
    cosine = abs(float(direction[:, 0] @ direction[:, 1]))
    if cosine > 1e-4:
        raise GeometryError(
            f"rows and columns are not perpendicular: cosine {cosine:.3g}; 0 expected"
        )


def _check_range(volume: Volume) -> None:
    low, high = float(volume.array.min()), float(volume.array.max())
    top = RESCALE_INTERCEPT_HU + 65535
    if not (low >= RESCALE_INTERCEPT_HU and high <= top):
        raise ValueError(f"values from {low:g} to {high:g}; {RESCALE_INTERCEPT_HU} to {top} fit")


def _stored(volume: Volume, k: int) -> Frame:
    """Slice k as stored values, shape (rows, columns)."""
    hu = np.rint(volume.array[:, :, k].T).astype(np.int32)
    return np.ascontiguousarray(hu - RESCALE_INTERCEPT_HU, dtype=np.uint16)


def _slice(volume: Volume, k: int, series: CtSeries) -> Dataset:
    """Everything but the pixels of slice k."""
    ds = Dataset()
    _describe_patient_and_study(ds, series)
    _describe_series(ds, volume, series)
    _describe_image(ds, volume, k, series)
    _place(ds, volume.geometry, k)
    ds.SliceThickness = _ds(volume.acquisition.slice_thickness_mm or volume.geometry.spacing_mm[2])
    return ds


def _describe_patient_and_study(ds: Dataset, series: CtSeries) -> None:
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID = series.patient_name, series.patient_id
    ds.PatientBirthDate = ds.PatientSex = ""
    ds.StudyInstanceUID = derived_uid(series.uid_seed, "study")
    ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.ReferringPhysicianName = ""
    ds.StudyID = "1"
    ds.StudyDescription = "Synthetic data, no patient"


def _describe_series(ds: Dataset, volume: Volume, series: CtSeries) -> None:
    ds.Modality = "CT"
    ds.SeriesInstanceUID = derived_uid(series.uid_seed, "series", series.number)
    ds.SeriesNumber = series.number
    ds.SeriesDescription = series.description
    ds.PatientPosition = "HFS"
    if volume.acquisition.body_part:
        ds.BodyPartExamined = volume.acquisition.body_part
    ds.FrameOfReferenceUID = derived_uid(series.uid_seed, "frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer = "medrecon"
    ds.ManufacturerModelName = "phantom"


def _describe_image(ds: Dataset, volume: Volume, k: int, series: CtSeries) -> None:
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = derived_uid(series.uid_seed, "series", series.number, "image", k + 1)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.InstanceNumber, ds.AcquisitionNumber = k + 1, 1
    if volume.acquisition.is_phantom:
        ds.QualityControlImage = "YES"
    ds.KVP = series.tube_voltage_kv
    ds.ConvolutionKernel = series.kernel
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Columns, ds.Rows = volume.geometry.shape[:2]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = RESCALE_INTERCEPT_HU, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400


def _place(ds: Dataset, geometry: Geometry, k: int) -> None:
    """Image Plane: where the slice lies (PS3.3 C.7.6.2)."""
    direction = np.asarray(geometry.direction)
    spacing_i, spacing_j, _ = geometry.spacing_mm
    position = geometry.mm_from_index([[0, 0, k]])[0]
    ds.PixelSpacing = [_ds(spacing_j), _ds(spacing_i)]
    ds.ImageOrientationPatient = [_ds(v) for v in (*direction[:, 0], *direction[:, 1])]
    ds.ImagePositionPatient = [_ds(v) for v in position]
    ds.SliceLocation = _ds(float(np.cross(direction[:, 0], direction[:, 1]) @ position))


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2), without a negative zero."""
    text: str = format_number_as_ds(float(round(float(value), 12)) + 0.0)
    return text


def _write_file(path: Path, ds: Dataset, frame: Frame, syntax: TransferSyntax) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    meta.TransferSyntaxUID = _UIDS[syntax]
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "MEDRECON"
    ds.file_meta = meta
    encode = _ENCODERS.get(syntax)
    ds.PixelData = encapsulate([encode(frame)]) if encode else frame.astype("<u2").tobytes()
    ds["PixelData"].VR = "OB" if encode else "OW"
    ds["PixelData"].is_undefined_length = encode is not None
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
