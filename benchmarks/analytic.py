"""Shapes by formula, how a scanner sees them, and how far a mesh lies from them.

Everything is in voxels of 1 mm. A shape is placed at a random sub-voxel offset, so that
no lucky alignment of grid and surface hides an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from medrecon.core import Geometry, Mesh
from medrecon.core.nearest import distance_to_surface

Points = np.ndarray
Depth = Callable[[Points], np.ndarray]

SAMPLES = 4000
"""Points looked at in each direction: the mean is known to 1 % of itself."""

STEPS = (np.arange(4) + 0.5) / 4 - 0.5
"""Where a voxel is sampled along each axis for its partial volume: 64 points in all."""


@dataclass(frozen=True)
class Shape:
    """A solid around the origin.

    `depth` is positive inside and about the distance near the surface; `cloud` gives
    points spread over the surface; `half` is the half size of its box. Where the shape
    has ends that are not of interest, `counts` says which points count.
    """

    name: str
    depth: Depth
    cloud: Points
    half: tuple[float, float, float]
    volume: float
    counts: Callable[[Points], np.ndarray] = lambda p: np.ones(len(p), bool)


def ball(radius: float) -> Shape:
    n = np.arange(SAMPLES) + 0.5
    z, turn = 1 - 2 * n / SAMPLES, np.pi * (1 + 5**0.5) * n
    flat = np.sqrt(1 - z * z)
    cloud = radius * np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=1)
    return Shape(
        f"ball R{radius:g}",
        lambda p: radius - np.linalg.norm(p, axis=-1),
        cloud,
        (radius,) * 3,
        4 / 3 * np.pi * radius**3,
    )


def torus(ring: float = 16, tube: float = 4) -> Shape:
    def depth(p: Points) -> np.ndarray:
        x, y, z = np.moveaxis(p, -1, 0)
        return tube - np.hypot(np.hypot(x, y) - ring, z)

    rng = np.random.default_rng(1)
    around, along = rng.uniform(0, 2 * np.pi, (2, 3 * SAMPLES))
    # By area: the outer side of the tube is longer than the inner one.
    kept = rng.uniform(0, ring + tube, 3 * SAMPLES) < ring + tube * np.cos(around)
    around, along = around[kept][:SAMPLES], along[kept][:SAMPLES]
    out = ring + tube * np.cos(around)
    cloud = np.stack([out * np.cos(along), out * np.sin(along), tube * np.sin(around)], axis=1)
    half = (ring + tube, ring + tube, tube)
    return Shape(f"torus r{tube:g}", depth, cloud, half, 2 * np.pi**2 * ring * tube**2)


def screw(radius: float = 6, thread: float = 1.2, pitch: float = 9, length: float = 45) -> Shape:
    """A right-handed screw along z, its section the same at every height, only turned."""

    def depth(p: Points) -> np.ndarray:
        x, y, z = np.moveaxis(p, -1, 0)
        turn = z * (2 * np.pi / pitch)
        rho = np.hypot(x, y) + 1e-9
        along = (x * np.cos(turn) + y * np.sin(turn)) / rho
        aside = (y * np.cos(turn) - x * np.sin(turn)) / rho
        slope = thread * np.hypot(2 * np.pi / pitch, 1 / rho) * aside
        flank = (radius + thread * along - rho) / np.sqrt(1 + slope * slope)
        return np.minimum(flank, length / 2 - np.abs(z))

    rng = np.random.default_rng(2)
    z = rng.uniform(-length / 2, length / 2, SAMPLES)
    phi = rng.uniform(0, 2 * np.pi, SAMPLES)
    rho = radius + thread * np.cos(phi - z * 2 * np.pi / pitch)
    cloud = np.stack([rho * np.cos(phi), rho * np.sin(phi), z], axis=1)
    reach = radius + thread
    volume = length * np.pi * (radius**2 + thread**2 / 2)
    # The flat ends meet the thread in an edge that no grid can hold.
    middle = length / 2 - 3
    return Shape(
        "screw",
        depth,
        cloud,
        (reach, reach, length / 2),
        volume,
        lambda p: np.abs(p[:, 2]) < middle,
    )


def shell(outer: float = 12, thickness: float = 1.5) -> Shape:
    """A hollow ball with a thin wall."""
    inner = outer - thickness

    def depth(p: Points) -> np.ndarray:
        r = np.linalg.norm(p, axis=-1)
        return np.minimum(outer - r, r - inner)

    cloud = np.concatenate([ball(outer).cloud, ball(inner).cloud])
    return Shape("shell", depth, cloud, (outer,) * 3, ball(outer).volume - ball(inner).volume)


@dataclass(frozen=True)
class Placed:
    """A shape on a grid, its middle at `centre_mm`."""

    shape: Shape
    grid: Geometry
    centre_mm: Points

    def depth(self) -> np.ndarray:
        """Depth at the voxel centres."""
        index = np.indices(self.grid.shape).reshape(3, -1).T
        points = self.grid.mm_from_index(index) - self.centre_mm
        return self.shape.depth(points).reshape(self.grid.shape)

    def mask(self) -> np.ndarray:
        """Which voxel centres are inside."""
        return self.depth() > 0

    def seen(self, psf: float, noise: float, rng: np.random.Generator) -> np.ndarray:
        """Partial volume, blurred by `psf` voxels, with noise: 1 inside, 0 outside."""
        depth = self.depth()
        part = (depth > 0).astype(float)
        # Half a voxel's diagonal: further away all of its points lie on one side.
        near = np.flatnonzero(np.abs(depth) < 1.05 * max(self.grid.spacing_mm))
        place = np.stack(np.unravel_index(near, self.grid.shape), axis=1)
        points = self.grid.mm_from_index(place) - self.centre_mm
        count = np.zeros(len(near))
        for shift in np.stack(np.meshgrid(STEPS, STEPS, STEPS)).reshape(3, -1).T:
            count += self.shape.depth(points + shift * self.grid.spacing_mm) > 0
        part.reshape(-1)[near] = count / len(STEPS) ** 3
        seen = gaussian_filter(part, psf / np.array(self.grid.spacing_mm))
        return seen + noise * rng.standard_normal(seen.shape)


def place(
    shape: Shape, rng: np.random.Generator, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> Placed:
    """The shape at a random part of a voxel from the middle of a grid that holds it."""
    size = [int(np.ceil((2 * h + 12) / s)) for h, s in zip(shape.half, spacing, strict=True)]
    grid = Geometry((size[0], size[1], size[2]), spacing, (0.0, 0.0, 0.0))
    middle = grid.mm_from_index([(np.array(size) - 1) / 2])[0]
    return Placed(shape, grid, middle + rng.uniform(-0.5, 0.5, 3) * spacing)


@dataclass(frozen=True)
class Errors:
    """Distances in voxels: mesh to truth and truth to mesh, bias (outward +), volume."""

    there: float
    back: float
    bias: float
    volume: float

    @property
    def mean(self) -> float:
        """The mean of both directions."""
        return (self.there + self.back) / 2


def errors(mesh: Mesh, placed: Placed) -> Errors:
    """How far a mesh lies from the shape it was made from."""
    shape = placed.shape
    points = on_surface(mesh) - placed.centre_mm
    points = points[shape.counts(points)]
    signed = -distance_inside(shape.depth, points)
    cloud = shape.cloud[shape.counts(shape.cloud)]
    back = distance_to_surface(cloud + placed.centre_mm, mesh.vertices_mm, mesh.faces)
    volume = mesh.volume_mm3 / shape.volume - 1
    return Errors(
        float(np.abs(signed).mean()), float(back.mean()), float(signed.mean()), float(volume)
    )


def on_surface(mesh: Mesh) -> Points:
    """Points spread over a mesh by area."""
    rng = np.random.default_rng(0)
    a, b, c = np.moveaxis(mesh.vertices_mm[mesh.faces].astype(float), 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    on = rng.choice(len(area), SAMPLES, p=area / area.sum())
    u, v = rng.uniform(size=(2, SAMPLES, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    return a[on] + u * (b - a)[on] + v * (c - a)[on]


def distance_inside(depth: Depth, points: Points) -> np.ndarray:
    """Signed distance to where the depth is 0, along its gradient (Newton's steps)."""
    at, h = points.copy(), 1e-4
    for _ in range(3):
        slope = np.stack(
            [(depth(at + h * e) - depth(at - h * e)) / (2 * h) for e in np.eye(3)], axis=1
        )
        at -= (depth(at) / np.maximum((slope**2).sum(1), 1e-6))[:, None] * slope
    return np.copysign(np.linalg.norm(at - points, axis=1), depth(points))
