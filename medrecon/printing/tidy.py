"""Take out the slivers of a boolean whose faces cross once they are rounded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vertices = npt.NDArray[np.float32]
Faces = npt.NDArray[np.int32]


def without_slivers(
    vertices: Vertices, faces: Faces, crossing: npt.NDArray[np.int64], reach_mm: float
) -> Faces:
    """The faces with the short edges collapsed at faces that cross.

    An edge is collapsed only if the surface stays two-manifold: its ends have exactly two
    neighbours in common. Nothing moves but the ends of these edges, by at most their
    length.

    Parameters
    ----------
    vertices : ndarray of float32, shape (n, 3)
    faces : ndarray of int32, shape (m, 3)
    crossing : ndarray of int, shape (k, 2)
        Pairs of faces that go through each other.
    reach_mm : float
        Longer edges stay. Of two ends the vertex with the lower number does.

    Returns
    -------
    ndarray of int32
        Faces of the same vertices, some of which are no longer used.
    """
    near = _around(faces, faces[np.unique(crossing)], len(vertices))
    sides = np.sort(
        np.concatenate([faces[near][:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), axis=1
    )
    sides = np.unique(sides, axis=0)
    length = np.linalg.norm(vertices[sides[:, 0]].astype(float) - vertices[sides[:, 1]], axis=1)
    order = np.argsort(length, kind="stable")
    # All faces of all these edges' ends; the others stay as they are.
    local = _around(faces, faces[near], len(vertices))
    some = faces[local]
    for kept, gone in sides[order[length[order] <= reach_mm]].tolist():
        some = _collapsed(some, kept, gone)
    return np.concatenate([faces[~local], some])


def _around(faces: Faces, some: Faces, size: int) -> npt.NDArray[np.bool_]:
    """Which faces have a vertex in common with some of them."""
    touched = np.zeros(size, np.bool_)
    touched[some] = True
    return np.asarray(touched[faces].any(axis=1))


def _collapsed(faces: Faces, kept: int, gone: int) -> Faces:
    """The faces with one vertex in the place of two, if they stay a surface."""
    of_kept, of_gone = (faces == kept).any(axis=1), (faces == gone).any(axis=1)
    if not (of_kept & of_gone).any():
        return faces
    common = np.intersect1d(faces[of_kept], faces[of_gone])
    if len(np.setdiff1d(common, (kept, gone))) != 2:
        return faces
    moved = np.where(faces == gone, kept, faces)
    remaining: Faces = moved[~(of_kept & of_gone)]
    return remaining
