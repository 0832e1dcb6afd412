"""A segmentation that came as DICOM: SEG, label map or structure set."""

from __future__ import annotations

from pathlib import Path

from pydicom.uid import UID, RTStructureSetStorage, SegmentationStorage

from medrecon.dicom.limits import Limits
from medrecon.dicom.objects.opening import open_object
from medrecon.dicom.objects.rtstruct_read import read_rtstruct
from medrecon.dicom.objects.seg_read import read_seg
from medrecon.dicom.objects.segments import ReadContours, ReadSegments
from medrecon.errors import DamagedInputError, NoSeriesError

LABEL_MAP_STORAGE = UID("1.2.840.10008.5.1.4.1.1.66.7")


def read_segmentation(path: Path, *, limits: Limits | None = None) -> ReadSegments | ReadContours:
    """The segments or regions of one object.

    Raises
    ------
    NoSeriesError
        If it is an object of another kind.
    UnreadableInputError, DamagedInputError, ResourceError
        As `open_object` and the readers raise them.
    """
    budgets = limits or Limits()
    ds = open_object(path, budgets)
    kind = ds.get("SOPClassUID")
    try:
        if kind in (SegmentationStorage, LABEL_MAP_STORAGE):
            return read_seg(ds, budgets)
        if kind == RTStructureSetStorage:
            return read_rtstruct(ds)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        name = type(error).__name__
        raise DamagedInputError(f"an object whose attributes contradict it ({name})") from None
    raise NoSeriesError("a DICOM object that holds no segmentation: neither SEG nor RTSTRUCT")


def is_segmentation(path: Path) -> bool:
    """Whether a file is a DICOM SEG, label map or structure set, by its header."""
    from medrecon.dicom import tags
    from medrecon.dicom.attributes import Attributes
    from medrecon.dicom.headers import read_header
    from medrecon.dicom.sources import FileSource
    from medrecon.errors import MedreconError

    try:
        opened = read_header(FileSource(path, path.stat().st_size), Limits())
    except (MedreconError, OSError):
        return False
    if opened is None:
        return False
    stated = Attributes(opened[1].elements).text(tags.SOP_CLASS)
    return stated in (SegmentationStorage, LABEL_MAP_STORAGE, RTStructureSetStorage)
