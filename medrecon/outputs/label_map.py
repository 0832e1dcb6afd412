"""One label map from many soft fields, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medrecon.core import Geometry, LabelMap, SoftField
from medrecon.core.provenance import Figure


def paint_labels(fields: Sequence[SoftField], geometry: Geometry) -> LabelMap:
    """Label map of the fields on a grid, where each field is positive.

    Fields are interpolated, labels never. Where labels overlap the smaller structure
    is shown (a tumour over its kidney, a kidney over the body), by the number of
    voxels inside; of equals, the higher index.
    """
    from medrecon.resampling import inside_slabs

    highest = max((f.label.index for f in fields), default=0)
    array = np.zeros(geometry.shape, np.uint8 if highest < 256 else np.uint16, order="F")
    for f in sorted(fields, key=lambda f: (-np.count_nonzero(f.values > 0), f.label.index)):
        for place, inside in inside_slabs(f, geometry):
            array[place][inside] = f.label.index
    return LabelMap(
        array, geometry, tuple(sorted((f.label for f in fields), key=lambda x: x.index))
    )


def write_labels(
    fields: Sequence[SoftField], geometry: Geometry, folder: Path
) -> dict[str, Figure]:
    """`labels.nii.gz` on a grid, and its tables; what to note of it."""
    from medrecon.files import nifti, tables

    labels = paint_labels(fields, geometry)
    nifti.write_labels(labels, folder / "labels.nii.gz")
    tables.write_bids_table(labels.labels, folder / "labels.tsv")
    tables.write_slicer_table(labels.labels, folder / "labels.ctbl")
    return {"grid": list(geometry.shape), "spacing_mm": list(geometry.spacing_mm)}
