"""The frozen values that every room speaks in."""

from medrecon.core.field import Doubt, Segmentation, SoftField, away_from_zero
from medrecon.core.geometry import Geometry, lps_from_ras, ras_from_lps
from medrecon.core.labels import (
    Label,
    LabelMap,
    SnomedCode,
    is_file_name,
    known_labels,
    label,
)
from medrecon.core.mesh import Mesh, Space
from medrecon.core.provenance import Provenance, Step
from medrecon.core.volume import Acquisition, HuStatus, Modality, SliceStack, Volume, read_only

__all__ = [
    "Acquisition",
    "Doubt",
    "Geometry",
    "HuStatus",
    "Label",
    "LabelMap",
    "Mesh",
    "Modality",
    "Provenance",
    "Segmentation",
    "SliceStack",
    "SnomedCode",
    "SoftField",
    "Space",
    "Step",
    "Volume",
    "away_from_zero",
    "is_file_name",
    "known_labels",
    "label",
    "lps_from_ras",
    "ras_from_lps",
    "read_only",
]
