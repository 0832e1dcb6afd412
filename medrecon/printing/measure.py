"""How thick a hollowed part's walls came out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold

from medrecon.core import Mesh
from medrecon.core.nearest import distance_to_surface

_SAMPLES = 300_000
"""Places that are measured, at most."""


def wall_figures(outer: Mesh, hollows: Sequence[Manifold]) -> dict[str, float]:
    """Least, mean and greatest distance from the hollows' surfaces to the outer one, in mm.

    At vertices, in the middle of edges and of faces: a face that cuts a crease off is
    farthest from the outer surface between its vertices.
    """
    points = np.concatenate([_places(hollow) for hollow in hollows])
    points = points[:: max(1, -(-len(points) // _SAMPLES))]
    distance = distance_to_surface(points, outer.vertices_mm, outer.faces)
    return {
        "least": round(float(distance.min()), 4),
        "mean": round(float(distance.mean()), 4),
        "greatest": round(float(distance.max()), 4),
    }


def _places(hollow: Manifold) -> npt.NDArray[np.float64]:
    content = hollow.to_mesh64()
    vertices = np.asarray(content.vert_properties)[:, :3]
    a, b, c = (vertices[corner] for corner in np.asarray(content.tri_verts, np.int64).T)
    return np.concatenate([vertices, (a + b) / 2, (b + c) / 2, (c + a) / 2, (a + b + c) / 3])
