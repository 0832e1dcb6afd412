"""Quadric edge collapse as a partition of the vertices."""

from __future__ import annotations

import fast_simplification
import numpy as np
import numpy.typing as npt

from medrecon.surface.partition import Faces, Partition, Vertices

# fast-simplification makes 100 rounds and collapses in round n (from 0) the edges whose
# sum of squared distances to the planes that they stand for is below
# 1e-9 · (n + 3)^AGGRESSIVENESS, in squared length units. The unit is ours to choose: so
# the last round's limit can be any distance in mm.
_AGGRESSIVENESS = 7.0
_LAST_LIMIT = 1e-9 * 102.0**_AGGRESSIVENESS


def collapse_to(vertices_mm: Vertices, faces: Faces, target_faces: int) -> Partition:
    """Collapse edges, those of least quadric error first, until so many faces are left."""
    return _collapse(vertices_mm, faces, scale=1.0, target_faces=target_faces)


def collapse_within(vertices_mm: Vertices, faces: Faces, limit_mm: float) -> Partition:
    """Collapse edges while the quadric error (a root of a sum of squares) is below a limit."""
    scale = float(np.sqrt(_LAST_LIMIT)) / limit_mm
    return _collapse(vertices_mm, faces, scale=scale, target_faces=0)


def _collapse(vertices_mm: Vertices, faces: Faces, *, scale: float, target_faces: int) -> Partition:
    # The collapser works in absolute numbers; near zero it keeps more digits.
    centre = vertices_mm.mean(axis=0, dtype=np.float64)
    moved = (vertices_mm - centre) * scale
    places, _, collapses = fast_simplification.simplify(
        moved,
        faces.copy(),
        target_reduction=None,
        target_count=max(target_faces, 1),
        agg=_AGGRESSIVENESS,
        return_collapses=True,
    )
    group = _roots(collapses, len(vertices_mm))
    place = vertices_mm.copy()
    left = _left(group, faces)
    place[left] = (places / scale + centre).astype(np.float32)
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
    a, b, c = (group[faces[:, n]] for n in range(3))
    kept = (a != b) & (b != c) & (c != a)
    used = np.zeros(len(group), np.bool_)
    for corner in (a, b, c):
        used[corner[kept]] = True
    return np.flatnonzero(used)
