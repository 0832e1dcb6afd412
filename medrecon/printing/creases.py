"""Where the creases of a level run between the vertices of a mesh that lie on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.printing.level import Level

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_INWARD = 0.1
"""Part of the way along which the sides of a crease are asked about: a vertex on the crease
itself belongs to neither."""

_ONE_PLANE = 0.1
"""Ratio of singular values below which planes count as one: two that are 11° apart."""

_CORNER = 0.3
"""Least volume spanned by three normals that make a corner: cos 72°."""

_FARTHEST = 2.0
"""Spacings that a crease may lie off the face or edge that cuts it."""

_GAIN = 0.5
"""Part of its fault that a place must take away to be worth a vertex."""


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Planes that touch a level, two or three for each of n places.

    Parameters
    ----------
    points_mm, normals : ndarray of float64, shape (n, k, 3)
    """

    points_mm: Floats
    normals: Floats

    @classmethod
    def beside(cls, level: Level, points_mm: Floats) -> Sides:
        """Those nearest to (n, k, 3) points."""
        onto = level.drawn(points_mm.reshape(-1, 3))
        shape = points_mm.shape
        return cls(onto.reshape(shape), level.outward(onto).reshape(shape))

    def of(self, chosen: npt.NDArray[Any]) -> Sides:
        """Those of some of the places."""
        return Sides(self.points_mm[chosen], self.normals[chosen])

    def met(self, points_mm: Floats) -> Floats:
        """(n, 3) points moved the shortest way onto all their planes."""
        short = np.einsum("nki,nki->nk", self.normals, self.points_mm - points_mm[:, None])
        back = np.linalg.pinv(self.normals, rcond=_ONE_PLANE)
        moved: Floats = points_mm + np.einsum("nik,nk->ni", back, short)
        return moved


def across_edges(
    vertices_mm: Floats, edges: Integers, level: Level, *, tolerance_mm: float, spacing_mm: float
) -> tuple[Integers, Floats, Sides]:
    """Edges whose middle lies off the level, where on it they should bend, and its sides.

    Parameters
    ----------
    vertices_mm : ndarray of float64, shape (n, 3)
        On the level.
    edges : ndarray of int64, shape (m, 2)
    level : Level
    tolerance_mm : float
        Nearer than this to the level is on it.
    spacing_mm : float
        Of the grid that the mesh came from.
    """
    ends = vertices_mm[edges]
    middle = ends.mean(axis=1)
    fault = np.abs(level.depth_mm(middle))
    bent = np.flatnonzero(fault > tolerance_mm)
    ends, middle, fault = ends[bent], middle[bent], fault[bent]
    sides = Sides.beside(level, ends + _INWARD * (ends[:, ::-1] - ends))
    place = level.drawn(sides.met(middle))
    good = _better(place, middle, fault, level, spacing_mm)
    return bent[good], place[good], sides.of(good)


def in_faces(
    vertices_mm: Floats,
    faces: npt.NDArray[np.int32],
    level: Level,
    *,
    tolerance_mm: float,
    spacing_mm: float,
) -> tuple[Integers, Floats]:
    """Faces behind which three sides meet, and the corner there, each corner once."""
    corners = vertices_mm[faces]
    middle = corners.mean(axis=1)
    fault = np.abs(level.depth_mm(middle))
    doubtful = np.flatnonzero(fault > tolerance_mm)
    corners, middle, fault = corners[doubtful], middle[doubtful], fault[doubtful]
    sides = Sides.beside(level, corners + _INWARD * (middle[:, None] - corners))
    pointed = np.abs(np.linalg.det(sides.normals)) > _CORNER
    doubtful, middle, fault = doubtful[pointed], middle[pointed], fault[pointed]
    place = level.drawn(sides.of(pointed).met(middle))
    good = _better(place, middle, fault, level, spacing_mm)
    once = np.flatnonzero(good)[_apart(place[good], fault[good], 0.5 * spacing_mm)]
    return doubtful[once], place[once]


def _better(
    place: Floats, middle: Floats, fault: Floats, level: Level, spacing_mm: float
) -> npt.NDArray[np.bool_]:
    near = np.linalg.norm(place - middle, axis=1) < _FARTHEST * spacing_mm
    found: npt.NDArray[np.bool_] = near & (np.abs(level.depth_mm(place)) < _GAIN * fault)
    return found


def _apart(places: Floats, fault: Floats, gap_mm: float) -> list[int]:
    """Of places closer together than a gap, the one whose face is farthest off."""
    kept: list[int] = []
    for n in np.argsort(-fault, kind="stable").tolist():
        if all(np.linalg.norm(places[n] - places[m]) >= gap_mm for m in kept):
            kept.append(n)
    return kept
