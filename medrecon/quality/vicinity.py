"""Which points can lie within a structure or close to it: most are told so at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medrecon.core import Mesh
from medrecon.core.compiled import frozen
from medrecon.core.solid import Solid
from medrecon.quality import vicinity_loops

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_MOST_CELLS = 1_000_000


class Vicinity:
    """A coarse grid around a closed mesh: cells near its surface, in it, and beyond.

    Parameters
    ----------
    mesh : Mesh
        Closed, with at least one face.
    solid : Solid
        The same surface.
    reach_mm : float
        What is as near as that to the surface is in its vicinity.
    """

    def __init__(self, mesh: Mesh, solid: Solid, reach_mm: float) -> None:
        low, high = mesh.bounds_mm.astype(np.float64)
        # A cell more than the reach on each side: what is beyond it all is one piece.
        extent = high - low + 2 * reach_mm
        self._size = max(reach_mm, float(extent.max()) / 1000, 1e-6)
        while np.prod(np.floor(extent / self._size) + 3) > _MOST_CELLS:
            self._size *= 1.1
        self._low = low - reach_mm - self._size
        shape = (np.floor(extent / self._size) + 3).astype(int)
        near = np.zeros(shape, np.bool_)
        vicinity_loops.near_faces(
            frozen(mesh.vertices_mm, np.float32),
            frozen(mesh.faces, np.int32),
            self._low,
            self._size,
            reach_mm,
            near,
        )
        # No face comes into the cells that are left: what hangs together is all inside or not.
        pieces, count = ndimage.label(~near)
        _, first = np.unique(pieces, return_index=True)
        cells = np.stack(np.unravel_index(first, near.shape), axis=1)
        inside = solid.distance_mm(self._low + (cells + 0.5) * self._size) < 0
        # Unless every cell is near, the first number, 0, stands for those near.
        inside[: len(inside) - count] = True
        self._is_near: Mask = inside[pieces]

    def holds(self, points_mm: Floats) -> Mask:
        """Whether each point, (n, 3), is perhaps within reach or inside: if not, surely not."""
        cell = np.floor((points_mm - self._low) / self._size).astype(np.int64)
        there: Mask = ((cell >= 0) & (cell < self._is_near.shape)).all(axis=1)
        i, j, k = cell[there].T
        there[there] = self._is_near[i, j, k]
        return there
