"""Mean distance of extracted surfaces to analytic truth, in voxels, both directions.

    python benchmarks/accuracy.py

Each shape is placed at random sub-voxel offsets, rendered by 4³ samples a voxel (partial
volume), blurred by the scanner (Gaussian PSF) and made noisy; or given as an ideal logit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from medrecon.core import Geometry, Label, Mesh, SoftField, away_from_zero
from medrecon.surface.extract import extract_surface
from medrecon.surface.from_labels import smoothest_field
from medrecon.surface.upsample import upsampled

LABEL = Label(1, "shape")
OFFSETS = 5
Distance = Callable[[np.ndarray], np.ndarray]


def sphere(radius: float) -> tuple[Distance, tuple[int, int, int]]:
    n = int(2 * radius + 9)
    return lambda p: radius - np.linalg.norm(p - n / 2, axis=-1), (n, n, n)


def torus(ring: float = 16, tube: float = 4) -> tuple[Distance, tuple[int, int, int]]:
    n, flat = int(2 * (ring + tube) + 8), int(2 * tube + 8)

    def distance(p: np.ndarray) -> np.ndarray:
        x, y, z = np.moveaxis(p - np.array([n, n, flat]) / 2, -1, 0)
        return tube - np.hypot(np.hypot(x, y) - ring, z)

    return distance, (n, n, flat)


def centres(shape: tuple[int, int, int], offset: np.ndarray) -> np.ndarray:
    return np.stack(np.indices(shape), axis=-1) - offset


def partial_volume(distance: Distance, points: np.ndarray) -> np.ndarray:
    steps = (np.arange(4) + 0.5) / 4 - 0.5
    parts = [
        distance(points + np.array(s)) > 0
        for s in np.array(np.meshgrid(steps, steps, steps)).reshape(3, -1).T
    ]
    return np.mean(parts, axis=0)


def surface(values: np.ndarray, *, fine: bool = False) -> Mesh:
    grid = Geometry(values.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    field = SoftField(LABEL, away_from_zero(values.astype(np.float32)), grid)
    return extract_surface(upsampled(field) if fine else field)


def errors(mesh: Mesh, distance: Distance, offset: np.ndarray) -> tuple[float, float, float]:
    """Mean of both directions, bias of the first, in voxels; truth → mesh by dense points."""
    signed = -distance(mesh.vertices_mm.astype(float) - offset)
    corners = mesh.vertices_mm[mesh.faces].astype(float)
    dense = np.concatenate([mesh.vertices_mm, corners.mean(axis=1)])
    # Points of the truth: the mesh's own, drawn onto it along the numerical gradient.
    h = 1e-4
    there = corners.mean(axis=1) - offset
    slope = np.stack(
        [(distance(there + h * e) - distance(there - h * e)) / (2 * h) for e in np.eye(3)], axis=1
    )
    truth = there - slope * distance(there)[:, None] + offset
    back = cKDTree(dense).query(truth)[0]
    normal = np.abs(np.einsum("ij,ij->i", dense[cKDTree(dense).query(truth)[1]] - truth, slope))
    return (
        float((np.abs(signed).mean() + np.minimum(normal, back).mean()) / 2),
        float(signed.mean()),
        float(back.max()),
    )


def report(
    name: str,
    shape: tuple[Distance, tuple[int, int, int]],
    make: Callable[[np.ndarray, np.random.Generator], Mesh],
) -> None:
    distance, size = shape
    rows = []
    for seed in range(OFFSETS):
        rng = np.random.default_rng(seed)
        offset = rng.uniform(-0.5, 0.5, 3)
        rows.append(errors(make(centres(size, offset), rng), distance, offset)[:2])
    mean, bias = np.mean(rows, axis=0)
    print(f"{name:55s} mean {mean:.4f}  bias {bias:+.4f}")


def main() -> None:
    ball, ring = sphere(20), torus()
    for psf in (0.5, 0.8, 1.2):
        for noise in (0.0, 0.03):

            def scanned(
                points: np.ndarray, rng: np.random.Generator, psf: float = psf, noise: float = noise
            ) -> Mesh:
                seen = gaussian_filter(partial_volume(ball[0], points), psf)
                return surface(seen + noise * rng.standard_normal(seen.shape) - 0.5)

            report(f"sphere R20, partial volume, PSF {psf}, noise {noise:.0%}", ball, scanned)
    report(
        "sphere R20, partial volume alone",
        ball,
        lambda p, _: surface(partial_volume(ball[0], p) - 0.5),
    )
    report("torus r4, ideal logit", ring, lambda p, _: surface(ring[0](p)))
    report("torus r4, ideal logit, upsampled", ring, lambda p, _: surface(ring[0](p), fine=True))
    for radius in (20, 5):
        shape = sphere(radius)
        report(
            f"sphere R{radius}, binary mask alone",
            shape,
            lambda p, _, d=shape[0]: surface(smoothest_field(d(p) > 0)),
        )


if __name__ == "__main__":
    main()
