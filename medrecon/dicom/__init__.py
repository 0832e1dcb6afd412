"""DICOM in and out: the only user of pydicom. The right volume, or a refusal that says why.

Examples
--------
>>> import numpy as np
>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> from medrecon.core import Acquisition, Geometry, Modality, Volume
>>> from medrecon.dicom.write_ct import write_ct_series
>>> grid = Geometry((8, 8, 4), (0.7, 0.7, 2.0), (0.0, 0.0, 0.0))
>>> water = Volume(np.zeros(grid.shape, np.int16), grid, Acquisition(Modality.CT))
>>> with TemporaryDirectory() as folder:
...     files = write_ct_series(water, Path(folder))
...     series = choose(scan(Path(folder)))
...     volume = read(series)
>>> series
<Series 1: CT axial, 4 slices of 8×8, 0.7×0.7×2 mm, soft kernel>
>>> volume
<Volume CT 8×8×4, 0.7×0.7×2 mm, int16>
>>> preflight(series).verdict.value
'usable'
"""

from medrecon.dicom.contents import contents
from medrecon.dicom.decode import Decoder
from medrecon.dicom.fitness import (
    Preflight,
    Verdict,
    expected_surface_error_mm,
    preflight,
)
from medrecon.dicom.limits import Limits
from medrecon.dicom.objects.reading import is_segmentation, read_segmentation
from medrecon.dicom.objects.segments import ReadContours, ReadSegments
from medrecon.dicom.reading import read
from medrecon.dicom.scanning import scan
from medrecon.dicom.series import Scan, Series, choose

__all__ = [
    "Decoder",
    "Limits",
    "Preflight",
    "ReadContours",
    "ReadSegments",
    "Scan",
    "Series",
    "Verdict",
    "choose",
    "contents",
    "expected_surface_error_mm",
    "is_segmentation",
    "preflight",
    "read",
    "read_segmentation",
    "scan",
]
