"""Copies of meshes that are light enough for a browser, and how far they lie off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import fast_simplification
import numpy as np

from medrecon.core import Mesh
from medrecon.core.nearest import distance_to_surface

TOTAL_TRIANGLES = 600_000
"""What a telephone still turns smoothly; about 3 MB in the page."""

# Vertices whose distance to the lighter copy is measured, about 10 µs each.
_SAMPLES = 4000


@dataclass(frozen=True, slots=True, eq=False)
class DisplayMesh:
    """A mesh as the page shows it.

    Parameters
    ----------
    mesh : Mesh
        LPS millimetres.
    of_triangles : int
        Triangles of the mesh that was judged.
    deviation_mm : float
        Largest distance found from a vertex of that mesh to this copy, of a few
        thousand spread over it; 0 where it is the same mesh.
    """

    mesh: Mesh
    of_triangles: int
    deviation_mm: float


def display_meshes(
    meshes: Sequence[Mesh], total_triangles: int = TOTAL_TRIANGLES
) -> tuple[DisplayMesh, ...]:
    """The meshes, the largest decimated until all together fit.

    Small meshes are kept whole: a tumour of 2,000 triangles loses none to a skin of a
    million.
    """
    limit = _largest_allowed([len(m.faces) for m in meshes], total_triangles)
    return tuple(_lighter(m, limit) for m in meshes)


def _largest_allowed(counts: Sequence[int], total: int) -> int:
    """The cap on each count that brings their sum down to the total."""
    left = total
    ascending = sorted(counts)
    for n, count in enumerate(ascending):
        share = left // (len(ascending) - n)
        if count > share:
            return share
        left -= count
    return max(ascending, default=0)


def _lighter(mesh: Mesh, limit: int) -> DisplayMesh:
    if len(mesh.faces) <= limit:
        return DisplayMesh(mesh, len(mesh.faces), 0.0)
    vertices, faces = fast_simplification.simplify(
        np.array(mesh.vertices_mm), np.array(mesh.faces), target_count=max(limit, 4)
    )
    light = Mesh(vertices, faces, mesh.label)
    every = max(1, len(mesh.vertices_mm) // _SAMPLES)
    off = distance_to_surface(mesh.vertices_mm[::every], light.vertices_mm, light.faces)
    return DisplayMesh(light, len(mesh.faces), float(off.max()))
