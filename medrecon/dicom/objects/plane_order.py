"""Planes in order, and the grid they belong to although some are not stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.dicom.geometry import GRID_TOLERANCE
from medrecon.errors import MissingSpacingError, ResourceError

Vectors = npt.NDArray[np.float64]

# Frames closer than this lie in one plane; decimal strings hold 0.001 mm and writers round.
SAME_PLANE_MM = 0.01
# More planes than any scan has: a step that small is a wrong one.
_MOST_PLANES = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class OrderedPlanes:
    """Planes along their normal.

    Parameters
    ----------
    positions_mm : ndarray of float64, shape (n, 3)
        Of the first pixel of each, those between that are not stored included.
    index : list of int
        Which of them each given frame lies in.
    step_mm : ndarray of float64, shape (3,), or None
        From plane to plane; None where the planes are no grid.
    """

    positions_mm: Vectors
    index: list[int]
    step_mm: Vectors | None


def order_planes(
    positions_mm: Vectors,
    axes: tuple[Vectors, Vectors],
    stated_step_mm: float | None,
    spacing_mm: tuple[float, float],
    thickness_mm: float | None = None,
) -> OrderedPlanes:
    """Order frames by height, find the step that explains them, add what is missing.

    Parameters
    ----------
    positions_mm : ndarray, shape (n, 3)
        Of each frame, in any order, several in one plane.
    axes : pair of ndarray
        Unit vectors along a row and down a column.
    stated_step_mm : float or None
        What the object says the step is, tried before the smallest that occurs.
    spacing_mm : tuple of float
        Of the pixels: how far off a plane may lie.
    thickness_mm : float, optional
        The step of a single plane that states none. Several planes need not be as far
        apart as they are thick.

    Raises
    ------
    MissingSpacingError
        If nothing says how far a single plane reaches.
    ResourceError
        If a step would make more planes than any scan has.
    """
    normal = np.cross(*axes)
    heights = positions_mm @ normal
    order = np.argsort(heights, kind="stable")
    first = [int(order[0])]
    index = np.zeros(len(heights), int)
    for n in order.tolist():
        if heights[n] - heights[first[-1]] > SAME_PLANE_MM:
            first.append(n)
        index[n] = len(first) - 1
    kept = positions_mm[first]
    if len(first) == 1:
        alone = stated_step_mm or thickness_mm
        if alone is None:
            raise MissingSpacingError("a segmentation in a single plane: nothing says how thick")
        return OrderedPlanes(kept, index.tolist(), normal * alone)
    gaps = np.diff(heights[first])
    for step in filter(None, (stated_step_mm, float(gaps.min()))):
        regular = _on_grid(kept, heights[first], step, (*axes, normal), spacing_mm)
        if regular is not None:
            at, positions, vector = regular
            return OrderedPlanes(positions, at[index].tolist(), vector)
    return OrderedPlanes(kept, index.tolist(), None)


def _on_grid(
    positions: Vectors,
    heights: Vectors,
    step: float,
    frame: tuple[Vectors, Vectors, Vectors],
    spacing_mm: tuple[float, float],
) -> tuple[npt.NDArray[np.int64], Vectors, Vectors] | None:
    """The planes' numbers on a grid of that step, all its planes, and the step; or None."""
    at = np.rint((heights - heights[0]) / step).astype(np.int64)
    if at[-1] < 1 or len(set(at.tolist())) < len(at):
        return None
    if at[-1] > _MOST_PLANES:
        raise ResourceError(f"a segmentation of {at[-1]} planes; at most {_MOST_PLANES} are read")
    vector = (positions[-1] - positions[0]) / at[-1]
    off = positions - (positions[0] + at[:, None] * vector)
    allowed = (*spacing_mm, step)
    if any(
        np.abs(off @ axis).max() > GRID_TOLERANCE * size
        for axis, size in zip(frame, allowed, strict=True)
    ):
        return None
    return at, positions[0] + np.arange(at[-1] + 1)[:, None] * vector, vector
