"""How thick a hollowed part's walls came out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manifold3d import Manifold

from medrecon.core import Mesh
from medrecon.core.nearest import distance_to_surface

_SAMPLES = 4000
"""Vertices of the hollows that are measured, at most."""


def wall_figures(outer: Mesh, hollows: Sequence[Manifold]) -> dict[str, float]:
    """Least, mean and greatest distance from the hollows' surfaces to the outer one, in mm."""
    points = np.concatenate([np.asarray(h.to_mesh64().vert_properties)[:, :3] for h in hollows])
    points = points[:: max(1, -(-len(points) // _SAMPLES))]
    distance = distance_to_surface(points, outer.vertices_mm, outer.faces)
    return {
        "least": round(float(distance.min()), 4),
        "mean": round(float(distance.mean()), 4),
        "greatest": round(float(distance.max()), 4),
    }
