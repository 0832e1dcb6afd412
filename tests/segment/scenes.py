"""Small CT scenes with analytic truth for the tissue engine's tests.

Shapes are given by signed distance in mm (positive inside). A voxel's value is the
blurred edge Φ(d/σ) between inside and outside, so a plane's half-maximum is exact.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.core.geometry import Triple

Array = npt.NDArray[np.float64]
Shape = Callable[[Array, Array, Array], Array]

SIGMA_MM = 0.7


def grid(shape: tuple[int, int, int], spacing_mm: Triple = (1.0, 1.0, 1.0)) -> Geometry:
    """An axial LPS grid whose middle is the origin."""
    x, y, z = (-s * (n - 1) / 2 for n, s in zip(shape, spacing_mm, strict=True))
    return Geometry(shape, spacing_mm, (x, y, z))


def ball(centre: Triple, radius: float) -> Shape:
    return lambda x, y, z: (
        radius - np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2)
    )


def rod(x0: float, y0: float, radius: float) -> Shape:
    """Along z, through the whole scan."""
    return lambda x, y, z: radius - np.hypot(x - x0, y - y0) + 0 * z


def box(low: Triple, high: Triple) -> Shape:
    def distance(x: Array, y: Array, z: Array) -> Array:
        sides = [np.minimum(c - a, b - c) for c, a, b in zip((x, y, z), low, high, strict=True)]
        return np.minimum(np.minimum(sides[0], sides[1]), sides[2])

    return distance


def shell(solid: Shape, thickness: float) -> tuple[Shape, Shape]:
    """The solid, and what is left of it under a wall."""
    return solid, lambda x, y, z: solid(x, y, z) - thickness


def ct(
    geometry: Geometry,
    layers: list[tuple[Shape, float]],
    *,
    noise_hu: float = 8.0,
    hu: HuStatus = HuStatus.VERIFIED,
) -> Volume:
    """Layers painted over one another on air, blurred, with noise."""
    i, j, k = (np.arange(n) for n in geometry.shape)
    points = geometry.mm_from_index(
        np.stack(np.meshgrid(i, j, k, indexing="ij"), -1).reshape(-1, 3)
    )
    x, y, z = (c.reshape(geometry.shape) for c in points.T)
    image = np.full(geometry.shape, -1000.0)
    for shape, value in layers:
        cover = ndtr(shape(x, y, z) / SIGMA_MM)
        image += cover * (value - image)
    image += np.random.default_rng(7).normal(0, noise_hu, geometry.shape)
    acquisition = Acquisition(Modality.CT, hu)
    return Volume(np.asfortranarray(np.rint(image).astype(np.int16)), geometry, acquisition)


def torso(half_x: float = 45, half_y: float = 40) -> list[tuple[Shape, float]]:
    """Fat around muscle, through the whole scan."""

    def ellipse(a: float, b: float) -> Shape:
        return lambda x, y, z: (1 - np.sqrt((x / a) ** 2 + (y / b) ** 2)) * min(a, b) + 0 * z

    return [(ellipse(half_x, half_y), -100.0), (ellipse(half_x - 6, half_y - 6), 50.0)]


def truth(geometry: Geometry, shape: Shape) -> npt.NDArray[np.bool_]:
    """Voxels whose centre is inside, (i, j, k)."""
    i, j, k = (np.arange(n) for n in geometry.shape)
    points = geometry.mm_from_index(
        np.stack(np.meshgrid(i, j, k, indexing="ij"), -1).reshape(-1, 3)
    )
    x, y, z = (c.reshape(geometry.shape) for c in points.T)
    return shape(x, y, z) > 0
