"""The grid that slices are shown on: axes nearest to L, P and S, not too fine."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from medrecon.core.geometry import FloatArray, Geometry


def display_grid(geometry: Geometry, longest_axis: int) -> Geometry:
    """A grid over the same centres whose axes run to about L, P and S.

    Axes are swapped and turned, never tilted: a slice of an oblique scan is still a
    slice of it. An axis of more than `longest_axis` voxels is made coarser. A sheared
    grid is straightened first.
    """
    if geometry.is_sheared:
        geometry = geometry.isotropic(min(geometry.spacing_mm))
    turned = _towards_lps(geometry)
    spans = [(n - 1) * s for n, s in zip(turned.shape, turned.spacing_mm, strict=True)]
    i, j, k = (min(n, longest_axis) for n in turned.shape)
    x, y, z = (
        span / (n - 1) if n > 1 else s
        for span, n, s in zip(spans, (i, j, k), turned.spacing_mm, strict=True)
    )
    return Geometry((i, j, k), (x, y, z), turned.origin_mm, turned.direction)


def _towards_lps(geometry: Geometry) -> Geometry:
    """The same voxels with axes in another order and sense."""
    direction = np.asarray(geometry.direction)
    order = max(
        permutations(range(3)), key=lambda p: sum(abs(direction[n, a]) for n, a in enumerate(p))
    )
    affine = geometry.affine_lps
    origin: FloatArray = affine[:3, 3].copy()
    columns = []
    for axis, of in enumerate(order):
        column = affine[:3, of]
        if direction[axis, of] < 0:
            origin = origin + column * (geometry.shape[of] - 1)
            column = -column
        columns.append(column)
    turned = np.eye(4)
    turned[:3, :3] = np.stack(columns, axis=1)
    turned[:3, 3] = origin
    return Geometry.from_affine(turned, [geometry.shape[of] for of in order])
