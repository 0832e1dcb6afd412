"""Outlines in the source's planes as an RT Structure Set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage

from medrecon.core import Label
from medrecon.dicom.objects import modules
from medrecon.dicom.objects.modules import Making
from medrecon.dicom.objects.quiet import without_remarks
from medrecon.dicom.objects.source import SourceSeries
from medrecon.dicom.objects.writing import write_object
from medrecon.errors import UsageError

# Digits after the point, in mm: a tenth of a micrometre loses nothing of 0.01 mm, and
# three numbers stay within the 16 characters that a decimal string may have.
_DIGITS = 4
SKIN = "39937001"


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """A closed planar line.

    Parameters
    ----------
    plane : int
        Index of the source's plane that it lies in.
    points_lps : ndarray of float64, shape (n, 3)
        Millimetres, the first not repeated. Holes are part of it, by channels.
    """

    plane: int
    points_lps: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A structure's outlines in all planes."""

    label: Label
    contours: tuple[Contour, ...]
    segmenter: str = modules.TISSUE_ENGINE


@without_remarks()
def write_rtstruct(
    stream: IO[bytes], regions: Sequence[Region], source: SourceSeries, making: Making
) -> None:
    """Write one structure set; every contour names the slice whose plane it lies in.

    Implicit VR: in an explicit one a contour of more than 65,534 characters has no place
    (PS3.5 7.1.2).

    Raises
    ------
    UsageError
        If no region has a contour.

    References
    ----------
    PS3.3 A.19 (IOD), C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour), C.8.8.8 (RT ROI
    Observations).
    """
    found = [r for r in regions if r.contours]
    if not found:
        raise UsageError("no structure crosses a slice of the source; nothing to write")
    ds = modules.begin(source, making, RTStructureSetStorage)
    ds.Modality = "RTSTRUCT"
    ds.SeriesDescription = "medrecon contours"
    ds.OperatorsName = ""
    _describe_set(ds, found, source, making)
    ds.ROIContourSequence = [_contours(r, n, source) for n, r in enumerate(found, 1)]
    ds.RTROIObservationsSequence = [_observation(r, n) for n, r in enumerate(found, 1)]
    ds.ApprovalStatus = "UNAPPROVED"
    write_object(modules.with_meta(ds, ImplicitVRLittleEndian), stream)


def _describe_set(
    ds: Dataset, regions: Sequence[Region], source: SourceSeries, making: Making
) -> None:
    ds.StructureSetLabel = "medrecon"
    ds.StructureSetDate, ds.StructureSetTime = making.date(source)
    series = Dataset()
    series.SeriesInstanceUID = source.header.SeriesInstanceUID
    series.ContourImageSequence = [modules.reference(h) for h in source.instances]
    study = Dataset()
    # Detached Study Management, retired, and still what this sequence names (C.8.8.5).
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    study.ReferencedSOPInstanceUID = source.header.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = source.header.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    ds.ReferencedFrameOfReferenceSequence = [frame]
    ds.StructureSetROISequence = [_region(r, n, source) for n, r in enumerate(regions, 1)]


def _region(region: Region, number: int, source: SourceSeries) -> Dataset:
    item = Dataset()
    item.ROINumber = number
    item.ReferencedFrameOfReferenceUID = source.header.FrameOfReferenceUID
    item.ROIName = region.label.name[:64]
    item.ROIGenerationAlgorithm = "AUTOMATIC"
    item.ROIGenerationDescription = f"medrecon {region.segmenter}"[:64]
    return item


def _contours(region: Region, number: int, source: SourceSeries) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(region.label.color)
    item.ReferencedROINumber = number
    item.ContourSequence = [_contour(c, n, source) for n, c in enumerate(region.contours, 1)]
    return item


def _contour(contour: Contour, number: int, source: SourceSeries) -> Dataset:
    plane = source.planes[contour.plane]
    item = Dataset()
    item.ContourNumber = number
    item.ContourImageSequence = [modules.reference(plane.header, plane.frame)]
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(contour.points_lps)
    rounded = np.round(contour.points_lps, _DIGITS) + 0.0
    item.ContourData = [f"{v:.{_DIGITS}f}" for v in rounded.ravel().tolist()]
    return item


def _observation(region: Region, number: int) -> Dataset:
    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = number
    item.ROIObservationLabel = region.label.name[:16]
    if region.label.code is not None:
        item.RTROIIdentificationCodeSequence = [modules.code(*modules.type_of(region.label))]
    is_skin = region.label.code is not None and region.label.code.value == SKIN
    item.RTROIInterpretedType = "EXTERNAL" if is_skin else ""
    item.ROIInterpreter = ""
    return item
