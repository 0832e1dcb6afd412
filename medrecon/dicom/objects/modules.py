"""Modules that every derived object has: who it is of, who made it, what it refers to."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from medrecon.core import Label
from medrecon.dicom.objects.source import WHO, SourceSeries, keyed_uid
from medrecon.dicom.write_ct import IMPLEMENTATION_UID

MANUFACTURER = "medrecon"
MODEL = "medrecon"
# Enhanced General Equipment (PS3.3 C.7.5.2) wants one; software has none.
SERIAL_NUMBER = "0"
# Content Date and Time may not be empty (PS3.3 10.9); under a pseudonym no date is told.
NO_DATE = ("19000101", "000000")

# CID 7150.
ANATOMY = ("91723000", "Anatomical structure")
MORPHOLOGY = ("49755003", "Morphologically abnormal structure")
TISSUE = ("85756007", "Tissue")
TISSUE_ENGINE = "tissue"
EDGES, NETWORKS = ("123103", "Edge Detection"), ("123110", "Artificial Intelligence")
# SNOMED CT concepts of CID 7159 that presets use: a lesion is no organ.
LESIONS = frozenset({"108369006", "4147007", "52988006", "86049000"})


@dataclass(frozen=True, slots=True)
class Making:
    """How an object came to be.

    Parameters
    ----------
    key : str
        The run's id, hexadecimal: UIDs are derived from it, so that the same run and
        source give the same objects.
    created : tuple of str
        Date and time of the segmentation, DICOM's DA and TM.
    series_number : int
    """

    key: str
    created: tuple[str, str] = NO_DATE
    series_number: int = 9000

    def uid(self, source: SourceSeries, *parts: object) -> UID:
        """A UID of this run, this source and these words."""
        series = source.header.SeriesInstanceUID
        return keyed_uid(self.key, series, *self.date(source), *parts)

    def date(self, source: SourceSeries) -> tuple[str, str]:
        """Date and time to state: none that is real under a pseudonym."""
        return NO_DATE if source.pseudonym else self.created


def version() -> str:
    """The installed version."""
    return metadata.version("medrecon")


def begin(source: SourceSeries, making: Making, sop_class: UID, *parts: object) -> Dataset:
    """Patient, study, series, equipment, frame of reference and SOP common modules.

    References
    ----------
    PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.7.4.1, C.7.5.1, C.7.5.2, C.12.1.
    """
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    for keyword in WHO:
        if keyword in source.header:
            setattr(ds, keyword, source.header[keyword].value)
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = making.uid(source, sop_class, "instance", *parts)
    ds.SeriesInstanceUID = making.uid(source, sop_class, "series")
    ds.SeriesNumber, ds.InstanceNumber = making.series_number, 1
    ds.Manufacturer, ds.ManufacturerModelName = MANUFACTURER, MODEL
    ds.DeviceSerialNumber, ds.SoftwareVersions = SERIAL_NUMBER, version()
    ds.FrameOfReferenceUID = source.header.FrameOfReferenceUID
    ds.PositionReferenceIndicator = source.header.PositionReferenceIndicator
    date, time = making.date(source)
    ds.InstanceCreationDate, ds.InstanceCreationTime = date, time
    return ds


def with_meta(ds: Dataset, transfer_syntax: UID = ExplicitVRLittleEndian) -> Dataset:
    """The data set with its file meta information (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "MEDRECON"
    ds.file_meta = meta
    return ds


def code(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    """An item of the code sequence macro (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = value, scheme
    # Code Meaning is LO: 64 characters.
    item.CodeMeaning = meaning[:64]
    return item


def category_of(label: Label) -> tuple[str, str]:
    """Concept of CID 7150 that the label falls under."""
    if label.code is None:
        return TISSUE
    return MORPHOLOGY if label.code.value in LESIONS else ANATOMY


def type_of(label: Label) -> tuple[str, str]:
    """The label's own concept; plain tissue for one that has none."""
    return (label.code.value, label.code.meaning) if label.code else TISSUE


def algorithm(segmenter: str) -> Dataset:
    """An item of the algorithm identification macro (PS3.3 10.16), family from CID 7162."""
    item = Dataset()
    family = EDGES if segmenter == TISSUE_ENGINE else NETWORKS
    item.AlgorithmFamilyCodeSequence = [code(*family, "DCM")]
    item.AlgorithmName = f"medrecon {segmenter}"[:64]
    item.AlgorithmVersion = version()
    return item


def references(source: SourceSeries) -> Dataset:
    """One item for the source's series, with every instance (PS3.3 C.12.2.1)."""
    item = Dataset()
    item.SeriesInstanceUID = source.header.SeriesInstanceUID
    item.ReferencedInstanceSequence = [reference(h) for h in source.instances]
    return item


def reference(header: Dataset, frame: int | None = None) -> Dataset:
    """Reference to an instance, or to one of its frames (PS3.3 10.3)."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = (
        header.SOPClassUID,
        header.SOPInstanceUID,
    )
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item
