"""A (k, j, i) array as (up, back, left): the patient's own axes, by views only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medrecon.core import Geometry
from medrecon.segmentation.pooling import Array


@dataclass(frozen=True, slots=True)
class PatientAxes:
    """How to turn an array over a grid to axes towards superior, posterior and left.

    Each axis of the grid goes to the patient's axis it is nearest to, so an oblique scan
    is turned by the nearest right angles.

    Parameters
    ----------
    order : tuple of int
        For each of (up, back, left), the axis of the (k, j, i) array.
    flipped : tuple of bool
        For each of (up, back, left), whether that axis runs the other way.
    """

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    @classmethod
    def of(cls, geometry: Geometry) -> PatientAxes:
        """From the directions of a grid in LPS."""
        # Rows of LPS (left, back, up) against columns (i, j, k), both reversed.
        towards = np.asarray(geometry.direction)[::-1, ::-1]
        weight = np.abs(towards)
        order = [-1, -1, -1]
        for _ in range(3):
            row, column = np.unravel_index(int(np.argmax(weight)), weight.shape)
            order[int(row)] = int(column)
            weight[row, :] = -1
            weight[:, column] = -1
        flipped = [bool(towards[row, order[row]] < 0) for row in range(3)]
        return cls((order[0], order[1], order[2]), (flipped[0], flipped[1], flipped[2]))

    def turned(self, array: Array) -> Array:
        """A (k, j, i) array as (up, back, left); a view."""
        return self._flip(array.transpose(self.order))

    def back(self, array: Array) -> Array:
        """An (up, back, left) array as (k, j, i); a view."""
        inverse = np.argsort(self.order)
        return self._flip(array).transpose(inverse)

    def sizes(self, kji: tuple[float, float, float]) -> tuple[float, float, float]:
        """Sizes along (k, j, i) as sizes along (up, back, left)."""
        up, back, left = (kji[axis] for axis in self.order)
        return up, back, left

    def _flip(self, array: Array) -> Array:
        up, back, left = (slice(None, None, -1 if f else 1) for f in self.flipped)
        return array[up, back, left]
