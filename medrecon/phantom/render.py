"""From solids to voxels: how much of each voxel a solid fills."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry
from medrecon.phantom.solid import Array, Solid, open_window

Image = npt.NDArray[np.float32]

# Voxels painted at a time: the temporaries of one slab stay near 100 MB.
SLAB_VOXELS = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A solid and the HU it is filled with; later layers lie over earlier ones.

    Parameters
    ----------
    solid : Solid
    hu : float
    inner : tuple of (depth_mm, hu)
        What fills it further than that depth below its surface, outermost first.
    """

    solid: Solid
    hu: float
    inner: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Voxel centres as arrays that broadcast, and the step of each axis in LPS mm."""

    x: Array
    y: Array
    z: Array
    steps: npt.NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(self.x.shape, self.y.shape, self.z.shape)

    def crop(self, window: tuple[slice, ...]) -> _Grid:
        if self.x.shape == self.shape:
            return _Grid(self.x[window], self.y[window], self.z[window], self.steps)
        i, j, k = window
        return _Grid(self.x[i], self.y[:, j], self.z[:, :, k], self.steps)


def paint(
    layers: Sequence[Layer], geometry: Geometry, *, background_hu: float, supersampling: int
) -> Image:
    """HU of the layers on the grid, averaged over each voxel; shape (i, j, k), Fortran order."""
    image = np.full(geometry.shape, background_hu, dtype=np.float32, order="F")
    for part, grid in _slabs(geometry):
        for layer in layers:
            depths = (0.0, *(depth for depth, _ in layer.inner))
            window, covers = coverage(layer.solid, grid, supersampling, depths)
            target = image[:, :, part][window]
            for cover, hu in zip(covers, (layer.hu, *(hu for _, hu in layer.inner)), strict=True):
                target += cover * (np.float32(hu) - target)
    return image


def occupancy(solid: Solid, geometry: Geometry, supersampling: int = 3) -> Image:
    """Fraction of each voxel that the solid fills, 0 to 1; shape (i, j, k), Fortran order."""
    image = np.zeros(geometry.shape, dtype=np.float32, order="F")
    for part, grid in _slabs(geometry):
        window, (cover,) = coverage(solid, grid, supersampling)
        image[:, :, part][window] = cover
    return image


def contains(solid: Solid, geometry: Geometry) -> npt.NDArray[np.bool_]:
    """Whether each voxel's centre lies in the solid; shape (i, j, k), Fortran order."""
    mask = np.zeros(geometry.shape, dtype=bool, order="F")
    for part, grid in _slabs(geometry):
        window = _window(solid, grid, 0.0)
        inner = grid.crop(window)
        mask[:, :, part][window] = solid.field(inner.x, inner.y, inner.z) > 0
    return mask


def coverage(
    solid: Solid, grid: _Grid, supersampling: int, depths_mm: tuple[float, ...] = (0.0,)
) -> tuple[tuple[slice, ...], tuple[Image, ...]]:
    """Window of the grid that the solid touches, and how much of each voxel there it fills.

    One image for each depth below the surface, so that the field is evaluated once.

    Away from the surface a voxel is 0 or 1. Where it may pass, the field is sampled at
    supersampling³ points; its own slope there turns each sample into the fraction of a
    sub-cell, so that the sum has no steps and no bias on a plane.
    """
    half = float(np.sqrt((grid.steps**2).sum())) / 2
    window = _window(solid, grid, half)
    part = grid.crop(window)
    values = np.broadcast_to(solid.field(part.x, part.y, part.z), part.shape)
    covers = []
    for depth in depths_mm:
        cover = np.asarray(values > depth, dtype=np.float32)
        # The field's slope is about 1 near a surface; where a seam makes it 1.5, only the
        # outermost corners of a voxel are missed, as many inside as outside.
        band = np.abs(values - depth) < 1.15 * half
        if band.any():
            points = [np.broadcast_to(c, part.shape)[band] for c in (part.x, part.y, part.z)]
            cover[band] = _filled(solid, points, part.steps, supersampling, depth)
        covers.append(cover)
    return window, tuple(covers)


def _filled(
    solid: Solid,
    points: list[Array],
    steps: npt.NDArray[np.float64],
    supersampling: int,
    depth_mm: float,
) -> Array:
    """Fraction of the voxel around each point that is inside, by samples on a sub-grid."""
    n = supersampling
    places = (np.arange(n) + 0.5) / n - 0.5
    offsets = list(itertools.product(places.tolist(), repeat=3))
    samples = [
        solid.field(*(p + float(d) for p, d in zip(points, steps @ offset, strict=True))) - depth_mm
        for offset in offsets
    ]
    # Slope of the field per voxel step, from a least-squares plane through the samples.
    weight = n * n * float((places**2).sum())
    steepness = np.full_like(points[0], 1e-12)
    for axis in range(3):
        slope = sum(
            s * (o[axis] / weight) for s, o in zip(samples, offsets, strict=True) if o[axis]
        )
        steepness = steepness + slope * slope
    per_mm = 1 / (np.sqrt(steepness) / n)
    filled = sum(np.clip(0.5 + s * per_mm, 0, 1) for s in samples)
    return np.asarray(filled / len(samples))


def _window(solid: Solid, grid: _Grid, margin: float) -> tuple[slice, ...]:
    low = tuple(v - margin for v in solid.low_mm)
    high = tuple(v + margin for v in solid.high_mm)
    window = open_window(grid.x, grid.y, grid.z, low, high)  # type: ignore[arg-type]
    if window is not None:
        return window
    inside = np.ones(grid.shape, dtype=bool)
    for c, lowest, highest in zip((grid.x, grid.y, grid.z), low, high, strict=True):
        inside &= (c >= lowest) & (c <= highest)
    ranges = []
    for axis in range(3):
        hit = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
        ranges.append(slice(int(hit[0]), int(hit[-1]) + 1) if hit.size else slice(0, 0))
    return tuple(ranges)


def _slabs(geometry: Geometry) -> Iterator[tuple[slice, _Grid]]:
    """Slabs of slices with the positions of their voxels, float32."""
    i, j, slices = geometry.shape
    depth = max(1, SLAB_VOXELS // (i * j))
    for start in range(0, slices, depth):
        stop = min(start + depth, slices)
        slab = geometry.crop((0, 0, start), (i, j, stop - start))
        yield slice(start, stop), _grid(slab)


def _grid(geometry: Geometry) -> _Grid:
    affine = geometry.affine_lps
    steps = affine[:3, :3]
    axes = [np.arange(n, dtype=np.float64) for n in geometry.shape]
    i, j, k = (a.reshape([-1 if d == axis else 1 for d in range(3)]) for axis, a in enumerate(axes))
    if np.count_nonzero(steps - np.diag(np.diag(steps))) == 0:
        x, y, z = (
            (affine[d, 3] + steps[d, d] * index).astype(np.float32)
            for d, index in enumerate((i, j, k))
        )
        return _Grid(x, y, z, steps)
    x, y, z = (
        np.asarray(r[3] + r[0] * i + r[1] * j + r[2] * k, dtype=np.float32) for r in affine[:3]
    )
    return _Grid(x, y, z, steps)
