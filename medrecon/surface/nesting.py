"""Whether every piece of a mesh faces the right way, cavities included."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medrecon.core.boxtree import LEAF, BoxTree
from medrecon.surface import nesting_loops

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def pieces_facing_wrong(
    vertices_mm: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
    piece: npt.NDArray[np.int32],
    slope: Floats,
) -> Integers:
    """Pieces that are wound inside out, or lie where no piece may lie.

    From one face of each piece a ray leaves along +x on the side that the face calls
    outside. The signed number of faces that it crosses is the winding number of that
    place: 0 for an outer surface and for a cavity in a solid alike. A solid turned
    inside out gives −1, a solid inside a solid 1.

    Parameters
    ----------
    vertices_mm, faces
        A closed two-manifold.
    piece : ndarray of int32, shape (m,)
        The piece of each face, 0 to k − 1.
    slope : ndarray of float64, shape (m,)
        The x component of each face's normal, of any length.

    Returns
    -------
    ndarray of int64
        Ascending numbers of pieces.
    """
    own = _steepest_face(slope, piece)
    # Unequal weights: a ray through a centroid meets the edges of regular grids.
    weights = np.array([0.301, 0.363, 0.336])
    origin = np.einsum("c,ncx->nx", weights, vertices_mm[faces[own]].astype(np.float64))
    tree = BoxTree.of(vertices_mm, faces)
    total = nesting_loops.crossings(
        tree.corners_mm, tree.number, tree.boxes_mm, LEAF, origin, own.astype(np.int32)
    )
    return np.flatnonzero(total != 0)


def _steepest_face(slope: Floats, piece: npt.NDArray[np.int32]) -> Integers:
    """For each piece the first face with the largest area towards +x."""
    steepest = np.full(int(piece.max()) + 1, -np.inf)
    np.maximum.at(steepest, piece, slope)
    candidates = np.flatnonzero(slope == steepest[piece])[::-1]
    face = np.empty(len(steepest), np.int64)
    face[piece[candidates]] = candidates
    return face
