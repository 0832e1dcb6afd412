"""Segments on the source's own slices as a DICOM Segmentation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from medrecon.core import Label
from medrecon.dicom.objects import modules
from medrecon.dicom.objects.colour import cielab_from_srgb
from medrecon.dicom.objects.modules import Making
from medrecon.dicom.objects.quiet import without_remarks
from medrecon.dicom.objects.source import WHERE, WHO, SourceSeries
from medrecon.dicom.objects.writing import write_object
from medrecon.errors import DamagedInputError, GeometryError, UsageError

HIGHEST = 255
"""Maximum Fractional Value: what a voxel that is wholly inside holds."""


class SegKind(Enum):
    """What a voxel of the object says (PS3.3 C.8.20.2.3)."""

    BINARY = "binary"
    OCCUPANCY = "occupancy"
    PROBABILITY = "probability"
    LABELMAP = "labelmap"


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One structure on the planes of the source.

    Parameters
    ----------
    label : Label
    frames : ndarray, shape (planes, rows, columns)
        bool for BINARY and LABELMAP; uint8 for the fractional kinds: the part of the voxel
        that is inside, or how probable it is that it is, in units of 1/255.
    segmenter : str
        Who found it: "tissue", or a model's name and version.
    """

    label: Label
    frames: npt.NDArray[np.bool_] | npt.NDArray[np.uint8]
    segmenter: str = modules.TISSUE_ENGINE


@without_remarks()
def write_seg(
    stream: IO[bytes],
    segments: Sequence[Segment],
    source: SourceSeries,
    making: Making,
    *,
    kind: SegKind = SegKind.BINARY,
) -> None:
    """Write one SEG with all segments; empty frames are left out.

    Positions and orientation of each frame are those of the source's slice, copied and
    not computed: oblique, tilted and irregular series come out as they went in. In a
    LABELMAP, which cannot overlap, the smaller structure is shown, as in `labels.nii.gz`.

    Raises
    ------
    UsageError
        If highdicom is not installed, or all segments are empty.
    GeometryError
        If the frames are not on the source's planes.

    References
    ----------
    PS3.3 A.51 (Segmentation IOD), A.51.2 (Label Map Segmentation IOD), C.8.20.2.
    """
    _check(segments, source)
    if kind is SegKind.LABELMAP:
        segments = sorted(segments, key=lambda s: s.label.index)
    try:
        ds = _build(segments, source, making, kind)
    except (ValueError, TypeError, AttributeError) as error:
        reason = type(error).__name__
        raise DamagedInputError(
            f"the source's header holds something that no SEG can repeat ({reason}); "
            "try --deidentify, which leaves all but its geometry out"
        ) from error
    _settle(ds, source, making, kind)
    write_object(modules.with_meta(ds, ExplicitVRLittleEndian), stream)


def _check(segments: Sequence[Segment], source: SourceSeries) -> None:
    columns, rows, _ = source.planes[0].geometry.shape
    expected = (len(source.planes), rows, columns)
    for segment in segments:
        if segment.frames.shape != expected:
            raise GeometryError(f"frames {segment.frames.shape}; the source has {expected}")
    if not any(segment.frames.any() for segment in segments):
        raise UsageError("no structure has a voxel on the source's slices; nothing to write")


def _build(
    segments: Sequence[Segment], source: SourceSeries, making: Making, kind: SegKind
) -> Dataset:
    try:
        from highdicom.content import PixelMeasuresSequence
        from highdicom.seg import Segmentation
    except ImportError:
        raise UsageError(
            'DICOM SEG needs highdicom: python3 -m pip install "medrecon[dicom-out]"'
        ) from None
    geometry = source.planes[0].geometry
    spacing_i, spacing_j, _ = geometry.spacing_mm
    slab = float(np.median([sum(p.slab_mm) for p in source.planes]))
    measures = PixelMeasuresSequence(
        pixel_spacing=(_ds(spacing_j), _ds(spacing_i)),
        slice_thickness=_ds(slab),
        spacing_between_slices=_even_step(source),
    )
    fractional = "OCCUPANCY" if kind is SegKind.OCCUPANCY else "PROBABILITY"
    made: Dataset = Segmentation(
        source_images=_instances(source),
        pixel_array=_pixels(segments, kind),
        segmentation_type=_TYPES[kind],
        segment_descriptions=[_describe(s, n, kind) for n, s in enumerate(segments, 1)],
        series_instance_uid=making.uid(source, kind.value, "series"),
        series_number=making.series_number,
        sop_instance_uid=making.uid(source, kind.value, "instance"),
        instance_number=1,
        manufacturer=modules.MANUFACTURER,
        manufacturer_model_name=modules.MODEL,
        software_versions=modules.version(),
        device_serial_number=modules.SERIAL_NUMBER,
        fractional_type=fractional,
        max_fractional_value=HIGHEST,
        content_label="SEGMENTATION",
        content_description="Structures found by medrecon; research use",
        pixel_measures=measures,
        specific_character_set="ISO_IR 192",
    )
    return made


_TYPES = {
    SegKind.BINARY: "BINARY",
    SegKind.OCCUPANCY: "FRACTIONAL",
    SegKind.PROBABILITY: "FRACTIONAL",
    SegKind.LABELMAP: "LABELMAP",
}


def _pixels(
    segments: Sequence[Segment], kind: SegKind
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]:
    """All segments' frames: (planes, rows, columns), with a last axis of segments if need be."""
    shape = segments[0].frames.shape
    if kind is SegKind.LABELMAP:
        top = max(s.label.index for s in segments)
        painted = np.zeros(shape, np.uint8 if top < 256 else np.uint16)
        for s in sorted(segments, key=lambda s: (-np.count_nonzero(s.frames), s.label.index)):
            painted[s.frames > 0] = s.label.index
        return painted
    dtype = np.uint8 if kind is SegKind.BINARY else np.float32
    stacked = np.zeros((*shape, len(segments)), dtype)
    for n, s in enumerate(segments):
        stacked[..., n] = s.frames
    if kind is not SegKind.BINARY:
        stacked /= HIGHEST
    return stacked


def _instances(source: SourceSeries) -> list[Dataset]:
    """Headers as highdicom expects them, one for each plane, or one of as many frames.

    An enhanced object may hold other volumes too, and state spacing and turn frame by
    frame; here are the frames of this volume alone, whose spacing and turn are one.
    """
    first = source.planes[0]
    if first.frame is None:
        return list(source.instances)
    every = source.header.PerFrameFunctionalGroupsSequence
    own, shared = every[first.frame - 1], Dataset()
    stated = source.header.SharedFunctionalGroupsSequence[0]
    for keyword in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        setattr(shared, keyword, (own if keyword in own else stated)[keyword].value)
    placed = []
    for number in _frame_numbers(source):
        item = Dataset()
        item.PlanePositionSequence = every[number - 1].PlanePositionSequence
        placed.append(item)
    # A copy would share its elements with the source's header, and change it.
    header = Dataset()
    for keyword in (*WHO, *WHERE, "SpecificCharacterSet"):
        if keyword in source.header:
            setattr(header, keyword, source.header[keyword].value)
    header.SharedFunctionalGroupsSequence = [shared]
    header.PerFrameFunctionalGroupsSequence = placed
    header.NumberOfFrames = len(placed)
    return [header]


def _frame_numbers(source: SourceSeries) -> list[int]:
    """Which frame each plane is, of a multi-frame source; empty of another."""
    return [p.frame for p in source.planes if p.frame is not None]


def _name_true_frames(ds: Dataset, source: SourceSeries) -> None:
    """Frame numbers as the source has them, not as they were counted for highdicom."""
    numbers = _frame_numbers(source)
    # Frames of several segments on one plane share an item: each is put right once.
    items = {
        id(item): item
        for frame in ds.PerFrameFunctionalGroupsSequence
        for derivation in frame.get("DerivationImageSequence", ())
        for item in derivation.SourceImageSequence
    }
    for item in (i for i in items.values() if numbers and "ReferencedFrameNumber" in i):
        item.ReferencedFrameNumber = numbers[int(item.ReferencedFrameNumber) - 1]


def _describe(segment: Segment, number: int, kind: SegKind) -> Any:
    from highdicom import AlgorithmIdentificationSequence, color
    from highdicom.seg import SegmentDescription
    from highdicom.sr.coding import CodedConcept

    identification = modules.algorithm(segment.segmenter)
    family = identification.AlgorithmFamilyCodeSequence[0]
    label = segment.label
    category, concept = modules.category_of(label), modules.type_of(label)
    described = SegmentDescription(
        segment_number=label.index if kind is SegKind.LABELMAP else number,
        segment_label=label.name[:64],
        segmented_property_category=CodedConcept(category[0], "SCT", category[1]),
        segmented_property_type=CodedConcept(concept[0], "SCT", concept[1][:64]),
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=identification.AlgorithmName,
            version=identification.AlgorithmVersion,
            family=CodedConcept(family.CodeValue, "DCM", family.CodeMeaning),
        ),
        tracking_uid=None,
        tracking_id=None,
        display_color=color.CIELabColor(50.0, 0.0, 0.0),
    )
    described.RecommendedDisplayCIELabValue = list(cielab_from_srgb(label.color))
    return described


def _settle(ds: Dataset, source: SourceSeries, making: Making, kind: SegKind) -> None:
    """What highdicom draws by lot or from the clock, derived from the run instead."""
    date, time = making.date(source)
    ds.InstanceCreationDate = ds.ContentDate = ds.SeriesDate = date
    ds.InstanceCreationTime = ds.ContentTime = ds.SeriesTime = time
    # Where all slices are used highdicom copies the source's nominal thickness and, under
    # a tilt, no spacing: a reader without shear (dcmqi) would then place planes by the former.
    measures = ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.SliceThickness = _ds(np.median([sum(p.slab_mm) for p in source.planes]))
    step = _even_step(source)
    if step is not None:
        measures.SpacingBetweenSlices = step
    _name_true_frames(ds, source)
    organisation = making.uid(source, kind.value, "dimensions")
    ds.DimensionOrganizationSequence[0].DimensionOrganizationUID = organisation
    for index in ds.DimensionIndexSequence:
        index.DimensionOrganizationUID = organisation
    ds.ContentCreatorName = ""
    for equipment in ds.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = date + time
    ds.SeriesDescription = f"medrecon {kind.value}"
    ds.BurnedInAnnotation = "NO"
    for keyword in WHO:
        if keyword in source.header and keyword not in ds:
            setattr(ds, keyword, source.header[keyword].value)


def _even_step(source: SourceSeries) -> float | None:
    """Distance of the slices along their normal, if it is one and the same; else None."""
    slabs = np.array([p.slab_mm for p in source.planes])
    steps = slabs[:-1, 1] + slabs[1:, 0]
    step = float(steps.mean())
    return _ds(step) if math.isclose(steps.min(), steps.max(), abs_tol=1e-3) else None


def _ds(value: float) -> float:
    """The value that a decimal string of 16 characters holds."""
    return float(format_number_as_ds(float(value)))
