"""Where a level crosses the edges of a grid, exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medrecon.core import SoftField
from medrecon.core.compiled import frozen
from medrecon.printing.level import Level
from medrecon.surface.extract import crossed_edges, outline_of
from medrecon.surface.grid_places import CLEARANCE_VOXELS

Floats = npt.NDArray[np.float64]

_TOLERANCE_MM = 5e-4

_ROUNDS = 12
"""At most; an edge that passes no crease takes one or two."""


def on_grid_edges(field: SoftField, level: Level) -> Floats:
    """The vertices of a field's surface, each moved along its edge of the grid onto the level.

    Along an edge that passes a crease distance does not change evenly, so its zero is not
    where a straight line between the nodes' values has its own. Vertices that stay on
    their edges keep the surface free of crossings.

    Parameters
    ----------
    field : SoftField
        How deep in the offset solid the nodes of an axis-parallel grid lie, not 0.
    level : Level

    Returns
    -------
    ndarray of float64, shape (n, 3)
        In mm, in the order of `extract_surface`.

    References
    ----------
    Dowell M., Jarratt P. A modified regula falsi method for computing the root of an
    equation. BIT 1971, DOI 10.1007/BF01934364 (the Illinois method).
    """
    values = frozen(field.values.T, np.float32)
    edge = crossed_edges(values, outline_of(values)).astype(np.float64)
    spacing = field.geometry.spacing_mm[0]
    start = np.asarray(field.geometry.origin_mm) + edge[:, :3] * spacing
    step = np.eye(3)[edge[:, 3].astype(np.int64)] * spacing
    # Depth at both ends, or its opposite: in front positive, behind negative.
    front, behind, side = edge[:, 4], -edge[:, 5], edge[:, 6]
    low, high, last = np.zeros(len(edge)), np.ones(len(edge)), np.zeros(len(edge))
    part = _between(low, high, front, behind)
    left = np.arange(len(edge))
    for _ in range(_ROUNDS):
        depth = side[left] * level.depth_mm(start[left] + part[left, None] * step[left])
        off = np.abs(depth) > _TOLERANCE_MM
        left, depth = left[off], depth[off]
        if not len(left):
            break
        ahead, past = left[depth > 0], left[depth <= 0]
        low[ahead], front[ahead] = part[ahead], depth[depth > 0]
        high[past], behind[past] = part[past], depth[depth <= 0]
        behind[ahead[last[ahead] > 0]] /= 2
        front[past[last[past] < 0]] /= 2
        last[ahead], last[past] = 1, -1
        part[left] = _between(low[left], high[left], front[left], behind[left])
    return start + part[:, None] * step


def _between(low: Floats, high: Floats, front: Floats, behind: Floats) -> Floats:
    """Where straight lines through both ends' values are 0, clear of the grid's nodes."""
    part = (low * behind - high * front) / (behind - front)
    clear: Floats = np.clip(part, CLEARANCE_VOXELS, 1 - CLEARANCE_VOXELS)
    return clear
