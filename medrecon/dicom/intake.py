"""Which files and frames may be slices of a CT or MR volume, and why the others are not."""

from __future__ import annotations

from dataclasses import replace

from medrecon.dicom import tags
from medrecon.dicom.attributes import Attributes
from medrecon.dicom.functional import frame_slices
from medrecon.dicom.limits import Limits
from medrecon.dicom.mosaic import is_mosaic, mosaic_slices
from medrecon.dicom.recurring import Recurring
from medrecon.dicom.slices import Slice
from medrecon.dicom.sources import Source
from medrecon.dicom.walker import Header, MalformedError

NO_PIXELS = "DICOM without an image"

_MODALITY_TERMS = """
ANN AR ASMT AU BDUS BI BMD CR DG DOC DX ECG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER KO LEN LS MG
NM OAM OCT OP OPM OPT OPV OT PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTPLAN RTRECORD
RTSTRUCT RWV SEG SM SMR SR SRF STAIN TG US VA XA XC
"""
# SOP classes that are pictures of something else than the scan (PS3.4 Annex B.5).
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_CT_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "2.1", "2.2"))
_MR_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("4", "4.1", "4.4"))
_SCANS = _CT_CLASSES | _MR_CLASSES
# Every image class of the standard lies below this; of those, a map of parameters may be a
# volume too.
_STANDARD_IMAGES = "1.2.840.10008.5.1.4.1.1."
_PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
# Defined terms (PS3.3 C.7.3.1.1.1): anything else in Modality could be a name.
_MODALITIES = frozenset(_MODALITY_TERMS.split())
_LOCALIZERS = frozenset(
    {"LOCALIZER", "SCOUT", "SURVEY", "SURVIEW", "REF_SURVIEW", "TOPOGRAM", "SCANOGRAM"}
)
_PROJECTIONS = ("PROJECTION", "MIP", "MAX_IP", "MINIP", "MIN_IP", "VRT", "3D RENDERING")
# Image Type value 4 of a derived enhanced image (PS3.3 C.8.16.1.4) and Volume Based
# Calculation Technique (C.8.16.2.1.3) of what is seen through a volume or along a curve.
_EXTREMES = frozenset({"MAXIMUM", "MINIMUM"})
_SEEN_THROUGH = frozenset({"MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER"})
_PICTURES = frozenset(["DOSE_INFO", "PATIENT_INFO", "RESULTS"]) | {"SCREEN SAVE", "DOSE REPORT"}


def slices_of(
    source: Source, header: Header, limits: Limits, recurring: Recurring
) -> tuple[Slice, ...]:
    """The slices of a file: one, one per frame, or one per tile of a mosaic.

    Raises
    ------
    MalformedError
        If the header describes no pixels, or frames and their groups do not agree.
    GeometryError
        If a mosaic does not say how its tiles lie.
    """
    a = Attributes(header.elements, big_endian=header.big_endian)
    frames = a.integer(tags.NUMBER_OF_FRAMES)
    if (frames or 1) > 1 or tags.PER_FRAME_GROUPS in header.elements:
        found = frame_slices(source, header, limits)
        if not found:
            raise MalformedError("frames that the header does not describe")
        return found
    one = recurring.slice_of(source, header)
    if one is None:
        raise MalformedError("pixels that the header does not describe")
    return mosaic_slices(one, header) if is_mosaic(one) else (one,)


def reason_to_leave(header: Header) -> str:
    """Why a file is no slice of a CT or MR volume; empty if it may be one."""
    a = Attributes(header.elements, big_endian=header.big_endian)
    modality = a.text(tags.MODALITY).upper()
    sop = a.text(tags.SOP_CLASS) or a.text(tags.MEDIA_SOP_CLASS)
    if not modality and not sop:
        return "DICOM without an image" if header.pixels is None else "image of unknown kind"
    if sop == _SECONDARY_CAPTURE or sop.startswith(_SECONDARY_CAPTURE + "."):
        return "secondary capture"
    if _is_other(modality, sop):
        return f"other modality ({modality})" if modality in _MODALITIES else "other modality"
    if header.pixels is None and a.short(tags.ROWS) is None:
        return NO_PIXELS
    return ""


def _is_other(modality: str, sop: str) -> bool:
    """Whether modality or class say that it is no CT or MR: one of them is not enough."""
    if sop in _SCANS:
        # Converters that do not know better write OT, other (PS3.3 C.7.3.1.1.1).
        return modality in _MODALITIES and modality != "OT"
    if modality not in ("CT", "MR"):
        return True
    return sop.startswith(_STANDARD_IMAGES) and sop != _PARAMETRIC_MAP


def reason_for_frame(s: Slice) -> str:
    """Why an image is no slice of a volume; empty if it may be one."""
    words = s.meaning.image_type
    if s.pixels.samples != 1 or s.pixels.photometric not in ("MONOCHROME1", "MONOCHROME2", ""):
        return "colour image"
    if any(w in _LOCALIZERS for w in words):
        return "localizer"
    if any(w in _PICTURES for w in words):
        return "dose or information page"
    calculation = frozenset(s.meaning.calculation)
    if any(w.startswith(_PROJECTIONS) for w in words) or _EXTREMES.intersection(words[3:4]):
        return "projection"
    if calculation & _SEEN_THROUGH:
        return "projection"
    # An uncorrected MR is called DISTORTED too, but then nothing was calculated.
    is_derived = words[:1] == ("DERIVED",) and "NONE" not in calculation
    if "CURVED_MPR" in calculation or (is_derived and "DISTORTED" in calculation):
        return "image along a curve"
    return ""


def with_modality(s: Slice) -> Slice:
    """The slice with the modality that its SOP class implies, where none is stated."""
    if s.meaning.modality in ("CT", "MR"):
        return s
    modality = "CT" if s.meaning.sop_class in _CT_CLASSES else "MR"
    return replace(s, meaning=replace(s.meaning, modality=modality))
