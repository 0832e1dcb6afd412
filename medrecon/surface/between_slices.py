"""Slices between slices: the outline goes over from one to the next.

Between two thick slices a mask is a stair. The distance to each slice's own outline
says more: half way between two slices the outline runs half way between theirs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

THICK = 2.0
"""Slice step over voxel size from which slices are added: below it the stairs are hardly
longer than those inside a slice, which the smoothing levels anyway."""

# Distances count up to this many slice steps. A structure that is not there in the next
# slice then ends half way to it, where the mask's own voxels end.
_REACH = 1.0


def thick_axis(spacing_mm: tuple[float, float, float]) -> tuple[int, int]:
    """The axis of the slices, and into how many each is to be divided (1, 3, 5 or more).

    An odd number, so that the middle of each slice stays a sample.
    """
    axis = int(np.argmax(spacing_mm))
    within = [s for n, s in enumerate(spacing_mm) if n != axis]
    ratio = spacing_mm[axis] / float(np.mean(within))
    return axis, 1 if ratio < THICK else 2 * round(ratio / 2) + 1


def finer_grid(grid: Geometry, axis: int, factor: int) -> Geometry:
    """The same box with each voxel divided along one axis."""
    if factor == 1:
        return grid
    affine = grid.affine_lps
    affine[:3, 3] -= affine[:3, axis] * (factor - 1) / (2 * factor)
    affine[:3, axis] /= factor
    shape = [n * factor if at == axis else n for at, n in enumerate(grid.shape)]
    return Geometry.from_affine(affine, shape)


class Slices:
    """A mask's slices along one axis, and what lies between them.

    Parameters
    ----------
    mask : ndarray of bool, shape (i, j, k)
    spacing_mm : tuple of float
    axis : int
        Across the slices.
    factor : int
        Odd: how many slices come of one.
    """

    def __init__(
        self, mask: Mask, spacing_mm: tuple[float, float, float], axis: int, factor: int
    ) -> None:
        self._axis = axis
        self._slices = np.moveaxis(mask, axis, 0)
        within = [s for n, s in enumerate(spacing_mm) if n != axis]
        self._within = (within[0], within[1])
        self._reach_mm = _REACH * spacing_mm[axis]
        # Place of each new slice between two old ones, counted from the lower.
        new = np.arange(len(self._slices) * factor)
        at = np.clip((new - (factor - 1) / 2) / factor, 0, len(self._slices) - 1)
        self._lower = np.minimum(at.astype(np.int64), max(len(self._slices) - 2, 0))
        self._upper = np.minimum(self._lower + 1, len(self._slices) - 1)
        self._part = at - self._lower

    def between(self) -> Floats:
        """Distances to the outline in all slices, as parts of the reach: from −1 to 1."""
        known = np.stack([self._distance(one) for one in self._slices])
        part = self._part[:, None, None].astype(np.float32)
        return self._back(known[self._lower] * (1 - part) + known[self._upper] * part)

    def known_sides(self) -> Floats:
        """1 and −1 where both slices beside agree, else 0: between them the outline runs."""
        side = np.where(self._slices, np.float32(1), np.float32(-1))
        here = self._part[:, None, None]
        lower, upper = side[self._lower], side[self._upper]
        agreed = np.where((lower == upper) | (here == 0), lower, 0)
        return self._back(np.where(here == 1, upper, agreed))

    def _distance(self, one: Mask) -> Floats:
        """Distance to a slice's outline, positive inside, in parts of the reach."""
        from scipy.ndimage import distance_transform_edt

        if one.all() or not one.any():
            return np.where(one, np.float32(1), np.float32(-1))
        # The outline runs half a voxel before the nearest centre on the other side.
        half = sum(self._within) / 4
        inner = distance_transform_edt(one, sampling=self._within)
        outer = distance_transform_edt(~one, sampling=self._within)
        signed = np.where(one, inner - half, half - outer)
        distance: Floats = np.clip(signed / self._reach_mm, -1, 1).astype(np.float32)
        return distance

    def _back(self, slices: npt.NDArray[np.floating]) -> Floats:
        whole: Floats = np.asfortranarray(np.moveaxis(slices, 0, self._axis), dtype=np.float32)
        return whole
