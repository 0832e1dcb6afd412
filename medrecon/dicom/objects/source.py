"""The series that a derived object belongs to: its identity and its planes, without pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from medrecon.core import Geometry
from medrecon.dicom.geometry import Layout
from medrecon.dicom.limits import Limits
from medrecon.dicom.objects.quiet import without_remarks
from medrecon.dicom.series import Series
from medrecon.dicom.slices import Slice
from medrecon.dicom.sources import Source
from medrecon.errors import DamagedInputError, GeometryError, UnreadableInputError, UsageError

# What a derived object takes from its source, and nothing else: patient and study as
# PS3.3 C.7.1 and C.7.2 need them, the frame of reference, and what places an image.
WHO = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
)
WHERE = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "SliceThickness",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)
_NEVER_ABSENT = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PositionReferenceIndicator",
)
_UID_KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
_FRAME_GROUPS = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")


@dataclass(frozen=True, slots=True, eq=False)
class SourcePlane:
    """One slice of the source.

    Parameters
    ----------
    header : Dataset
        Only the attributes that a derived object takes over.
    frame : int or None
        Which frame of a multi-frame object, from 1; None of a single-frame one.
    geometry : Geometry
        Shape (columns, rows, 1); the third axis is the slices' normal and its spacing
        the height of the slab that the slice stands for.
    slab_mm : tuple of float
        How far that slab reaches below and above the plane: half way to either
        neighbour; at the ends as far as on the other side.
    """

    header: Dataset
    frame: int | None
    geometry: Geometry
    slab_mm: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class SourceSeries:
    """The slices of one volume in order along their normal, without pixels.

    Parameters
    ----------
    planes : tuple of SourcePlane
    pseudonym : bool
        Whether the identity was replaced.
    """

    planes: tuple[SourcePlane, ...]
    pseudonym: bool = False

    @property
    def header(self) -> Dataset:
        """Header of the first slice: who, which study, which frame of reference."""
        return self.planes[0].header

    @property
    def instances(self) -> tuple[Dataset, ...]:
        """One header for each SOP instance, in the planes' order."""
        return tuple({p.header.SOPInstanceUID: p.header for p in self.planes}.values())

    def __repr__(self) -> str:
        return f"<SourceSeries of {len(self.planes)} planes>"


def open_source(
    series: Series, *, frame: int | None = None, limits: Limits | None = None
) -> SourceSeries:
    """Headers and planes of the series that `read` would give.

    Raises
    ------
    UsageError
        If it cannot lend its identity: no frame of reference, or a mosaic whose slices
        have no address of their own.
    DamagedInputError
        If a header cannot be parsed.
    """
    if series.finding.refusal is not None:
        raise series.finding.refusal
    layout = series.layouts[(frame or 1) - 1]
    if any(s.tile for s in layout.slices):
        raise UsageError(
            "the source is a mosaic: its slices have no address that a DICOM object could "
            "refer to; export seg.nrrd, or the series as enhanced MR"
        )
    budgets = limits or Limits()
    read: dict[int, Dataset] = {}
    planes = []
    for n, slice_ in enumerate(layout.slices):
        key = id(slice_.source)
        if key not in read:
            read[key] = _header(slice_.source, slice_.element.offset, budgets)
        planes.append(_plane(layout, n, read[key], slice_))
    _refuse_unnamed(planes)
    return SourceSeries(tuple(planes))


@without_remarks()
def deidentified(source: SourceSeries, key: str) -> SourceSeries:
    """The same planes under a pseudonym, with other UIDs and without dates.

    The attributes that are kept are listed, not those that are removed. The same key
    gives the same pseudonym and UIDs, so that the objects of one run stay together;
    without it they lead back to nobody.

    Parameters
    ----------
    source : SourceSeries
    key : str
        Hexadecimal, secret to the extent that the result is to stay unlinkable.

    References
    ----------
    PS3.15 E.1 (attribute confidentiality); PS3.5 B.2 (UIDs from random numbers).
    """
    headers = {p.header.SOPInstanceUID: _pseudonymous(p.header, key) for p in source.planes}
    planes = tuple(
        SourcePlane(headers[p.header.SOPInstanceUID], p.frame, p.geometry, p.slab_mm)
        for p in source.planes
    )
    return SourceSeries(planes, pseudonym=True)


def keyed_uid(key: str, *parts: object) -> UID:
    """A UID that depends on the key and the parts only, 122 of its bits at most."""
    digest = hashlib.blake2b(key=bytes.fromhex(key), digest_size=15)
    digest.update("/".join(str(p) for p in parts).encode())
    return UID(f"2.25.{int.from_bytes(digest.digest(), 'big')}")


def _header(source: Source, length: int, limits: Limits) -> Dataset:
    """The allowed attributes of one file's header."""
    if length > limits.header_bytes:
        raise DamagedInputError(
            f"a header of {length >> 20} MiB; at most {limits.header_bytes >> 20} are read"
        )
    try:
        with without_remarks():
            stream = BytesIO(source.head(length))
            return _allowed(pydicom.dcmread(stream, stop_before_pixels=True, force=True))
    except (InvalidDicomError, ValueError, TypeError, AttributeError, KeyError, EOFError) as error:
        kind = type(error).__name__
        raise UnreadableInputError(f"a header of the source cannot be parsed ({kind})") from None


def _allowed(found: Dataset) -> Dataset:
    kept = Dataset()
    # Text is decoded and written again as UTF-8, whatever the source used.
    kept.SpecificCharacterSet = "ISO_IR 192"
    for keyword in (*WHO, *WHERE):
        # What is optional is taken only if it says something.
        value = found[keyword].value if keyword in found else None
        if value not in (None, ""):
            setattr(kept, keyword, str(value) if keyword.endswith("Name") else value)
    for keyword in _NEVER_ABSENT:
        if keyword not in kept:
            setattr(kept, keyword, "")
    if "PerFrameFunctionalGroupsSequence" in found:
        shared = found.get("SharedFunctionalGroupsSequence") or [Dataset()]
        kept.SharedFunctionalGroupsSequence = [_groups(shared[0])]
        kept.PerFrameFunctionalGroupsSequence = [
            _groups(item) for item in found.PerFrameFunctionalGroupsSequence
        ]
    return kept


def _groups(item: Dataset) -> Dataset:
    kept = Dataset()
    for keyword in _FRAME_GROUPS:
        if keyword in item:
            setattr(kept, keyword, [_only_placement(g) for g in item[keyword].value])
    return kept


def _only_placement(group: Dataset) -> Dataset:
    kept = Dataset()
    for keyword in (*WHERE, "SpacingBetweenSlices"):
        if keyword in group:
            setattr(kept, keyword, group[keyword].value)
    return kept


def _refuse_unnamed(planes: list[SourcePlane]) -> None:
    """An object that refers to its source needs the source's identifiers."""
    missing = [k for k in _UID_KEYWORDS if any(not p.header.get(k) for p in planes)]
    if missing:
        raise UsageError(
            f"the source states no {', '.join(missing)}, so no DICOM object can refer to it; "
            "export stl, 3mf or seg.nrrd instead"
        )


def _plane(layout: Layout, n: int, header: Dataset, slice_: Slice) -> SourcePlane:
    below, above = slabs_mm(layout.positions_mm @ layout.normal)[n]
    affine = np.eye(4)
    affine[:3, 0] = np.asarray(layout.row) * layout.spacing_mm[0]
    affine[:3, 1] = np.asarray(layout.column) * layout.spacing_mm[1]
    affine[:3, 2] = layout.normal * (below + above)
    affine[:3, 3] = layout.positions_mm[n]
    columns, rows, _ = layout.shape
    frame = slice_.frame + 1 if "PerFrameFunctionalGroupsSequence" in header else None
    geometry = Geometry.from_affine(affine, (columns, rows, 1))
    return SourcePlane(header, frame, geometry, (float(below), float(above)))


def slabs_mm(heights_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, 2) how far each plane's slab reaches below and above it.

    Half way to each neighbour, so that the slabs fill the stack without overlap; the
    first and the last reach as far outward as inward: half a slice.

    Raises
    ------
    GeometryError
        If there are fewer than two planes.

    Examples
    --------
    >>> slabs_mm(np.array([0.0, 2.0, 5.0])).tolist()
    [[1.0, 1.0], [1.0, 1.5], [1.5, 1.5]]
    """
    if len(heights_mm) < 2:
        raise GeometryError("a single plane stands for no slab; at least two expected")
    half = np.diff(heights_mm) / 2
    return np.stack([np.append(half[0], half), np.append(half, half[-1])], axis=1)


def _pseudonymous(header: Dataset, key: str) -> Dataset:
    kept = Dataset()
    kept.SpecificCharacterSet = "ISO_IR 192"
    pseudonym = hashlib.blake2b(b"patient", key=bytes.fromhex(key), digest_size=6).hexdigest()
    for keyword in _NEVER_ABSENT:
        setattr(kept, keyword, "")
    kept.PatientID = f"MEDRECON-{pseudonym}".upper()
    kept.PatientName = f"MEDRECON^{pseudonym}".upper()
    kept.StudyInstanceUID = ""
    for keyword in (*WHERE, "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        if keyword in header:
            setattr(kept, keyword, header[keyword].value)
    for keyword in _UID_KEYWORDS:
        setattr(kept, keyword, keyed_uid(key, "uid", header[keyword].value))
    # Free text that a scanner's operator may have typed into.
    kept.PositionReferenceIndicator = ""
    kept.PatientIdentityRemoved = "YES"
    kept.DeidentificationMethod = "medrecon: listed attributes only, new UIDs, no dates"
    return kept
