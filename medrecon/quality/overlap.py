"""How much two masks share: Dice, and the volumes of both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def dice(found: Mask, truth: Mask) -> float | None:
    """2·|both| / (|found| + |truth|); None if both are empty.

    References
    ----------
    Dice L. R., "Measures of the amount of ecologic association between species",
    Ecology 1945, doi:10.2307/1932409.
    """
    total = int(np.count_nonzero(found)) + int(np.count_nonzero(truth))
    return 2 * int(np.count_nonzero(found & truth)) / total if total else None


def volume_ml(mask: Mask, voxel_volume_mm3: float) -> float:
    """Volume of a mask's voxels."""
    return int(np.count_nonzero(mask)) * voxel_volume_mm3 / 1000
