"""The sheet between chest and belly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medrecon.phantom.primitives import FAR_MM
from medrecon.phantom.solid import Array, Solid


@dataclass(frozen=True, slots=True)
class Diaphragm:
    """Two domes, the right one higher, blended behind the heart.

    Parameters
    ----------
    right_top_mm, left_top_mm : float
        z of the domes' tops.
    drop_mm : float
        How much lower the diaphragm is where it meets the chest wall.
    half_width_mm, half_depth_mm : float
        Of the chest.
    """

    right_top_mm: float
    left_top_mm: float
    drop_mm: float
    half_width_mm: float
    half_depth_mm: float

    def below(self, gap_mm: float) -> Solid:
        """Everything under the diaphragm and off it by that gap."""
        top = max(self.right_top_mm, self.left_top_mm)
        low, high = (-FAR_MM, -FAR_MM, -FAR_MM), (FAR_MM, FAR_MM, top)
        return Solid(lambda x, y, z: self._depth(x, y, z) - gap_mm, low, high)

    def above(self, gap_mm: float) -> Solid:
        """Everything over the diaphragm and off it by that gap."""
        bottom = min(self.right_top_mm, self.left_top_mm) - 3 * self.drop_mm
        low, high = (-FAR_MM, -FAR_MM, bottom), (FAR_MM, FAR_MM, FAR_MM)
        return Solid(lambda x, y, z: -self._depth(x, y, z) - gap_mm, low, high)

    def _depth(self, x: Array, y: Array, z: Array) -> Array:
        a, b = 0.62 * self.half_width_mm, 1.05 * self.half_depth_mm
        left = 0.5 + 0.5 * x / np.sqrt(x * x + 15.0**2)
        top = self.right_top_mm + (self.left_top_mm - self.right_top_mm) * left
        u = (np.abs(x) - 0.5 * self.half_width_mm) / a
        v = (y + 0.18 * self.half_depth_mm) / b
        height = top - self.drop_mm * (u * u + v * v)
        slope_x, slope_y = 2 * self.drop_mm / a * u, 2 * self.drop_mm / b * v
        depth: Array = (height - z) / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
        return depth
