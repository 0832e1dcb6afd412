"""Analytic fields with known volumes, for the surface and quality tests."""

from __future__ import annotations

import numpy as np

from medrecon.core import Geometry, Label, SoftField, away_from_zero

LABEL = Label(1, "shape")
UNIT = (1.0, 1.0, 1.0)
ORIGIN = (0.0, 0.0, 0.0)


def grid(shape, spacing=UNIT, origin=ORIGIN, direction=((1, 0, 0), (0, 1, 0), (0, 0, 1))):
    return Geometry(tuple(shape), tuple(spacing), tuple(origin), tuple(map(tuple, direction)))


def field_of(function, geometry):
    """Field whose value at each voxel is `function` of its LPS position, (n, 3) → (n,)."""
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    points = geometry.mm_from_index(index.reshape(-1, 3))
    values = function(points).reshape(geometry.shape).astype(np.float32)
    return SoftField(LABEL, away_from_zero(values), geometry)


def sphere(centre, radius):
    return lambda p: radius - np.linalg.norm(p - np.asarray(centre), axis=1)


def shell(centre, outer, inner):
    def function(p):
        r = np.linalg.norm(p - np.asarray(centre), axis=1)
        return np.minimum(outer - r, r - inner)

    return function


def torus(centre, ring, tube):
    def function(p):
        x, y, z = (p - np.asarray(centre)).T
        return tube - np.hypot(np.hypot(x, y) - ring, z)

    return function


def box(low, high):
    low, high = np.asarray(low), np.asarray(high)
    return lambda p: np.minimum(p - low, high - p).min(axis=1)


def blobs(shape, seed, *, threshold=0.0, smooth=1.2):
    """Random smooth field: many pieces, handles, cavities, cut by the border."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).standard_normal(shape)
    values = gaussian_filter(noise, smooth)
    values = (values / values.std() - threshold).astype(np.float32)
    return SoftField(LABEL, away_from_zero(values), grid(shape))
