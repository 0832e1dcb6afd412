"""Quadric edge collapse as a partition of the vertices."""

from __future__ import annotations

from typing import Any

import fast_simplification
import numpy as np
import numpy.typing as npt

from medrecon.surface.partition import Faces, Partition, Vertices, between

# fast-simplification's "lossless" mode collapses every edge whose sum of squared
# distances to the planes that it stands for is below DBL_EPSILON of C, in squared
# length units, until there is none. The unit is ours to choose: so the limit can be any
# distance in mm.
_LOSSLESS_LIMIT = float(np.sqrt(np.finfo(np.float64).eps))


def collapse_to(vertices_mm: Vertices, faces: Faces, target_faces: int) -> Partition:
    """Collapse edges, those of least quadric error first, until so many faces are left."""
    return _collapse(
        vertices_mm, faces, scale=1.0, target_reduction=None, target_count=target_faces
    )


def collapse_within(vertices_mm: Vertices, faces: Faces, limit_mm: float) -> Partition:
    """Collapse edges while the quadric error (a root of a sum of squares) is below a limit."""
    return _collapse(vertices_mm, faces, scale=_LOSSLESS_LIMIT / limit_mm, lossless=True)


def _collapse(vertices_mm: Vertices, faces: Faces, *, scale: float, **options: Any) -> Partition:
    # The collapser works in absolute numbers; near zero it keeps more digits.
    centre = vertices_mm.mean(axis=0, dtype=np.float64)
    moved = (vertices_mm - centre) * scale
    places, _, collapses = fast_simplification.simplify(
        moved, faces.copy(), return_collapses=True, **options
    )
    group = _roots(collapses, len(vertices_mm))
    place = vertices_mm.copy()
    place[_left(group, faces)] = (places / scale + centre).astype(np.float32)
    return Partition(group, place)


def _roots(collapses: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int32]:
    """The vertex that each vertex ended in: [i0, i1] says that i1 went into i0."""
    into = np.arange(count, dtype=np.int32)
    into[collapses[:, 1]] = collapses[:, 0]
    while True:
        further = into[into]
        if (further == into).all():
            return into
        into = further


def _left(group: npt.NDArray[np.int32], faces: Faces) -> npt.NDArray[np.intp]:
    """Vertices that are still in a face, ascending: the order of the collapser's points."""
    used = np.zeros(len(group), np.bool_)
    used[between(group[faces]).ravel()] = True
    return np.flatnonzero(used)
