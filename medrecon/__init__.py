"""medrecon: from a CT or MRI scan to surfaces one can trust.

>>> import medrecon as mr
>>> mr.__version__
'0.1.0'

The names below are loaded when they are first used: importing medrecon is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from medrecon.core import Geometry, Label, LabelMap, Mesh, Segmentation, SoftField, Volume
    from medrecon.dicom import read, scan
    from medrecon.errors import MedreconError
    from medrecon.face import extract_surfaces, resample, segment, write_mesh
    from medrecon.pipeline import reconstruct
    from medrecon.recipes.view import notebook_scene

_HOME = {
    "Geometry": "medrecon.core",
    "Label": "medrecon.core",
    "LabelMap": "medrecon.core",
    "MedreconError": "medrecon.errors",
    "Mesh": "medrecon.core",
    "Segmentation": "medrecon.core",
    "SoftField": "medrecon.core",
    "Volume": "medrecon.core",
    "extract_surfaces": "medrecon.face",
    "notebook_scene": "medrecon.recipes.view",
    "read": "medrecon.dicom",
    "reconstruct": "medrecon.pipeline",
    "resample": "medrecon.face",
    "scan": "medrecon.dicom",
    "segment": "medrecon.face",
    "write_mesh": "medrecon.face",
}

__all__ = [
    "Geometry",
    "Label",
    "LabelMap",
    "MedreconError",
    "Mesh",
    "Segmentation",
    "SoftField",
    "Volume",
    "extract_surfaces",
    "notebook_scene",
    "read",
    "reconstruct",
    "resample",
    "scan",
    "segment",
    "write_mesh",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'medrecon' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
