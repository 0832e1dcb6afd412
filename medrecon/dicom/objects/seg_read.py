"""DICOM Segmentations as segments on planes: binary, fractional, label map; sparse or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from medrecon.core import Geometry, Label
from medrecon.core.geometry import Triple
from medrecon.dicom.consensus import plane
from medrecon.dicom.geometry import SAME_PLANE
from medrecon.dicom.limits import Limits
from medrecon.dicom.objects.colour import srgb_from_cielab
from medrecon.dicom.objects.naming import distinct_names, safe_name
from medrecon.dicom.objects.plane_order import order_planes
from medrecon.dicom.objects.segments import Content, Planes, ReadSegments, SegmentBlock
from medrecon.errors import (
    GeometryError,
    MissingSpacingError,
    MixedOrientationError,
    PixelDataError,
    ResourceError,
    UnsupportedEncodingError,
)

_NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
_GREY = (200, 200, 200)

Frame = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a frame lies and which segment it belongs to (None in a label map)."""

    position_mm: Triple
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, float]
    segment: int | None
    step_mm: float | None
    thickness_mm: float | None


def read_seg(ds: Dataset, limits: Limits) -> ReadSegments:
    """Segments of a Segmentation or Label Map Segmentation.

    Frames that are not stored are empty (PS3.3 C.8.20.2.2); planes between stored ones
    that are missing altogether are added where the others lie on one grid.

    Raises
    ------
    GeometryError
        If the frames have no place in the patient (a radiograph, a slide), lie in
        several orientations or have no spacing; also if they are a single plane that
        states neither a step nor a thickness.
    PixelDataError
        If pixel data are missing, too short or of values that are not described.
    UnsupportedEncodingError
        If they are compressed in a way that segmentations are not.
    ResourceError
        If they are over the memory limit.

    References
    ----------
    PS3.3 A.51, C.8.20.2; C.7.6.16.2.3 and C.7.6.16.2.4 (plane position, orientation).
    """
    places = _places(ds)
    content = _content(ds)
    planes, at = _planes(places, ds)
    decode = _frames(ds, len(places), limits)
    labels = _labels(ds)
    if content is Content.LABELMAP:
        segments = _from_label_map(planes, at, decode, labels)
    else:
        highest = 1 if content is Content.BINARY else int(ds.get("MaximumFractionalValue", 255))
        segments = _from_frames(places, planes, at, decode, labels, highest)
    return ReadSegments(content, planes, tuple(segments), _findings(labels, segments, planes))


def _content(ds: Dataset) -> Content:
    kind = str(ds.get("SegmentationType", "")).upper()
    if kind == "FRACTIONAL":
        return Content(str(ds.get("SegmentationFractionalType", "PROBABILITY")).lower())
    if kind in ("BINARY", "LABELMAP"):
        return Content.BINARY if kind == "BINARY" else Content.LABELMAP
    raise UnsupportedEncodingError("a segmentation that is neither binary, fractional nor a map")


def _places(ds: Dataset) -> list[_Place]:
    count = int(ds.get("NumberOfFrames", 0) or 0)
    frames = ds.get("PerFrameFunctionalGroupsSequence") or []
    shared = (ds.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    if "TotalPixelMatrixRows" in ds or any("PlanePositionSlideSequence" in f for f in frames[:1]):
        raise GeometryError("a segmentation of a microscope slide: it has no place in a patient")
    if not frames or len(frames) != count:
        raise GeometryError(
            f"{count} frames and {len(frames)} descriptions of where they lie; as many expected"
        )
    return [_place(_merged(shared, f)) for f in frames]


def _merged(shared: Dataset, own: Dataset) -> Callable[[str], Dataset | None]:
    def find(keyword: str) -> Dataset | None:
        items = own.get(keyword) or shared.get(keyword)
        return items[0] if items else None

    return find


def _place(group: Callable[[str], Dataset | None]) -> _Place:
    position, turn = group("PlanePositionSequence"), group("PlaneOrientationSequence")
    measures, identity = group("PixelMeasuresSequence"), group("SegmentIdentificationSequence")
    if position is None or turn is None or not position.get("ImagePositionPatient"):
        raise GeometryError("a segmentation whose frames have no position in the patient")
    if measures is None or not measures.get("PixelSpacing"):
        raise MissingSpacingError("a segmentation that states no pixel spacing")
    x, y, z = (float(v) for v in position.ImagePositionPatient)
    down, along = (float(v) for v in measures.PixelSpacing)
    orientation = tuple(float(v) for v in turn.ImageOrientationPatient)
    number = int(identity.ReferencedSegmentNumber) if identity is not None else None
    step, thickness = (_length(measures, k) for k in ("SpacingBetweenSlices", "SliceThickness"))
    return _Place((x, y, z), orientation, (along, down), number, step, thickness)


def _length(measures: Dataset, keyword: str) -> float | None:
    """A length above zero in mm, None where it is not stated."""
    stated = float(measures.get(keyword) or 0)
    return stated if stated > 0 else None


def _planes(places: Sequence[_Place], ds: Dataset) -> tuple[Planes, list[int]]:
    first = places[0]
    turned = np.abs(np.array([p.orientation for p in places]) - np.array(first.orientation))
    if turned.max() > SAME_PLANE:
        raise MixedOrientationError("frames of one segmentation in several orientations")
    if np.abs(np.array([p.spacing_mm for p in places]) - np.array(first.spacing_mm)).max() > 1e-4:
        raise GeometryError("frames of one segmentation with several pixel spacings")
    row, column = plane(first.orientation)
    ordered = order_planes(
        np.array([p.position_mm for p in places]),
        (row, column),
        first.step_mm,
        first.spacing_mm,
        first.thickness_mm,
    )
    shape = int(ds.Columns), int(ds.Rows)
    grid = None
    if ordered.step_mm is not None:
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1] = row * first.spacing_mm[0], column * first.spacing_mm[1]
        affine[:3, 2], affine[:3, 3] = ordered.step_mm, ordered.positions_mm[0]
        grid = Geometry.from_affine(affine, (*shape, len(ordered.positions_mm)))
    made = Planes(
        ordered.positions_mm, _triple(row), _triple(column), first.spacing_mm, shape, grid
    )
    return made, ordered.index


def _frames(ds: Dataset, count: int, limits: Limits) -> Callable[[int], Frame]:
    """A function that decodes one frame, shape (rows, columns)."""
    rows, columns = int(ds.Rows), int(ds.Columns)
    bits = int(ds.get("BitsAllocated", 0))
    if rows * columns * count * max(bits, 8) // 8 > limits.volume_bytes:
        raise ResourceError(f"{count} frames of {columns}×{rows} are over the memory limit")
    if bits not in (1, 8, 16) or int(ds.get("SamplesPerPixel", 1)) != 1:
        raise UnsupportedEncodingError(f"a segmentation of {bits} bits; 1, 8 or 16 expected")
    if "PixelData" not in ds:
        raise PixelDataError("a segmentation without pixel data")
    meta = getattr(ds, "file_meta", Dataset())
    syntax = meta.get("TransferSyntaxUID", ExplicitVRLittleEndian)
    if syntax == RLELossless and bits > 1:
        return _run_length(ds, count)
    if syntax not in _NATIVE:
        raise UnsupportedEncodingError(
            "a compressed segmentation; native, deflated and RLE ones are read"
        )
    pixels, size = memoryview(ds.PixelData), rows * columns
    if len(pixels) * 8 < size * count * bits:
        raise PixelDataError(
            f"{len(pixels)} bytes of pixel data; {-(-size * count * bits // 8)} expected"
        )
    if bits == 1:
        return lambda n: _bits(pixels, n * size, size).reshape(rows, columns)
    dtype = np.dtype("<u2" if bits == 16 else "u1")
    return lambda n: np.frombuffer(pixels, dtype, size, n * size * dtype.itemsize).reshape(
        rows, columns
    )


def _bits(pixels: memoryview, first: int, count: int) -> npt.NDArray[np.uint8]:
    """Bits from `first`: frames follow one another without a gap (PS3.5 8.1.1)."""
    start, skip = divmod(first, 8)
    raw = np.frombuffer(pixels, np.uint8, (skip + count + 7) // 8, start)
    return np.unpackbits(raw, bitorder="little")[skip : skip + count]


def _run_length(ds: Dataset, count: int) -> Callable[[int], Frame]:
    from pydicom.pixels.decoders import RLELosslessDecoder

    def decode(n: int) -> Frame:
        try:
            array, _ = RLELosslessDecoder.as_array(ds, index=n, decoding_plugin="pydicom")
        except (ValueError, RuntimeError, IndexError, TypeError, AttributeError) as error:
            raise PixelDataError(f"frame {n + 1} of {count} cannot be decoded") from error
        frame: Frame = array
        return frame

    return decode


def _labels(ds: Dataset) -> dict[int, Label]:
    """Labels by segment number, background left out."""
    items = [s for s in ds.get("SegmentSequence") or [] if int(s.SegmentNumber) > 0]
    codes = [_code(s) for s in items]
    names = distinct_names(
        [
            safe_name([str(s.get("SegmentLabel", "")), meaning], code, f"segment_{s.SegmentNumber}")
            for s, (code, meaning) in zip(items, codes, strict=True)
        ]
    )
    return {
        int(s.SegmentNumber): Label(int(s.SegmentNumber), name, _color(s))
        for s, name in zip(items, names, strict=True)
    }


def _code(segment: Dataset) -> tuple[str, str]:
    """SNOMED CT concept of the segment's type, empty if it is another scheme's; its meaning."""
    items = segment.get("SegmentedPropertyTypeCodeSequence")
    if not items:
        return "", ""
    is_snomed = str(items[0].get("CodingSchemeDesignator", "")) == "SCT"
    value = str(items[0].get("CodeValue", "")) if is_snomed else ""
    return value, str(items[0].get("CodeMeaning", ""))


def _color(segment: Dataset) -> tuple[int, int, int]:
    value = segment.get("RecommendedDisplayCIELabValue")
    if value is None or len(value) != 3:
        return _GREY
    lightness, a, b = (int(v) for v in value)
    return srgb_from_cielab((lightness, a, b))


def _from_frames(
    places: Sequence[_Place],
    planes: Planes,
    at: Sequence[int],
    decode: Callable[[int], Frame],
    labels: dict[int, Label],
    highest: int,
) -> list[SegmentBlock]:
    frames: dict[int, list[int]] = defaultdict(list)
    for n, place in enumerate(places):
        frames[place.segment if place.segment is not None else min(labels, default=1)].append(n)
    unknown = sorted(set(frames) - set(labels))
    if unknown:
        raise PixelDataError(f"frames of segment {unknown[0]}, which is not described")
    found = []
    for number in sorted(frames):
        block = np.zeros((*planes.shape, len(planes.positions_mm)), np.uint8, order="F")
        for n in frames[number]:
            np.maximum(block[:, :, at[n]], decode(n).T, out=block[:, :, at[n]])
        cropped = _cropped(block)
        if cropped is not None:
            values, start = cropped
            found.append(SegmentBlock(labels[number], values, highest, start))
    return found


def _from_label_map(
    planes: Planes, at: Sequence[int], decode: Callable[[int], Frame], labels: dict[int, Label]
) -> list[SegmentBlock]:
    from scipy.ndimage import find_objects

    numbers = np.zeros((*planes.shape, len(planes.positions_mm)), np.uint16, order="F")
    for n, k in enumerate(at):
        numbers[:, :, k] = decode(n).T
    unknown = sorted(set(np.unique(numbers).tolist()) - set(labels) - {0})
    if unknown:
        raise PixelDataError(f"voxels of segment {unknown[0]}, which is not described")
    found = []
    for number, box in enumerate(find_objects(numbers), 1):
        if box is not None:
            i, j, k = (int(s.start) for s in box)
            values = np.asfortranarray(numbers[box] == number).astype(np.uint8)
            found.append(SegmentBlock(labels[number], values, 1, (i, j, k)))
    return found


def _cropped(
    block: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.uint8], tuple[int, int, int]] | None:
    """The part that holds anything, and where it begins."""
    spans = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        occupied = np.flatnonzero(block.any(axis=others))
        if not len(occupied):
            return None
        spans.append((int(occupied[0]), int(occupied[-1]) + 1))
    (i, i1), (j, j1), (k, k1) = spans
    return np.asfortranarray(block[i:i1, j:j1, k:k1]), (i, j, k)


def _findings(
    labels: dict[int, Label], segments: Sequence[SegmentBlock], planes: Planes
) -> tuple[str, ...]:
    said = []
    empty = len(labels) - len(segments)
    if empty:
        said.append(f"{empty} of {len(labels)} segments are empty")
    for s in segments:
        holes = int((~s.values.any(axis=(0, 1))).sum())
        if holes:
            said.append(f"{s.label.name}: nothing on {holes} planes between its first and last")
    if planes.grid is None:
        said.append("the planes are no grid: interpolated onto an isotropic one")
    return tuple(said)


def _triple(v: npt.NDArray[np.float64]) -> Triple:
    return float(v[0]), float(v[1]), float(v[2])
