"""Compiled loops of `partition` and `topology` over the corners of faces."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def between(group: Array, faces: Array) -> Array:
    """The faces whose corners are in three different groups, by the groups' names."""
    count = 0
    for f in range(len(faces)):
        a, b, c = group[faces[f, 0]], group[faces[f, 1]], group[faces[f, 2]]
        count += a != b and b != c and c != a
    rows = np.empty((count, 3), np.int32)
    count = 0
    for f in range(len(faces)):
        a, b, c = group[faces[f, 0]], group[faces[f, 1]], group[faces[f, 2]]
        if a != b and b != c and c != a:
            rows[count, 0], rows[count, 1], rows[count, 2] = a, b, c
            count += 1
    return rows


@compiled
def touching(marked: Array, faces: Array) -> Array:
    """Whether a corner of each face is marked."""
    found = np.empty(len(faces), np.bool_)
    for f in range(len(faces)):
        found[f] = marked[faces[f, 0]] or marked[faces[f, 1]] or marked[faces[f, 2]]
    return found


@compiled
def grown(marked: Array, group: Array, faces: Array) -> Array:
    """The marked groups and all that share a face with one of them."""
    wider = marked.copy()
    for f in range(len(faces)):
        a, b, c = group[faces[f, 0]], group[faces[f, 1]], group[faces[f, 2]]
        if marked[a] or marked[b] or marked[c]:
            wider[a] = wider[b] = wider[c] = True
    return wider


@compiled
def pieces(faces: Array, count: int) -> tuple[int, Array]:
    """Number of connected pieces and the piece of each vertex, −1 if it is in no face.

    Pieces are numbered by their lowest vertex.
    """
    root = np.full(count, -1, np.int32)
    for f in range(len(faces)):
        for c in range(3):
            v = faces[f, c]
            if root[v] < 0:
                root[v] = v
        a = _root(root, faces[f, 0])
        for c in range(1, 3):
            b = _root(root, faces[f, c])
            # The lower one stays, so that a piece is named by its lowest vertex.
            if b < a:
                a, b = b, a
            root[b] = a
    found = 0
    piece = np.full(count, -1, np.int32)
    for v in range(count):
        if root[v] >= 0:
            lowest = _root(root, v)
            if lowest == v:
                piece[v] = found
                found += 1
            else:
                piece[v] = piece[lowest]
    return found, piece


@compiled
def _root(root: Array, v: int) -> int:
    while root[v] != v:
        root[v] = root[root[v]]
        v = root[v]
    return v
