"""One label map from many soft fields."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medrecon.core import Geometry, LabelMap, SoftField
from medrecon.resampling import resample_field


def paint_labels(fields: Sequence[SoftField], geometry: Geometry) -> LabelMap:
    """Label map of the fields on a grid, where each field is positive.

    Fields are interpolated, labels never. Where labels overlap the smaller structure
    is shown (a tumour over its kidney, a kidney over the body), by the number of
    voxels inside; of equals, the higher index.
    """
    highest = max((f.label.index for f in fields), default=0)
    array = np.zeros(geometry.shape, np.uint8 if highest < 256 else np.uint16, order="F")
    for f in sorted(fields, key=lambda f: (-np.count_nonzero(f.values > 0), f.label.index)):
        values, start = resample_field(f, geometry)
        block = tuple(slice(s, s + n) for s, n in zip(start, values.shape, strict=True))
        array[block][values > 0] = f.label.index
    return LabelMap(
        array, geometry, tuple(sorted((f.label for f in fields), key=lambda x: x.index))
    )
