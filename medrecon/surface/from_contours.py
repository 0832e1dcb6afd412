"""Fields from closed lines in parallel planes: signed distance, linear between the planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Plane = npt.NDArray[np.float32]

# Samples along a line, in pixels, that find the nearest side; the distance itself is to
# the side and exact.
_SAMPLE = 0.25
_NEAR = 3.0
"""Pixels from a line within which the distance is exact; farther out it steps by pixels."""
_SAME = 1e-4
"""Millimetres within which two ends are one point: channels run there and back."""


def plane_distance(polygons: Sequence[Points], shape: tuple[int, int], spacing_mm: float) -> Plane:
    """Signed distance to the polygons' outline in mm, positive inside.

    Parameters
    ----------
    polygons : sequence of ndarray of float64, shape (n, 2)
        Millimetres from pixel (0, 0) along i and j. A point is inside if it lies in an
        odd number of them; sides that run there and back (channels) bound nothing.
    shape : tuple of int
        Pixels along i and j.
    spacing_mm : float

    Returns
    -------
    ndarray of float32, shape (i, j)
    """
    from scipy.ndimage import distance_transform_edt

    start, end = _sides([p / spacing_mm for p in polygons], _SAME / spacing_mm)
    if not len(start):
        return np.full(shape, -float(max(shape)) * spacing_mm, np.float32)
    inside = _inside(start, end, shape)
    outward = distance_transform_edt(~inside) if not inside.all() else np.zeros(shape)
    inward = distance_transform_edt(inside) if inside.any() else np.zeros(shape)
    # The border between two pixels lies half a pixel from either.
    rough = np.where(inside, inward - 0.5, 0.5 - outward)
    near = np.abs(rough) < _NEAR
    near |= _beside(start, end, shape)
    nodes = np.argwhere(near).astype(np.float64)
    exact = _distance(nodes, start, end)
    rough[near] = np.where(inside[near], exact, -exact)
    distance: Plane = (rough * spacing_mm).astype(np.float32)
    return distance


def _sides(polygons: Sequence[Points], tolerance: float) -> tuple[Points, Points]:
    """Sides of all polygons, without those that are run through both ways.

    Corners are moved onto multiples of the tolerance. A short side vanishes when both of
    its ends come to lie in one, so that no line is left open.
    """
    start = np.concatenate(polygons) if polygons else np.zeros((0, 2))
    ends = [np.roll(p, -1, axis=0) for p in polygons]
    end = np.concatenate(ends) if ends else np.zeros((0, 2))
    a = np.rint(start / tolerance).astype(np.int64)
    b = np.rint(end / tolerance).astype(np.int64)
    there = {tuple(x) for x in np.hstack([a, b]).tolist()}
    both = np.array([tuple(x) in there for x in np.hstack([b, a]).tolist()], np.bool_)
    # A side of no length is run through both ways too.
    start, end = a[~both] * np.float64(tolerance), b[~both] * np.float64(tolerance)
    return start, end


def _inside(start: Points, end: Points, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Whether each pixel centre lies in an odd number of polygons."""
    change = np.zeros((shape[0] + 1, shape[1]), np.int32)
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    first = np.clip(np.ceil(low), 0, shape[1]).astype(int)
    # Half-open: a corner on a row belongs to one of its two sides.
    last = np.clip(np.ceil(high), 0, shape[1]).astype(int)
    count = last - first
    side = np.repeat(np.arange(len(start)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[side]
    t = (row - start[side, 1]) / (end[side, 1] - start[side, 1])
    at = start[side, 0] + t * (end[side, 0] - start[side, 0])
    column = np.clip(np.ceil(at), 0, shape[0]).astype(int)
    np.add.at(change, (column, row), 1)
    odd: npt.NDArray[np.bool_] = np.cumsum(change[:-1], axis=0) % 2 == 1
    return odd


def _beside(start: Points, end: Points, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Pixels that a side passes: a sliver between centres has no pixel inside."""
    samples, _ = _along(start, end)
    mask = np.zeros(shape, np.bool_)
    for di, dj in np.ndindex(2, 2):
        i = np.clip(np.floor(samples[:, 0]).astype(int) + di, 0, shape[0] - 1)
        j = np.clip(np.floor(samples[:, 1]).astype(int) + dj, 0, shape[1] - 1)
        mask[i, j] = True
    return mask


def _along(start: Points, end: Points) -> tuple[Points, npt.NDArray[np.int64]]:
    """Points on the sides, and which side each is of."""
    length = np.linalg.norm(end - start, axis=1)
    count = np.maximum(1, np.ceil(length / _SAMPLE)).astype(int)
    side = np.repeat(np.arange(len(start)), count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    t = (step + 0.5) / count[side]
    return start[side] + t[:, None] * (end - start)[side], side


def _distance(points: Points, start: Points, end: Points) -> npt.NDArray[np.float64]:
    """Distance of each point to the nearest side."""
    from scipy.spatial import cKDTree

    samples, side = _along(start, end)
    tree: Any = cKDTree(samples)
    neighbours = min(4, len(samples))
    _, found = tree.query(points, k=neighbours)
    best = np.full(len(points), np.inf)
    for n in np.asarray(found).reshape(len(points), -1).T:
        a, b = start[side[n]], end[side[n]]
        d = b - a
        t = np.clip(((points - a) * d).sum(axis=1) / (d * d).sum(axis=1), 0, 1)
        best = np.minimum(best, np.linalg.norm(points - a - t[:, None] * d, axis=1))
    return best
