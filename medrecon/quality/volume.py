"""Volume of a structure from its field, by sub-voxel occupancy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import SoftField

Floats = npt.NDArray[np.float64]

_SLICES = 8
"""Slices worked on at a time, so that the masks stay small."""

# A cell whose gradient is weaker than this part of the others' sum along an axis counts
# as that weak: the closed formula divides by all three. Moves the result by under 1e-4.
_WEAKEST = 1e-3


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
    slices = field.values.T
    layers = range(-1, len(slices))
    inside = sum(
        _inside_cells(slices, first, min(first + _SLICES, layers.stop))
        for first in range(layers.start, layers.stop, _SLICES)
    )
    return inside * field.grid.voxel_volume_mm3 / 1000


def _inside_cells(slices: npt.NDArray[Any], first: int, stop: int) -> float:
    """Sum of the inside parts of the layers of cells from first to before stop."""
    at = np.clip(np.arange(first, stop + 1), 0, len(slices) - 1)
    slab = np.pad(slices[at], ((0, 0), (1, 1), (1, 1)), mode="edge")
    every, (k, j, i) = _whole_and_cut(slab)
    part = _positive_part(slab, k, j, i)
    # Cells beyond the outermost centres are scanned only to half their width.
    weight = [np.ones(n) for n in every.shape]
    for along in weight[1:]:
        along[[0, -1]] = 0.5
    weight[0][[n for n in (0, stop - first - 1) if first + n in (-1, len(slices) - 1)]] = 0.5
    whole = np.einsum("kji,k,j,i->", every, *weight)
    return float(whole + (part * weight[0][k] * weight[1][j] * weight[2][i]).sum())


def inside_fraction(samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Part of each cell between eight samples that is inside; each axis one shorter."""
    slab = np.ascontiguousarray(samples)
    every, (k, j, i) = _whole_and_cut(slab)
    fraction = every.astype(np.float32)
    fraction[k, j, i] = _positive_part(slab, k, j, i)
    return fraction


def _whole_and_cut(
    slab: npt.NDArray[Any],
) -> tuple[npt.NDArray[np.bool_], tuple[npt.NDArray[np.intp], ...]]:
    """Which cells are wholly inside, and the indices of those with both signs."""
    every = some = slab > 0
    for axis in range(3):
        lower, upper = _halves(axis)
        every = every[lower] & every[upper]
        some = some[lower] | some[upper]
    return every, np.nonzero(some & ~every)


def _halves(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    before = (slice(None),) * axis
    return (*before, slice(None, -1)), (*before, slice(1, None))


def _positive_part(
    slab: npt.NDArray[Any],
    k: npt.NDArray[np.intp],
    j: npt.NDArray[np.intp],
    i: npt.NDArray[np.intp],
) -> Floats:
    flat = slab.reshape(-1)
    row, layer = slab.shape[2], slab.shape[1] * slab.shape[2]
    base = k * layer + j * row + i
    corner = [
        flat[base + (dk * layer + dj * row + di)].astype(np.float64)
        for dk, dj, di in np.ndindex(2, 2, 2)
    ]
    whole = sum(corner[1:], corner[0])
    slopes = [
        np.abs(sum((corner[n] if n & bit else -corner[n]) for n in range(8))) / 4
        for bit in (1, 2, 4)
    ]
    return _cube_above_plane(whole / 8, slopes)


def _cube_above_plane(mean: Floats, slopes: list[Floats]) -> Floats:
    """Part of a unit cube where ``mean + slopes · (x − centre)`` is positive."""
    total = slopes[0] + slopes[1] + slopes[2]
    flat = total == 0
    a, b, c = (np.maximum(s, _WEAKEST * total) + flat for s in slopes)
    total = a + b + c
    # Measured from the lowest corner; the part below the plane by inclusion-exclusion.
    reach = np.clip(mean + total / 2, 0, total)
    cubes = reach**3 - sum(np.maximum(reach - s, 0) ** 3 for s in (a, b, c))
    cubes += sum(np.maximum(reach - s, 0) ** 3 for s in (a + b, b + c, c + a))
    part: Floats = np.clip(cubes / (6 * a * b * c), 0, 1)
    return np.where(flat, (mean > 0).astype(np.float64), part)
