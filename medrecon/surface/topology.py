"""Edges, opposites and fans of a triangle mesh: which vertices are not as they should be.

An edge is named by its two vertices, the lower one first, and by its direction, packed
into one integer, so that a single sort finds every fault.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import frozen
from medrecon.surface import partition_loops

Faces = npt.NDArray[np.int32]
Keys = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]


def edge_keys(faces: Faces, vertex_count: int) -> Keys:
    """One key per half-edge, half-edge 3·f + c runs from corner c of face f to the next.

    ``key = 2 * (lower * vertex_count + higher) + (1 if it runs downwards)``, so the two
    halves of an edge differ in the last bit. Shape (3·m,).
    """
    a = faces.astype(np.int64)
    b = a[:, [1, 2, 0]]
    down = a > b
    keys: Keys = np.where(down, b, a)
    keys *= vertex_count
    keys += np.where(down, a, b)
    keys *= 2
    keys += down
    return keys.ravel()


def _paired(sorted_keys: Keys) -> bool:
    if len(sorted_keys) % 2:
        return False
    first, second = sorted_keys[0::2], sorted_keys[1::2]
    return bool(
        ((second ^ first) == 1).all()
        and ((first & 1) == 0).all()
        and (first[1:] != first[:-1]).all()
    )


def edge_faults(faces: Faces, vertex_count: int) -> tuple[int, int, int, Indices]:
    """Open, non-manifold and inconsistently wound edges, and the vertices on any of them.

    Returns
    -------
    open_edges : int
        Edges with one face.
    nonmanifold_edges : int
        Edges with more than two faces.
    flipped_edges : int
        Edges whose two faces run through them in the same direction.
    vertices : ndarray of int64
        Ascending, without repetition.
    """
    keys = edge_keys(faces, vertex_count)
    keys.sort()
    if _paired(keys):
        return 0, 0, 0, np.zeros(0, np.int64)
    edges = keys >> 1
    start = np.flatnonzero(np.r_[True, edges[1:] != edges[:-1]])
    count = np.diff(np.r_[start, len(edges)])
    downward = np.add.reduceat(keys & 1, start)
    open_, many = count == 1, count > 2
    flipped = (count == 2) & (downward != 1)
    bad = edges[start[open_ | many | flipped]]
    vertices = np.unique(np.r_[bad // vertex_count, bad % vertex_count])
    return int(open_.sum()), int(many.sum()), int(flipped.sum()), vertices


def faults_at(faces: Faces, where: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Vertices among those asked about at which the faces are not two-manifold.

    Parameters
    ----------
    faces : ndarray of int32, shape (m, 3)
        All faces that have a corner `where`, at least.
    where : ndarray of bool, shape (n,)
        Vertices to judge. Edges between two others are not looked at.

    Returns
    -------
    ndarray of bool, shape (n,)
        Vertices on an edge that has not exactly two faces running through it in
        opposite directions, of a face that another lies upon, or where fans touch.
    """
    n = len(where)
    keys = edge_keys(faces, n)
    order = np.argsort(keys)
    keys = keys[order]
    # Both halves of an edge, found side by side; anything else next to them is a fault.
    edge = keys >> 1
    first = np.flatnonzero(np.append(True, edge[1:] != edge[:-1]))
    count = np.diff(np.append(first, len(edge)))
    pair = first[count == 2]
    pair = pair[(keys[pair] ^ keys[pair + 1]) == 1]
    opposite = np.full(len(keys), -1, np.int64)
    opposite[order[pair]] = order[pair + 1]
    opposite[order[pair + 1]] = order[pair]
    bad = np.zeros(n, np.bool_)
    corner = faces.ravel()
    ahead = faces[:, [1, 2, 0]].ravel()
    single = (opposite < 0) & (where[corner] | where[ahead])
    bad[corner[single]] = bad[ahead[single]] = True
    bad[faces[_folded(opposite)].ravel()] = True
    bad[_pinched(corner, opposite, where & ~bad)] = True
    return bad


def _folded(opposite: Indices) -> npt.NDArray[np.bool_]:
    """Faces that share two edges, hence all corners, with one other face."""
    a, b, c = (opposite.reshape(-1, 3) // 3).T
    folded: npt.NDArray[np.bool_] = (((a == b) | (a == c)) & (a >= 0)) | ((b == c) & (b >= 0))
    return folded


def _pinched(corner: Faces, opposite: Indices, where: npt.NDArray[np.bool_]) -> Indices:
    """Vertices whose faces are more than one fan, by walking once around each."""
    half = np.arange(len(corner), dtype=np.int64)
    start = np.full(len(where), -1, np.int64)
    start[corner] = half
    valence = np.bincount(corner, minlength=len(where))
    # From a half-edge that leaves a vertex to the one before it in the same face, which
    # arrives there; its opposite leaves again.
    turn = opposite[np.where(half % 3 == 0, half + 2, half - 1)]
    active = np.flatnonzero(where & (valence > 0))
    at, steps = start[active], np.zeros(len(where), np.int64)
    while len(active):
        at = turn[at]
        steps[active] += 1
        going = (at != start[active]) & (at >= 0)
        active, at = active[going], at[going]
    return np.flatnonzero(where & (steps != valence))


def duplicate_faces(faces: Faces, vertex_count: int) -> int:
    """Faces that join the same three vertices as another one, whatever the winding."""
    low = faces.min(axis=1).astype(np.int64)
    high = faces.max(axis=1).astype(np.int64)
    middle = faces.sum(axis=1, dtype=np.int64) - low - high
    edge = low * vertex_count + middle
    order = np.lexsort((high, edge))
    same = (np.diff(edge[order]) == 0) & (np.diff(high[order]) == 0)
    return int(np.count_nonzero(same))


def doubled_area_vectors(
    vertices_mm: npt.NDArray[np.float32], faces: Faces
) -> npt.NDArray[np.float64]:
    """(3, m) outward normals, one row per axis, whose length is twice the face's area.

    Exactly (0, 0, 0) only for a face without area.
    """
    # Differences of float32 are exact enough only in float64: at 1 m from the origin a
    # float32 step is 6e-5 mm, and the products would lose thin faces.
    p, q = [], []
    for axis in range(3):
        along = vertices_mm[:, axis].astype(np.float64)
        base = along[faces[:, 0]]
        p.append(along[faces[:, 1]] - base)
        q.append(along[faces[:, 2]] - base)
    return np.stack(
        [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]]
    )


def components(faces: Faces, vertex_count: int) -> tuple[int, npt.NDArray[np.int32]]:
    """Number of connected pieces and the piece of each vertex (-1 if in no face)."""
    found, piece = partition_loops.pieces(frozen(faces, np.int32), vertex_count)
    return int(found), piece
