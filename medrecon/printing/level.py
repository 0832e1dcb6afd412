"""The surface at a distance from a surface, as a question to any point: how deep, which way out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.core.boxtree import BoxTree

Floats = npt.NDArray[np.float64]

_STEPS = 2
"""Times that a point is drawn to the level: the second mends what the first did at a crease."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """All points at a distance from a surface, on the side that an offset solid ends at.

    Parameters
    ----------
    tree : BoxTree
        Of the surface.
    distance_mm : float
        Positive for the solid grown by it, negative for the one shrunk by it; not 0.
        Points asked about lie on that side of the surface.
    """

    tree: BoxTree
    distance_mm: float

    @classmethod
    def of(cls, mesh: Mesh, distance_mm: float) -> Level:
        """The level of a mesh, in the mesh's frame."""
        return cls(BoxTree.of(mesh.vertices_mm, mesh.faces), distance_mm)

    def depth_mm(self, points_mm: Floats) -> Floats:
        """(n,) how deep in the offset solid points lie, exact; negative outside of it.

        Measured from the surface, so that behind a crease it is less than the distance
        from the level.
        """
        away = abs(self.distance_mm)
        distance = self.tree.distance_mm(points_mm)
        return distance - away if self.distance_mm < 0 else away - distance

    def outward(self, points_mm: Floats) -> Floats:
        """(n, 3) unit vectors out of the offset solid, square to it; 0 on the surface."""
        way = points_mm - self.tree.nearest_mm(points_mm)
        length = np.linalg.norm(way, axis=1) * np.sign(self.distance_mm)
        unit: Floats = way / np.where(length != 0, length, 1.0)[:, None]
        return unit

    def drawn(self, points_mm: Floats) -> Floats:
        """(n, 3) the points moved onto the level, square to it."""
        for _ in range(_STEPS):
            way = self.outward(points_mm)
            points_mm = points_mm + way * self.depth_mm(points_mm)[:, None]
        return points_mm
