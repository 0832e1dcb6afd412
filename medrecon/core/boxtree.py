"""A tree of boxes around the triangles of a surface, for questions about what is near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import boxtree_loops
from medrecon.core.compiled import frozen
from medrecon.core.threads import cores, in_parts

Floats = npt.NDArray[np.float64]

LEAF = boxtree_loops.LEAF
"""Triangles in a leaf."""

_LARGE = 50_000
"""Triangles above which several threads sort them."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxTree:
    """A complete binary tree over the triangles, halved along the longest axis each time.

    Parameters
    ----------
    corners_mm : ndarray of float32, shape (m, 9)
        The triangles' corners in the tree's order.
    number : ndarray of int32, shape (m,)
        For each place in the tree's order the triangle that stands there.
    boxes_mm : ndarray of float32, shape (2·leaves, 6)
        Lowest and highest coordinates. Node 1 is the root, 2n and 2n + 1 are below n,
        the last half are the leaves of `LEAF` triangles each. Empty nodes have boxes
        that nothing touches.
    """

    corners_mm: npt.NDArray[np.float32]
    number: npt.NDArray[np.int32]
    boxes_mm: npt.NDArray[np.float32]

    @classmethod
    def of(cls, vertices_mm: npt.NDArray[Any], faces: npt.NDArray[Any]) -> BoxTree:
        """The tree of a surface, which may have no faces at all.

        References
        ----------
        Bentley J. Multidimensional binary search trees used for associative searching.
        Commun ACM 1975, DOI 10.1145/361002.361007 (halving at the median).
        """
        v, f = frozen(vertices_mm, np.float32), frozen(faces, np.int32)
        order = _order(boxtree_loops.middles(v, f))
        corners = boxtree_loops.gathered(v, f, order)
        return cls(corners, order, boxtree_loops.boxes(corners))

    def distance_mm(self, points_mm: npt.NDArray[Any]) -> Floats:
        """Distance of each point to the nearest point of any triangle; exact to rounding.

        Parameters
        ----------
        points_mm : ndarray, shape (n, 3)

        Returns
        -------
        ndarray of float64, shape (n,)
            Infinite if there is no triangle.
        """
        distance: Floats = np.sqrt(self._squared(points_mm, 0.0))
        return distance

    def beyond(self, points_mm: npt.NDArray[Any], limit_mm: float) -> npt.NDArray[np.bool_]:
        """Whether each point lies further from every triangle than that; quicker than how far."""
        further: npt.NDArray[np.bool_] = self._squared(points_mm, limit_mm**2) > limit_mm**2
        return further

    def nearest_mm(self, points_mm: npt.NDArray[Any]) -> Floats:
        """The place on any triangle that is nearest to each point; exact to rounding.

        Parameters
        ----------
        points_mm : ndarray, shape (n, 3)

        Returns
        -------
        ndarray of float64, shape (n, 3)

        Raises
        ------
        ValueError
            If there is no triangle.
        """
        if not len(self.number):
            raise ValueError("a surface without triangles is nearest to nothing")
        points = frozen(points_mm, np.float64)
        _, place = boxtree_loops.nearest(self.corners_mm, self.boxes_mm, points, 0.0)
        found: Floats = boxtree_loops.feet(self.corners_mm, frozen(place, np.int32), points)
        return found

    def _squared(self, points_mm: npt.NDArray[Any], enough: float) -> Floats:
        points = frozen(points_mm, np.float64)
        squared, _ = boxtree_loops.nearest(self.corners_mm, self.boxes_mm, points, enough)
        found: Floats = squared
        return found


def _order(middle: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Triangles in the tree's order; the quarters of a large tree on several cores."""
    leaves = boxtree_loops.leaves_of(len(middle))
    nodes = [(0, len(middle))]
    if len(middle) > _LARGE:
        for _ in range(2):
            cuts = [boxtree_loops.halve(middle, *ends, leaves) for ends in nodes]
            nodes = [
                part
                for (start, end), cut in zip(nodes, cuts, strict=True)
                for part in ((start, cut), (cut, end))
            ]
            leaves //= 2

    def below(first: int, stop: int) -> None:
        for start, end in nodes[first:stop]:
            boxtree_loops.halve_all(middle, start, end, leaves)

    in_parts(below, len(nodes), threads=cores())
    return middle.view(np.int32)[:, 3].copy()
