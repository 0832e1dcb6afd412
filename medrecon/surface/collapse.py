"""Quadric edge collapse as a partition of the vertices."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

from medrecon.core.boxtree import BoxTree
from medrecon.core.compiled import frozen
from medrecon.core.threads import in_order
from medrecon.surface import collapse_loops
from medrecon.surface.halfedge_loops import BUCKETS
from medrecon.surface.nearness_loops import Full
from medrecon.surface.partition import Faces, Mask, Partition, Vertices

_RISE = 8
"""Buckets by which the level rises: one octave of squared error."""

_MOST_PARTS = 2
"""Two cores take 0.65 of the time that one takes; four parts would leave more between them."""
_LEAST = 100_000
"""Faces of a part at least."""

_FEW = 0.05
"""Share of the vertices that may lie in several parts: else all is one."""


def collapse_to(vertices_mm: Vertices, faces: Faces, target_faces: int) -> Partition:
    """Collapse edges, those of least quadric error first, until so many faces are left.

    More are left where joining any further pair would not leave a two-manifold, or
    would fold a face over: components, cavities and handles are never lost.

    Raises
    ------
    ValueError
        If an edge has not exactly two faces that run through it in opposite directions.

    References
    ----------
    Garland M., Heckbert P. Surface simplification using quadric error metrics.
    SIGGRAPH 1997, DOI 10.1145/258734.258849.
    Dey T., Edelsbrunner H., Guha S., Nekhayev D. Topology preserving edge contraction.
    Publ Inst Math 1999 (which pairs may be joined).
    """
    return _collapse(vertices_mm, faces, target_faces, 0.0, BoxTree.of(vertices_mm, faces[:0]))


def collapse_within(
    vertices_mm: Vertices, faces: Faces, tolerance_mm: float, full: BoxTree
) -> Partition:
    """Collapse edges as long as both surfaces stay so near to one another.

    The vertices given to the faces left, and vertices and middles of faces left to the
    full surface, a tree of the faces given.

    Raises
    ------
    ValueError
        As `collapse_to`.

    References
    ----------
    Klein R., Liebich G., Strasser W. Mesh reduction with error control. IEEE
    Visualization 1996, DOI 10.1109/VISUAL.1996.568124 (points follow their faces).
    """
    return _collapse(vertices_mm, faces, 0, tolerance_mm, full)


def _collapse(
    vertices_mm: Vertices, faces: Faces, target: int, tolerance_mm: float, full: BoxTree
) -> Partition:
    group = np.arange(len(vertices_mm), dtype=np.int32)
    if not len(faces):
        return Partition(group, vertices_mm.copy())
    # The sums of squares keep more digits near zero.
    centre = vertices_mm.mean(axis=0, dtype=np.float64).astype(np.float32).astype(np.float64)
    vertices = frozen(vertices_mm, np.float32)
    edges, mesh, points, faults = collapse_loops.begun(
        vertices, frozen(faces, np.int32), centre, tolerance_mm > 0
    )
    if faults:
        raise ValueError(
            f"a mesh that is no valid solid cannot be decimated: {faults} sides of faces "
            "without exactly one other beside them"
        )
    whole = 0, len(edges.head)
    parts, between = _parts_of(edges.corner, len(vertices), whole[1])
    tree = frozen(full.corners_mm, np.float32), frozen(full.boxes_mm, np.float32)
    guess = np.zeros(len(points.head), np.int32)
    # Each part's own: marks, and room to search in.
    marked = [mesh._replace(mark=mesh.mark.copy()) for _ in parts]
    nearness = [
        Full(*tree, guess, centre, np.empty(128, np.int64), np.empty(128, np.float64))
        for _ in parts
    ]

    def contract(part: int, ceiling: int, most: int, alone: bool) -> int:
        count: int = collapse_loops.work_off(
            edges,
            marked[part],
            points,
            nearness[part],
            group,
            between,
            whole if alone else parts[part],
            (ceiling, most, tolerance_mm),
            alone,
        )
        return count

    list(in_order(lambda runs: collapse_loops.weigh(edges, mesh, tolerance_mm, *runs), parts))
    left = len(faces)
    for ceiling in range(_RISE, BUCKETS + 1, _RISE):
        if left > target and len(parts) > 1:
            most = (left - target) // 2 // len(parts)
            work = partial(contract, ceiling=ceiling, most=most, alone=False)
            left -= 2 * sum(in_order(work, range(len(parts))))
            collapse_loops.weigh_waiting(edges, mesh, tolerance_mm)
        if left > target:
            left -= 2 * contract(0, ceiling, (left - target + 1) // 2, alone=True)
    # Runs that were done can have got edges from later ones; below, the next level took them.
    while left > target and (more := contract(0, BUCKETS, (left - target + 1) // 2, alone=True)):
        left -= 2 * more
    return Partition(group, collapse_loops.ended(group, vertices, mesh.place, centre))


def _parts_of(corner: Faces, vertices: int, runs: int) -> tuple[list[tuple[int, int]], Mask]:
    """Runs of faces that can be worked off at once, and the vertices of several parts.

    As many on every machine: the result must not depend on its cores.
    """
    count = max(1, min(_MOST_PARTS, len(corner) // 3 // _LEAST))
    if count > 1:
        cuts = [runs * n // count for n in range(count + 1)]
        parts = list(pairwise(cuts))
        of_run = np.repeat(np.arange(count, dtype=np.int16), np.diff(cuts))
        between: Mask = collapse_loops.between_parts(corner, vertices, of_run)
        if np.count_nonzero(between) < _FEW * vertices:
            return parts, between
    return [(0, runs)], np.zeros(vertices, np.bool_)
