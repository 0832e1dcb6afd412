"""A field without what lies far from its surface: small to store, the same surface."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from medrecon.core import band_loops
from medrecon.core.compiled import frozen
from medrecon.core.field import SoftField

REACH_VOXELS = band_loops.REACH_VOXELS
"""The finest surfaces read a field two voxels from a sign change (cubic interpolation);
four leaves room."""


def flattened(field: SoftField) -> SoftField:
    """The field with its mean value inside, or outside, where no surface is near.

    Parameters
    ----------
    field : SoftField

    Returns
    -------
    SoftField
        Values within `REACH_VOXELS` of a change of sign are the field's own, signs are
        the same everywhere. Further away the value is constant on either side, so that
        the image's noise there need not be stored.
    """
    values = frozen(field.values.T, field.values.dtype)
    signs = band_loops.with_neighbours(band_loops.signs_of_blocks(values))
    total, count = band_loops.sums_far(values, signs)
    mean = np.zeros(3, values.dtype)
    for sign in (1, 2):
        if count[sign]:
            mean[sign] = _never_zero(total[sign] / count[sign], values.dtype)
    out = np.empty_like(values)
    band_loops.fill_far(values, signs, mean, out)
    return dataclasses.replace(field, values=out.T)


def _never_zero(mean: float, dtype: np.dtype[Any]) -> Any:
    """The mean in the field's own type, at least one step from zero, the sign kept."""
    if dtype.kind == "f":
        return dtype.type(mean)
    return dtype.type(int(np.copysign(max(1.0, round(abs(mean))), mean)))
