"""One label map from many soft fields, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medrecon.core import Geometry, LabelMap, SoftField
from medrecon.core.provenance import Figure

# Of a voxel: a block whose corner differs from the grid's by less lies on it.
_ROUNDING = 0.01


def paint_labels(fields: Sequence[SoftField], geometry: Geometry) -> LabelMap:
    """Label map of the fields on a grid, where each field is positive.

    Fields are interpolated, labels never. Where labels overlap the smaller structure
    is shown (a tumour over its kidney, a kidney over the body), by the number of
    voxels inside; of equals, the higher index. What lies beyond the grid is left out.
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
    """`labels.nii.gz` on a grid, and its tables; what to note of it.

    Where a field reaches beyond the grid, as regions drawn in other planes do, the grid
    goes on until it holds all fields.
    """
    from medrecon.files import nifti, tables

    geometry = _holding(fields, geometry)
    labels = paint_labels(fields, geometry)
    nifti.write_labels(labels, folder / "labels.nii.gz")
    tables.write_bids_table(labels.labels, folder / "labels.tsv")
    tables.write_slicer_table(labels.labels, folder / "labels.ctbl")
    return {"grid": list(geometry.shape), "spacing_mm": list(geometry.spacing_mm)}


def _holding(fields: Sequence[SoftField], geometry: Geometry) -> Geometry:
    """The grid, gone on to either side where a field's block lies beyond it."""
    corners = [geometry.index_from_mm(f.geometry.corners_mm) for f in fields]
    ends = np.vstack([*corners, np.zeros((1, 3)), np.subtract(geometry.shape, [[1, 1, 1]])])
    low = np.floor(ends.min(axis=0) + _ROUNDING).astype(int)
    high = np.ceil(ends.max(axis=0) - _ROUNDING).astype(int)
    if not low.any() and (high + 1 == geometry.shape).all():
        return geometry
    return geometry.crop(low.tolist(), (high + 1 - low).tolist())
