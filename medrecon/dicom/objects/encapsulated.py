"""A mesh file inside a DICOM object: Encapsulated STL and OBJ."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import IO

from pydicom.dataset import Dataset
from pydicom.uid import UID, EncapsulatedOBJStorage, EncapsulatedSTLStorage

from medrecon.core import Label
from medrecon.dicom.objects import modules
from medrecon.dicom.objects.colour import cielab_from_srgb
from medrecon.dicom.objects.modules import Making
from medrecon.dicom.objects.quiet import without_remarks
from medrecon.dicom.objects.source import SourceSeries
from medrecon.dicom.objects.writing import write_object


class ModelFormat(Enum):
    """What the encapsulated file is; the value is its MIME type."""

    STL = "model/stl"
    OBJ = "model/obj"


_SOP_CLASSES = {
    ModelFormat.STL: EncapsulatedSTLStorage,
    ModelFormat.OBJ: EncapsulatedOBJStorage,
}
# CID 7061: title of a model made from images of one modality.
_TITLES = {
    "CT": ("85040-4", "CT 3D CAM model", "LN"),
    "MR": ("85041-2", "MR 3D CAM model", "LN"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A mesh as a file's bytes.

    Parameters
    ----------
    label : Label
    content : bytes
        The whole file; coordinates in the source's frame of reference, LPS millimetres.
    form : ModelFormat
    modified : bool
        Whether the anatomy was changed on purpose (cut, planned, smoothed away).
    mirrored : bool
        Whether it was mirrored from the other side.
    number : int
        Instance number within the series.
    segmenter : str
        Who found the structure.
    """

    label: Label
    content: bytes
    form: ModelFormat
    modified: bool = False
    mirrored: bool = False
    number: int = 1
    segmenter: str = modules.TISSUE_ENGINE


@without_remarks()
def write_model(stream: IO[bytes], model: Model, source: SourceSeries, making: Making) -> None:
    """Write one mesh; all meshes of a run share a series and a model group.

    References
    ----------
    PS3.3 A.85.1 and A.85.2 (IODs), C.24.1 and C.24.2 (Encapsulated Document), C.35.1
    (Manufacturing 3D Model); PS3.16 CID 7061, CID 7063.
    """
    sop_class: UID = _SOP_CLASSES[model.form]
    ds = modules.begin(source, making, sop_class, model.label.name)
    ds.Modality = "M3D"
    ds.SeriesDescription = "medrecon models"
    ds.InstanceNumber = model.number
    _describe_document(ds, model, source, making)
    _describe_model(ds, model, source, making)
    write_object(modules.with_meta(ds), stream)


def _describe_document(ds: Dataset, model: Model, source: SourceSeries, making: Making) -> None:
    date, time = making.date(source)
    ds.ContentDate, ds.ContentTime, ds.AcquisitionDateTime = date, time, ""
    ds.BurnedInAnnotation = "NO"
    ds.SourceInstanceSequence = [modules.reference(h) for h in source.instances]
    ds.ReferencedSeriesSequence = [modules.references(source)]
    ds.DocumentTitle = model.label.name
    title = _TITLES.get(str(source.header.get("Modality", "")))
    ds.ConceptNameCodeSequence = [modules.code(*title)] if title else []
    ds.MIMETypeOfEncapsulatedDocument = model.form.value
    # An OB value has even length (PS3.5 6.2); the true one stands beside it.
    ds.EncapsulatedDocumentLength = len(model.content)
    ds.EncapsulatedDocument = model.content + b"\0" * (len(model.content) % 2)


def _describe_model(ds: Dataset, model: Model, source: SourceSeries, making: Making) -> None:
    ds.MeasurementUnitsCodeSequence = [modules.code("mm", "millimeter", "UCUM")]
    ds.ModelModification = "YES" if model.modified else "NO"
    ds.ModelMirroring = "YES" if model.mirrored else "NO"
    ds.ModelGroupUID = making.uid(source, "model group")
    ds.ContentDescription = model.label.name[:64]
    ds.DerivationAlgorithmSequence = [modules.algorithm(model.segmenter)]
    ds.RecommendedDisplayCIELabValue = list(cielab_from_srgb(model.label.color))
    ds.RecommendedPresentationOpacity = 1.0
