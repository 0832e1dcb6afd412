"""One slice as its header describes it: where its pixels are, what they mean, where they lie."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass

from medrecon.core.geometry import Triple
from medrecon.dicom import tags
from medrecon.dicom.attributes import Attributes
from medrecon.dicom.sources import Source
from medrecon.dicom.walker import Header, PixelElement

# Letters and signs of UCUM codes: what does not fit is not shown.
_UCUM = re.compile(r"[A-Za-z0-9%./*\[\]{}_'^-]{1,16}")

Six = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """Layout of one stored frame (PS3.3 C.7.6.3).

    `padding` is the closed range of stored values that mean "no pixel here"
    (PS3.3 C.7.5.1.1.2), or None.
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    samples: int
    photometric: str
    frames: int
    transfer_syntax: str
    big_endian: bool
    padding: tuple[int, int] | None = None

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame."""
        return self.rows * self.columns * self.samples * self.bits_allocated


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells files of different series apart. Never shown, never written.

    `patient` is a digest of Patient ID; `concatenation` the UID that the files of one
    image share which was cut into several (PS3.3 C.7.6.16.2.2.4).
    """

    study: str
    series: str
    frame_of_reference: str
    instance: str
    instance_number: int | None = None
    patient: str = ""
    concatenation: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the frame lies, exactly as stated; None where it is not.

    `spacing_mm` is (along a column of pixels, along a row), as Pixel Spacing
    (0028,0030) is written.
    """

    position_mm: Triple | None
    orientation: Six | None
    spacing_mm: tuple[float, float] | None
    thickness_mm: float | None


@dataclass(frozen=True, slots=True)
class Scale:
    """From stored values to values: slope × stored + intercept, in units of `kind`.

    `lookup` says that a table stands in their place, `is_unreadable` that something is
    stated which is no number.
    """

    slope: float | None
    intercept: float | None
    kind: str
    lookup: bool = False
    is_unreadable: bool = False

    @property
    def numbers(self) -> tuple[float, float]:
        """Slope and intercept; 1 and 0 where they are not stated."""
        slope, intercept = self.slope, self.intercept
        return 1.0 if slope is None else slope, 0.0 if intercept is None else intercept

    @property
    def is_stated(self) -> bool:
        """Whether both numbers are there."""
        return self.slope is not None and self.intercept is not None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What kind of image it is, in the standard's own words.

    `stack` tells the stacks of a multi-frame object apart; `units` is the UCUM code of
    its real-world value map, where there is one; `calculation` holds how the pixels were
    made from a volume, if they were (PS3.3 C.8.16.2.1.2 and C.8.16.2.1.3).
    """

    modality: str
    sop_class: str
    image_type: tuple[str, ...]
    kernel: str
    body_part: str
    laterality: str
    quality_control: bool
    series_number: int | None
    stack: str = ""
    units: str = ""
    nominal_tilt_degrees: float = 0.0
    burned_in: bool = False
    calculation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """What tells images at one position apart: contrast first, then time."""

    echo: float | None
    b_value: float | None
    contrast: str
    temporal: float | None
    trigger: float | None
    acquisition: float | None
    time: float | None


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of a stored frame: one slice of a mosaic."""

    row: int
    column: int
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Slice:
    """One image of one plane.

    Parameters
    ----------
    source : Source
        The file.
    element : PixelElement
        The file's pixel data.
    frame : int
        Which frame of them, from 0.
    tile : Tile or None
        Which part of the frame; None for all of it.
    """

    source: Source
    element: PixelElement
    frame: int
    pixels: PixelFormat
    identity: Identity
    placement: Placement
    scale: Scale
    meaning: Meaning
    moment: Moment
    tile: Tile | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of this slice."""
        if self.tile:
            return self.tile.rows, self.tile.columns
        return self.pixels.rows, self.pixels.columns


def pixel_format(a: Attributes, header: Header) -> PixelFormat | None:
    """Layout of the file's frames; None if the header does not say."""
    rows, columns = a.short(tags.ROWS), a.short(tags.COLUMNS)
    allocated = a.short(tags.BITS_ALLOCATED)
    if header.pixels is not None and header.pixels.tag == tags.FLOAT_PIXELS:
        allocated = 32
    elif header.pixels is not None and header.pixels.tag == tags.DOUBLE_PIXELS:
        allocated = 64
    if not rows or not columns or not allocated:
        return None
    stored = a.short(tags.BITS_STORED) or allocated
    high = a.short(tags.HIGH_BIT)
    signed = a.short(tags.PIXEL_REPRESENTATION) == 1
    frames = a.integer(tags.NUMBER_OF_FRAMES)
    return PixelFormat(
        rows=rows,
        columns=columns,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high is None else high,
        signed=signed,
        samples=a.short(tags.SAMPLES_PER_PIXEL) or 1,
        photometric=a.text(tags.PHOTOMETRIC).upper(),
        frames=frames or 1,  # some writers state 0 for one
        transfer_syntax=header.transfer_syntax,
        big_endian=header.big_endian,
        padding=_padding(a, signed, allocated),
    )


def identity(a: Attributes) -> Identity:
    """The file's UIDs and its number in the series."""
    return Identity(
        a.text(tags.STUDY_INSTANCE),
        a.text(tags.SERIES_INSTANCE),
        a.text(tags.FRAME_OF_REFERENCE),
        a.text(tags.SOP_INSTANCE),
        a.integer(tags.INSTANCE_NUMBER),
        _digest(a.text(tags.PATIENT_ID)),
        a.text(tags.CONCATENATION),
    )


def placement(a: Attributes) -> Placement:
    """Position, orientation and spacing as stated in `a`."""
    orientation = a.numbers(tags.IMAGE_ORIENTATION)
    spacing = a.numbers(tags.PIXEL_SPACING)
    thickness = a.number(tags.SLICE_THICKNESS)
    return Placement(
        position(a),
        _six(orientation) if orientation and len(orientation) == 6 else None,
        (spacing[0], spacing[1]) if spacing and len(spacing) == 2 and min(spacing) > 0 else None,
        thickness if thickness and thickness > 0 else None,
    )


def position(a: Attributes) -> Triple | None:
    """LPS centre of the first pixel; None if it is not three numbers."""
    stated = a.numbers(tags.IMAGE_POSITION)
    return (stated[0], stated[1], stated[2]) if stated and len(stated) == 3 else None


def scale(a: Attributes) -> Scale:
    """Modality transformation (PS3.3 C.11.1)."""
    both = (tags.RESCALE_SLOPE, tags.RESCALE_INTERCEPT)
    slope, intercept = (a.number(tag) for tag in both)
    return Scale(
        slope,
        intercept,
        a.text(tags.RESCALE_TYPE).upper(),
        lookup=any(True for _ in a.items(tags.MODALITY_LUT)),
        is_unreadable=any(a.text(tag) and a.number(tag) is None for tag in both),
    )


def meaning(a: Attributes) -> Meaning:
    """Modality, type, kernel and body part."""
    return Meaning(
        modality=a.text(tags.MODALITY).upper(),
        sop_class=a.text(tags.SOP_CLASS) or a.text(tags.MEDIA_SOP_CLASS),
        image_type=a.words(tags.FRAME_TYPE) or a.words(tags.IMAGE_TYPE),
        kernel=a.text(tags.CONVOLUTION_KERNEL).split("\\")[0].strip().upper(),
        body_part=a.text(tags.BODY_PART).upper(),
        laterality=(a.text(tags.FRAME_LATERALITY) or a.text(tags.LATERALITY)).upper(),
        quality_control=a.text(tags.QUALITY_CONTROL).upper() == "YES",
        series_number=a.integer(tags.SERIES_NUMBER),
        stack=a.text(tags.STACK_ID),
        units=_real_world_units(a),
        nominal_tilt_degrees=a.number(tags.GANTRY_TILT) or 0.0,
        burned_in=a.text(tags.BURNED_IN).upper() == "YES",
        calculation=a.words(tags.VOLUMETRIC_PROPERTIES) + a.words(tags.CALCULATION_TECHNIQUE),
    )


def moment(a: Attributes) -> Moment:
    """Echo, diffusion weighting and time."""
    trigger = a.number(tags.TRIGGER_TIME)
    delay = a.number(tags.TRIGGER_DELAY)
    phase = a.number(tags.NOMINAL_CARDIAC_PHASE)
    gradient = a.raw(tags.GRADIENT_ORIENTATION)
    echo = a.number(tags.EFFECTIVE_ECHO_TIME)
    index = a.unsigned_longs(tags.TEMPORAL_INDEX)
    return Moment(
        echo=a.number(tags.ECHO_TIME) if echo is None else echo,
        b_value=a.number(tags.DIFFUSION_B_VALUE),
        contrast="\\".join(
            (
                *a.words(tags.COMPLEX_COMPONENT),
                a.text(tags.ECHO_NUMBERS),
                gradient.hex() if gradient else "",
            )
        ),
        temporal=float(index[0]) if index else a.number(tags.TEMPORAL_POSITION),
        trigger=_first(phase, trigger, delay),
        acquisition=a.number(tags.ACQUISITION_NUMBER),
        time=time_of_day(a),
    )


def time_of_day(a: Attributes) -> float | None:
    """Seconds since midnight of the frame's, acquisition's or content's time."""
    return _first(
        _seconds(a.text(tags.FRAME_DATETIME)[8:]),
        _seconds(a.text(tags.ACQUISITION_TIME)),
        _seconds(a.text(tags.CONTENT_TIME)),
    )


def classic_slice(source: Source, header: Header) -> Slice | None:
    """The slice of a single-frame file; None if the header does not describe pixels."""
    a = Attributes(header.elements, big_endian=header.big_endian)
    layout = pixel_format(a, header)
    if layout is None or header.pixels is None:
        return None
    return Slice(
        source, header.pixels, 0, layout, identity(a), placement(a), scale(a), meaning(a), moment(a)
    )


def _real_world_units(a: Attributes) -> str:
    """UCUM code of the first real-world value map (PS3.3 C.7.6.16.2.11)."""
    for item in a.items(tags.REAL_WORLD_MAP):
        for unit in Attributes(item).items(tags.MEASUREMENT_UNITS):
            code = Attributes(unit).text(tags.CODE_VALUE)
            return code if _UCUM.fullmatch(code) else ""
    return ""


def _digest(identifier: str) -> str:
    """What tells one identifier from another and cannot be read back; empty if absent."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:16] if identifier else ""


def _six(v: tuple[float, ...]) -> Six:
    return v[0], v[1], v[2], v[3], v[4], v[5]


def _padding(a: Attributes, signed: bool, allocated: int) -> tuple[int, int] | None:
    """Stored values from Pixel Padding Value to Pixel Padding Range Limit."""
    first, second = a.short(tags.PIXEL_PADDING), a.short(tags.PIXEL_PADDING_LIMIT)
    if first is None:
        return None
    ends = [first, first if second is None else second]
    if signed and allocated <= 16:
        ends = [e - 65536 if e >= 32768 else e for e in ends]
    return min(ends), max(ends)


def _first(*values: float | None) -> float | None:
    """The first value that is stated."""
    return next((v for v in values if v is not None), None)


def _seconds(time: str) -> float | None:
    """Seconds since midnight of a TM value; its exact text is never kept."""
    digits, _, fraction = time.replace(":", "").partition(".")
    if len(digits) < 6 or not digits.isdigit():
        return None
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:6])
    value = seconds + (float("0." + fraction) if fraction.isdigit() else 0.0)
    return value if math.isfinite(value) else None
