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
    if not len(faces):
        return Partition(np.arange(len(vertices_mm), dtype=np.int32), vertices_mm.copy())
    work = _Collapse(vertices_mm, faces, tolerance_mm, full)
    left = len(faces)
    for ceiling in range(_RISE, BUCKETS + 1, _RISE):
        left = work.up_to(ceiling, left, target)
    # Runs that were done can have got edges from later ones; below, the next level took them.
    while left > target and (fewer := work.up_to(BUCKETS, left, target)) < left:
        left = fewer
    return work.partition()


class _Collapse:
    """A collapse under way: half-edges in their queue, and what contracting them needs."""

    def __init__(
        self, vertices_mm: Vertices, faces: Faces, tolerance_mm: float, full: BoxTree
    ) -> None:
        # The sums of squares keep more digits near zero.
        centre = vertices_mm.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._vertices, self._centre = frozen(vertices_mm, np.float32), centre.astype(np.float64)
        self._tolerance_mm = tolerance_mm
        self._group = np.arange(len(vertices_mm), dtype=np.int32)
        self._edges, mesh, self._points, faults = collapse_loops.begun(
            self._vertices, frozen(faces, np.int32), self._centre, tolerance_mm > 0
        )
        if faults:
            raise ValueError(
                f"a mesh that is no valid solid cannot be decimated: {faults} sides of faces "
                "without exactly one other beside them"
            )
        runs = len(self._edges.head)
        self._whole = 0, runs
        self._parts, self._between = _parts_of(self._edges.corner, len(vertices_mm), runs)
        # Each part's own: marks, and room to search in.
        self._meshes = [mesh._replace(mark=mesh.mark.copy()) for _ in self._parts]
        tree = frozen(full.corners_mm, np.float32), frozen(full.boxes_mm, np.float32)
        guess = np.zeros(len(self._points.head), np.int32)
        self._near = [
            Full(*tree, guess, self._centre, np.empty(128, np.int64), np.empty(128, np.float64))
            for _ in self._parts
        ]
        list(in_order(self._weigh, self._parts))

    def up_to(self, ceiling: int, left: int, target: int) -> int:
        """Contract edges up to a level, no more than the target asks; how many faces are left."""
        if left > target and len(self._parts) > 1:
            most = (left - target) // 2 // len(self._parts)
            work = partial(self._contract, ceiling=ceiling, most=most, alone=False)
            left -= 2 * sum(in_order(work, range(len(self._parts))))
            collapse_loops.weigh_waiting(self._edges, self._meshes[0], self._tolerance_mm)
        if left > target:
            left -= 2 * self._contract(0, ceiling, (left - target + 1) // 2, alone=True)
        return left

    def partition(self) -> Partition:
        """What each vertex was joined to, and where that lies."""
        place = self._meshes[0].place
        left = collapse_loops.ended(self._group, self._vertices, place, self._centre)
        return Partition(self._group, left)

    def _weigh(self, runs: tuple[int, int]) -> None:
        collapse_loops.weigh(self._edges, self._meshes[0], self._tolerance_mm, *runs)

    def _contract(self, part: int, ceiling: int, most: int, alone: bool) -> int:
        count: int = collapse_loops.work_off(
            self._edges,
            self._meshes[part],
            self._points,
            self._near[part],
            self._group,
            self._between,
            self._whole if alone else self._parts[part],
            (ceiling, most, self._tolerance_mm),
            alone,
        )
        return count


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
