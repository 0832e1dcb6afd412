"""Volume of a structure from its field, by sub-voxel occupancy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import SoftField
from medrecon.core.compiled import frozen
from medrecon.quality import volume_loops


def field_volume_ml(field: SoftField) -> float:
    """Integral of the part of each cell that is inside, in mL.

    A cell lies between eight voxel centres. In a cell with both signs the field is
    taken as linear, with the cell's mean value and mean gradient, and the part of the
    cube on the positive side of that plane is exact. Beyond the outermost centres the
    field goes on unchanged to the voxel's edge, where the scanned range ends.

    Examples
    --------
    >>> from medrecon.core import Geometry, Label
    >>> ones = np.ones((10, 10, 10), np.float32)
    >>> grid = Geometry((10, 10, 10), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    >>> round(field_volume_ml(SoftField(Label(1, "cube"), ones, grid)), 6)
    1.0

    References
    ----------
    Scardovelli R., Zaleski S. Analytical relations connecting linear interfaces and
    volume fractions in rectangular grids. J Comput Phys 2000, DOI 10.1006/jcph.2000.6567.
    """
    values = frozen(field.values.T, field.values.dtype)
    voxels: float = volume_loops.inside_cells(values)
    return voxels * field.grid.voxel_volume_mm3 / 1000


def inside_fraction(samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Part of each cell between eight samples that is inside; each axis one shorter."""
    k, j, i = (n - 1 for n in samples.shape)
    part = np.empty((k, j, i), np.float32)
    volume_loops.fractions(frozen(samples, samples.dtype), part)
    return part
