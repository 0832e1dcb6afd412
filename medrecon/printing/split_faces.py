"""Faces split at points on their edges and inside them: the same surface, more vertices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]


class Edges(NamedTuple):
    """The edges of faces, each once.

    Parameters
    ----------
    ends : ndarray of int64, shape (n, 2)
        The lower vertex first.
    of_face : ndarray of int64, shape (m, 3)
        For each face those from its first to its second corner, and so on.
    """

    ends: Integers
    of_face: Integers


def edges_of(faces: Faces) -> Edges:
    """The edges of a closed mesh's faces."""
    pairs = np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2)
    low, high = np.sort(pairs.astype(np.int64), axis=1).T
    size = int(faces.max()) + 1 if len(faces) else 1
    key, of_face = np.unique(low * size + high, return_inverse=True)
    return Edges(np.column_stack(np.divmod(key, size)), of_face.reshape(-1, 3).astype(np.int64))


def split_faces(vertices_mm: Floats, faces: Faces, on_edge: Integers, inside: Integers) -> Faces:
    """The faces split at further vertices; the surface stays closed.

    Parameters
    ----------
    vertices_mm : ndarray of float64, shape (n, 3)
        The further ones among them; of two ways to split, the shorter diagonal is taken.
    faces : ndarray of int32, shape (m, 3)
    on_edge : ndarray of int64, shape (m, 3)
        The vertex on each edge of a face, in the order of `Edges.of_face`, or −1. Both
        faces of an edge name the same one.
    inside : ndarray of int64, shape (m,)
        The vertex inside of each face, or −1.
    """
    count = (on_edge >= 0).sum(axis=1)
    fanned = inside >= 0
    parts = [faces[(count == 0) & ~fanned].astype(np.int64)]
    parts.append(_fans(faces[fanned], on_edge[fanned], inside[fanned]))
    for number, split in ((1, _in_two), (2, _in_three), (3, _in_four)):
        some = (count == number) & ~fanned
        odd = on_edge[some] >= 0 if number == 1 else on_edge[some] < 0
        corners, points = _turned(faces[some], on_edge[some], np.argmax(odd, axis=1))
        parts += split(vertices_mm, corners, points)
    return np.concatenate(parts).astype(np.int32)


def _turned(faces: Faces, on_edge: Integers, first: Integers) -> tuple[Integers, Integers]:
    """Corners and edge points, (3, k) each, from a chosen edge on."""
    order = (first[:, None] + np.arange(3)) % 3
    return (
        np.take_along_axis(faces.astype(np.int64), order, axis=1).T,
        np.take_along_axis(on_edge, order, axis=1).T,
    )


def _in_two(_: Floats, corners: Integers, points: Integers) -> list[Integers]:
    (a, b, c), p = corners, points[0]
    return [np.column_stack([a, p, c]), np.column_stack([p, b, c])]


def _in_three(vertices: Floats, corners: Integers, points: Integers) -> list[Integers]:
    """Its first edge has no point: the corner across is cut off, the rest halved."""
    (a, b, c), (_, p, q) = corners, points
    one, two = (np.linalg.norm(vertices[x] - vertices[y], axis=1) for x, y in ((a, p), (b, q)))
    left = np.where(one < two, p, q)
    right = np.where(one < two, a, b)
    return [
        np.column_stack([q, p, c]),
        np.column_stack([a, b, left]),
        np.column_stack([p, q, right]),
    ]


def _in_four(_: Floats, corners: Integers, points: Integers) -> list[Integers]:
    (a, b, c), (p, q, r) = corners, points
    rows = ((a, p, r), (p, b, q), (q, c, r), (p, q, r))
    return [np.column_stack(row) for row in rows]


def _fans(faces: Faces, on_edge: Integers, inside: Integers) -> Integers:
    """All around the vertex inside, from point to point."""
    rim = np.stack([faces, on_edge], axis=2).reshape(-1, 6)
    rows = [
        (start, end, middle)
        for around, middle in zip(rim.tolist(), inside.tolist(), strict=True)
        for start, end in _sides([n for n in around if n >= 0])
    ]
    return np.array(rows, np.int64).reshape(-1, 3)


def _sides(around: list[int]) -> list[tuple[int, int]]:
    return list(zip(around, [*around[1:], around[0]], strict=True))
