"""Quadric edge collapse as a partition of the vertices."""

from __future__ import annotations

import numpy as np

from medrecon.core.boxtree import BoxTree
from medrecon.core.compiled import frozen
from medrecon.surface import collapse_loops
from medrecon.surface.partition import Faces, Partition, Vertices


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
    # The sums of squares keep more digits near zero.
    centre = vertices_mm.mean(axis=0, dtype=np.float64).astype(np.float32)
    group, place, faults = collapse_loops.contract(
        frozen(vertices_mm, np.float32),
        frozen(faces, np.int32),
        frozen(centre, np.float64),
        target,
        float(tolerance_mm),
        frozen(full.corners_mm, np.float32),
        frozen(full.boxes_mm, np.float32),
    )
    if faults:
        raise ValueError(
            f"a mesh that is no valid solid cannot be decimated: {faults} sides of faces "
            "without exactly one other beside them"
        )
    return Partition(group, place)
