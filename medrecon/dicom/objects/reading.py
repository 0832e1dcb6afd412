"""A segmentation that came as DICOM: SEG, label map or structure set."""

from __future__ import annotations

from pathlib import Path

from medrecon.dicom import tags
from medrecon.dicom.attributes import Attributes
from medrecon.dicom.headers import read_header
from medrecon.dicom.limits import Limits
from medrecon.dicom.objects.segments import ReadContours, ReadSegments
from medrecon.dicom.sources import FileSource
from medrecon.errors import DamagedInputError, MedreconError, NoSeriesError

# PS3.6 A: Segmentation, Label Map Segmentation and RT Structure Set Storage.
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"


def read_segmentation(path: Path, *, limits: Limits | None = None) -> ReadSegments | ReadContours:
    """The segments or regions of one object.

    Raises
    ------
    NoSeriesError
        If it is an object of another kind.
    UnreadableInputError, DamagedInputError, ResourceError
        As `open_object` and the readers raise them.
    """
    from medrecon.dicom.objects.opening import open_object
    from medrecon.dicom.objects.quiet import without_remarks
    from medrecon.dicom.objects.rtstruct_read import read_rtstruct
    from medrecon.dicom.objects.seg_read import read_seg

    budgets = limits or Limits()
    try:
        with without_remarks():
            ds = open_object(path, budgets)
            kind = ds.get("SOPClassUID")
            if kind in SEGMENTATIONS:
                return read_seg(ds, budgets)
            if kind == STRUCTURE_SET:
                return read_rtstruct(ds)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        name = type(error).__name__
        raise DamagedInputError(f"an object whose attributes contradict it ({name})") from None
    raise NoSeriesError("a DICOM object that holds no segmentation: neither SEG nor RTSTRUCT")


def is_segmentation(path: Path) -> bool:
    """Whether a file is a DICOM SEG, label map or structure set, by its header."""
    try:
        opened = read_header(FileSource(path, path.stat().st_size), Limits())
    except (MedreconError, OSError):
        return False
    if opened is None:
        return False
    stated = Attributes(opened[1].elements).text(tags.SOP_CLASS)
    return stated in (*SEGMENTATIONS, STRUCTURE_SET)
