"""One structure into two, from a point in each: cut where it is narrowest between them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, label

from medrecon.core import SoftField
from medrecon.errors import UsageError

Floats = npt.NDArray[np.float32]

ROUNDS = 400
TOLERANCE = 1e-4
# A voxel's conductance grows with this power of its depth: a neck of half the width lets
# an eighth through a voxel, and so the potential falls there.
POWER = 3


def side_of(field: SoftField, one_mm: npt.ArrayLike, other_mm: npt.ArrayLike) -> Floats:
    """Towards which of two points each voxel inside belongs: 1 to −1, in the field's block.

    The potential of a body that conducts the better the further from its surface, held
    at 1 in the first point and at −1 in the second: it falls where the body is
    narrowest. The cut is at 0.

    Raises
    ------
    UsageError
        If a point lies outside, both share a voxel, or nothing joins them.
    """
    from medrecon.segmentation.guided.diffusion import settled

    inside = field.values > 0
    seeds = [_voxel(field, p) for p in (one_mm, other_mm)]
    pieces, _ = label(inside)
    if pieces[seeds[0]] != pieces[seeds[1]]:
        raise UsageError("the two points to split between are in separate parts already")
    if seeds[0] == seeds[1]:
        raise UsageError("the two points to split between are in one voxel")
    depth = distance_transform_edt(inside, sampling=field.grid.spacing_mm)
    ties = _conductance(depth, field.grid.spacing_mm)
    held = np.full(inside.shape, 1e-9, np.float32)
    prior = np.zeros(inside.shape, np.float32)
    for seed, value in zip(seeds, (1.0, -1.0), strict=True):
        held[seed], prior[seed] = 1e3, value
    return settled(ties, prior, held, rounds=ROUNDS, tolerance=TOLERANCE)


def _voxel(field: SoftField, point_mm: npt.ArrayLike) -> tuple[int, int, int]:
    at = np.rint(field.geometry.index_from_mm(np.asarray(point_mm, float)[None])[0]).astype(int)
    if (at < 0).any() or (at >= field.values.shape).any():
        raise UsageError("a point to split between lies outside the structure")
    i, j, k = (int(n) for n in at)
    if field.values[i, j, k] <= 0:
        raise UsageError("a point to split between lies outside the structure")
    return i, j, k


def _conductance(
    depth: npt.NDArray[np.float64], spacing_mm: tuple[float, float, float]
) -> tuple[Floats, ...]:
    strength = (depth / max(float(depth.max()), 1e-9)) ** POWER
    found = []
    for axis, spacing in enumerate(spacing_mm):
        a = np.moveaxis(strength, axis, 0)
        both = np.minimum(a[1:], a[:-1]) * (min(spacing_mm) / spacing) ** 2
        found.append(np.moveaxis(both, 0, axis).astype(np.float32))
    return tuple(found)
