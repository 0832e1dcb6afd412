"""DICOM in and out: the only user of pydicom. The right volume, or a refusal that says why."""

from medrecon.dicom.decode import Decoder
from medrecon.dicom.fitness import Preflight, Verdict, preflight
from medrecon.dicom.limits import Limits
from medrecon.dicom.reading import read
from medrecon.dicom.scanning import scan
from medrecon.dicom.series import Scan, Series, choose

__all__ = [
    "Decoder",
    "Limits",
    "Preflight",
    "Scan",
    "Series",
    "Verdict",
    "choose",
    "preflight",
    "read",
    "scan",
]
