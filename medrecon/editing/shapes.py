"""Signed distances of the tools that cut and add, in mm, positive inside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Distances = npt.NDArray[np.float64]


def stroke(points: Points, path: Points, radius_mm: float) -> Distances:
    """A ball, or a ball drawn along a path of points.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
    path : ndarray, shape (m, 3)
        One point is a ball.
    radius_mm : float
    """
    nearest = np.linalg.norm(points - path[0], axis=1)
    for a, b in pairwise(path):
        along = b - a
        length = float(along @ along)
        part = np.clip((points - a) @ along / length, 0, 1) if length else np.zeros(len(points))
        nearest = np.minimum(nearest, np.linalg.norm(points - a - part[:, None] * along, axis=1))
    return np.asarray(radius_mm - nearest)


def half_space(points: Points, point: Points, normal: Points) -> Distances:
    """The side that the normal points to."""
    return np.asarray((points - point) @ (normal / np.linalg.norm(normal)))


def box(points: Points, corners: Sequence[Points]) -> Distances:
    """A box along the patient's axes between two corners."""
    low, high = np.minimum(*corners), np.maximum(*corners)
    beyond = np.maximum(low - points, points - high)
    outside = np.linalg.norm(np.maximum(beyond, 0), axis=1)
    return np.asarray(-outside - np.minimum(beyond.max(axis=1), 0))
