"""Solids as signed fields: positive inside, in millimetres near the surface.

Only +, −, ×, ÷, √, minimum and maximum are used on arrays: these are exact in IEEE
arithmetic, so a phantom has the same bytes on every processor. `power`, `exp` or
`sin` on arrays differ in the last bit between SIMD widths.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.geometry import Triple

Array = npt.NDArray[np.floating[Any]]
Field = Callable[[Array, Array, Array], Array]
Window = tuple[Any, ...]

# A part of a union or difference is not evaluated further than this from its bounding
# box; the field says −10 mm there. More than any blur, rounding or margin used here.
REACH_MM = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A region of space with a smooth signed field and a box that holds it.

    Parameters
    ----------
    field : callable
        Takes x, y, z in LPS mm (arrays that broadcast together) and gives the signed
        distance to the surface: exact or first-order near it, positive inside.
    low_mm, high_mm : tuple of float
        Corners of a box that holds the solid; infinite where it is unbounded.
    """

    field: Field
    low_mm: Triple
    high_mm: Triple

    def offset(self, by_mm: float) -> Solid:
        """The solid grown by `by_mm` along its normals (shrunk where negative)."""
        low, high = _grown(self.low_mm, -by_mm), _grown(self.high_mm, by_mm)
        return Solid(lambda x, y, z: self.field(x, y, z) + by_mm, low, high)

    def scaled(self, factor: float) -> Solid:
        """The solid `factor` times as large about the origin."""

        def field(x: Array, y: Array, z: Array) -> Array:
            return self.field(x / factor, y / factor, z / factor) * factor

        low, high = (_times(corner, factor) for corner in (self.low_mm, self.high_mm))
        return Solid(field, low, high)

    def moved(self, by_mm: Triple) -> Solid:
        """The solid shifted by a vector in LPS mm."""
        dx, dy, dz = by_mm

        def field(x: Array, y: Array, z: Array) -> Array:
            return self.field(x - dx, y - dy, z - dz)

        low, high = (_plus(corner, by_mm) for corner in (self.low_mm, self.high_mm))
        return Solid(field, low, high)

    def near(self, x: Array, y: Array, z: Array) -> Array:
        """The field, evaluated only in the box grown by `REACH_MM`; −REACH_MM elsewhere."""
        shape = np.broadcast_shapes(x.shape, y.shape, z.shape)
        values = np.full(shape, -REACH_MM, dtype=np.result_type(x, y, z))
        low, high = _grown(self.low_mm, -REACH_MM), _grown(self.high_mm, REACH_MM)
        window = open_window(x, y, z, low, high)
        if window is not None:
            i, j, k = window
            if values[window].size:
                values[window] = self.field(x[i], y[:, j], z[:, :, k])
            return values
        mask = np.ones(shape, dtype=bool)
        for c, lowest, highest in zip((x, y, z), low, high, strict=True):
            mask &= (c >= lowest) & (c <= highest)
        if mask.any():
            values[mask] = self.field(*(np.broadcast_to(c, shape)[mask] for c in (x, y, z)))
        return values


def union(*solids: Solid, blend_mm: float = 0.0) -> Solid:
    """What lies in any of the solids; edges rounded over `blend_mm`."""
    low, high = _hull(solids)
    parts: Sequence[Solid] = solids

    def field(x: Array, y: Array, z: Array) -> Array:
        values = (part.near(x, y, z) for part in parts)
        return functools.reduce(lambda a, b: smooth_max(a, b, blend_mm), values)

    return Solid(field, _grown(low, -blend_mm / 4), _grown(high, blend_mm / 4))


def intersection(first: Solid, *others: Solid, blend_mm: float = 0.0) -> Solid:
    """What lies in all solids; edges rounded over `blend_mm`."""
    parts = (first, *others)
    low = np.max([p.low_mm for p in parts], axis=0)
    high = np.min([p.high_mm for p in parts], axis=0)

    def field(x: Array, y: Array, z: Array) -> Array:
        values = (part.field(x, y, z) for part in parts)
        return functools.reduce(lambda a, b: smooth_min(a, b, blend_mm), values)

    return Solid(field, triple(low), triple(high))


def difference(solid: Solid, *cutters: Solid, blend_mm: float = 0.0) -> Solid:
    """What lies in the first solid and in no other; edges rounded over `blend_mm`."""

    def field(x: Array, y: Array, z: Array) -> Array:
        values = solid.field(x, y, z)
        for cutter in cutters:
            values = smooth_min(values, -cutter.near(x, y, z), blend_mm)
        return values

    return Solid(field, solid.low_mm, solid.high_mm)


def smooth_max(a: Array, b: Array, blend_mm: float) -> Array:
    """Maximum with the kink rounded where the two differ by less than `blend_mm`."""
    if blend_mm <= 0:
        return np.maximum(a, b)
    overlap = np.maximum(blend_mm - np.abs(a - b), 0) / blend_mm
    return np.maximum(a, b) + overlap * overlap * (blend_mm / 4)


def smooth_min(a: Array, b: Array, blend_mm: float) -> Array:
    """Minimum with the kink rounded where the two differ by less than `blend_mm`."""
    return -smooth_max(-a, -b, blend_mm)


def distance_mm(solid: Solid, points_lps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n,) signed distance of (n, 3) points: length of four Newton steps to the surface.

    Where the steps find no surface (deep inside, or beyond `REACH_MM` of a composite) the
    field's own value stands.
    """
    foot = points_lps.copy()
    values = solid.near(*points_lps.T)
    for _ in range(4):
        slope = _slope(solid, foot)
        # A floor under the squared slope: at a seam of two parts it may vanish.
        steepness = np.maximum((slope * slope).sum(axis=1), 0.05)
        foot -= (solid.near(*foot.T) / steepness)[:, None] * slope
    length = np.sqrt(((foot - points_lps) ** 2).sum(axis=1))
    arrived = np.abs(solid.near(*foot.T)) < 0.02
    return np.where(arrived, np.copysign(length, values), values)


def _slope(solid: Solid, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, 3) gradient by central differences over 2 µm."""
    step = 1e-3
    columns = []
    for axis in range(3):
        ahead, behind = points.copy(), points.copy()
        ahead[:, axis] += step
        behind[:, axis] -= step
        columns.append((solid.near(*ahead.T) - solid.near(*behind.T)) / (2 * step))
    return np.stack(columns, axis=1)


def open_window(
    x: Array, y: Array, z: Array, low: Triple, high: Triple
) -> tuple[slice, slice, slice] | None:
    """Index ranges of an open grid inside a box; None if x, y, z are not an open grid.

    An open grid is x of shape (i, 1, 1), y of (1, j, 1) and z of (1, 1, k), monotonic.
    """
    if x.ndim != 3 or (x.shape[1:], y.shape[::2], z.shape[:2]) != ((1, 1), (1, 1), (1, 1)):
        return None
    ranges = []
    for c, lowest, highest in zip((x, y, z), low, high, strict=True):
        inside = np.flatnonzero((c.ravel() >= lowest) & (c.ravel() <= highest))
        ranges.append(slice(inside[0], inside[-1] + 1) if inside.size else slice(0, 0))
    i, j, k = ranges
    return i, j, k


def triple(values: npt.ArrayLike) -> Triple:
    """Three floats of an array of three."""
    x, y, z = (float(v) for v in np.asarray(values))
    return x, y, z


def _hull(solids: Sequence[Solid]) -> tuple[Triple, Triple]:
    low = np.min([s.low_mm for s in solids], axis=0)
    return triple(low), triple(np.max([s.high_mm for s in solids], axis=0))


def _grown(corner: Triple, by: float) -> Triple:
    return corner[0] + by, corner[1] + by, corner[2] + by


def _times(corner: Triple, factor: float) -> Triple:
    return corner[0] * factor, corner[1] * factor, corner[2] * factor


def _plus(corner: Triple, by: Triple) -> Triple:
    return corner[0] + by[0], corner[1] + by[1], corner[2] + by[2]
