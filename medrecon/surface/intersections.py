"""Faces of one mesh that go through one another, exactly."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from medrecon.core import star_loops
from medrecon.core.compiled import frozen
from medrecon.core.threads import cores, in_parts, second_thread
from medrecon.surface import crossing_loops, face_grid
from medrecon.surface.face_grid_loops import Cells
from medrecon.surface.predicates import Points, side_of_line, side_of_plane

Vertices = npt.NDArray[np.float32]
Faces = npt.NDArray[np.int32]
Integers = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

_SMALL = 20_000
"""Faces below which a second thread costs more than it saves."""

_FEW = 0.1
"""Share of the faces below which those near them are looked for first, to leave out the rest."""

_SIDES = ((0, 1), (1, 2), (2, 0))


def self_intersections(
    vertices_mm: Vertices, faces: Faces, *, among: Mask | None = None
) -> npt.NDArray[np.int64]:
    """Pairs of faces that share a point which is not a corner or an edge of both.

    Touching counts: two faces that meet in a point without sharing the corner do
    intersect. Faces must have an area.

    Parameters
    ----------
    vertices_mm : ndarray of float32, shape (n, 3)
    faces : ndarray of int32, shape (m, 3)
    among : ndarray of bool, shape (m,), or None
        Look only for pairs of which one at least is marked.

    Returns
    -------
    ndarray of int64, shape (k, 2)
        Face indices, ascending.
    """
    a, b = np.sort(_doubtful_pairs(vertices_mm, faces, among), axis=1).T
    hit = _intersect(vertices_mm, faces[a], faces[b])
    pairs = np.stack([a[hit], b[hit]], axis=1).astype(np.int64)
    ordered: npt.NDArray[np.int64] = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return ordered


def _doubtful_pairs(vertices: Vertices, faces: Faces, among: Mask | None) -> Faces:
    """(k, 2) pairs that nothing simple parts, among them all that intersect."""
    if not len(faces):
        return np.zeros((0, 2), np.int32)
    if among is not None and 0 < np.count_nonzero(among) < _FEW * len(faces):
        near = face_grid.faces_near(vertices, faces, among)
        if len(near) < len(faces):
            some: Faces = near[_doubtful_pairs(vertices, faces[near], among[near])]
            return some
    points, corners = frozen(vertices, np.float32), frozen(faces, np.int32)
    with second_thread() as meanwhile:
        plain = meanwhile.submit(_plain, points, corners, among)
        grid = face_grid.face_grid(points, corners)
        number = grid.number
        names = frozen(corners[number], np.int32)
        asked = np.ones(len(number), np.bool_) if among is None else among[number]
        known = (points, names, grid.box_mm, frozen(asked, np.bool_), plain.result())
    found = [np.zeros((0, 2), np.int32)]
    for level, cells in enumerate(grid.levels):
        # Where all are asked, larger faces are found by smaller ones.
        for other in range(level + 1 if among is None else len(grid.levels)):
            half = among is None and other == level
            work = partial(_between, known, cells, grid.ends[level], half, grid.ends[other])
            count = grid.ends[other + 1] - grid.ends[other]
            found += in_parts(work, count, threads=_at_once(count))
    pairs: Faces = number[np.concatenate(found)]
    return pairs


def _between(
    known: tuple[Vertices, Faces, Vertices, Mask, Mask],
    cells: Cells,
    base: int,
    half: bool,
    offset: int,
    first: int,
    stop: int,
) -> Faces:
    places = first + offset, stop + offset
    pairs: Faces = crossing_loops.doubtful_pairs(*known, cells, base, half, *places)
    return pairs


def _plain(vertices: Vertices, faces: Faces, among: Mask | None) -> Mask:
    """Vertices of those faces whose faces are known not to go through one another."""
    star = star_loops.stars(faces, len(vertices))
    asked = np.ones(len(vertices), np.bool_)
    if among is not None:
        asked[:] = False
        asked[faces[among]] = True
    found: Mask = np.empty(len(vertices), np.bool_)
    work = partial(crossing_loops.plain, vertices, star, asked, found)
    in_parts(work, len(vertices), threads=_at_once(len(vertices)))
    return found


def _at_once(count: int) -> int:
    return cores() if count > _SMALL else 1


def _intersect(vertices: Vertices, a: Faces, b: Faces) -> Mask:
    """Exactly, by how many corners the two faces share."""
    same = a[:, :, None] == b[:, None, :]
    shared = same.sum(axis=(1, 2))
    hit: Mask = np.asarray(shared == 3)
    for count, test in ((0, _apart), (1, _at_a_corner), (2, _at_an_edge)):
        at = np.flatnonzero(shared == count)
        if len(at):
            hit[at] = test(vertices, *_turned(a[at], b[at], same[at], count))
    return hit


def _turned(a: Faces, b: Faces, same: Mask, count: int) -> tuple[Faces, Faces]:
    """Both faces with the corner first that alone they share, or alone they do not."""
    if count == 0:
        return a, b
    mine, yours = same.any(axis=2), same.any(axis=1)
    if count == 2:
        mine, yours = ~mine, ~yours
    return _rolled(a, np.argmax(mine, axis=1)), _rolled(b, np.argmax(yours, axis=1))


def _rolled(faces: Faces, first: Integers) -> Faces:
    rolled: Faces = np.take_along_axis(faces, (first[:, None] + np.arange(3)) % 3, axis=1)
    return rolled


def _apart(vertices: Vertices, a: Faces, b: Faces) -> Mask:
    """Faces without a common corner: an edge of one goes through the other."""
    hit = np.zeros(len(a), np.bool_)
    for one, two in ((a, b), (b, a)):
        for i, j in _SIDES:
            rest = np.flatnonzero(~hit)
            hit[rest] = _pierces(vertices, one[rest, i], one[rest, j], two[rest])
    flat = np.flatnonzero(~hit & _coplanar(vertices, a, b))
    hit[flat] = _triangles_overlap(*_in_plane(vertices, a[flat], b[flat]))
    return hit


def _at_a_corner(vertices: Vertices, a: Faces, b: Faces) -> Mask:
    """Faces with corner 0 in common: the side opposite to it goes through the other."""
    hit = _pierces(vertices, a[:, 1], a[:, 2], b) | _pierces(vertices, b[:, 1], b[:, 2], a)
    flat = np.flatnonzero(_coplanar(vertices, a, b))
    hit[flat] = _sectors_overlap(*_in_plane(vertices, a[flat], b[flat]))
    return hit


def _at_an_edge(vertices: Vertices, a: Faces, b: Faces) -> Mask:
    """Faces with all but corner 0 in common: folded flat upon one another."""
    u, v, p, q = (vertices[x] for x in (a[:, 1], a[:, 2], a[:, 0], b[:, 0]))
    hit: Mask = np.asarray(side_of_plane(u, v, p, q) == 0)
    flat = np.flatnonzero(hit)
    one, two = _in_plane(vertices, a[flat], b[flat])
    hit[flat] = side_of_line(one[1], one[2], one[0]) == side_of_line(one[1], one[2], two[0])
    return hit


def _pierces(vertices: Vertices, start: Integers, end: Integers, face: Faces) -> Mask:
    """Whether a segment meets a face, unless the segment lies in the face's plane."""
    p, q = vertices[start], vertices[end]
    a, b, c = (vertices[face[:, n]] for n in range(3))
    below, above = side_of_plane(a, b, c, p), side_of_plane(a, b, c, q)
    hit: Mask = (below * above <= 0) & ((below != 0) | (above != 0))
    at = np.flatnonzero(hit)
    p, q, a, b, c = (x[at] for x in (p, q, a, b, c))
    sides = np.stack([side_of_plane(p, q, s, t) for s, t in ((a, b), (b, c), (c, a))])
    hit[at] = (sides >= 0).all(axis=0) | (sides <= 0).all(axis=0)
    return hit


def _coplanar(vertices: Vertices, a: Faces, b: Faces) -> Mask:
    first, second, third = (vertices[a[:, n]] for n in range(3))
    flat = np.ones(len(a), np.bool_)
    for n in range(3):
        at = np.flatnonzero(flat)
        corner = vertices[b[at, n]]
        flat[at] = side_of_plane(first[at], second[at], third[at], corner) == 0
    return flat


def _in_plane(vertices: Vertices, a: Faces, b: Faces) -> tuple[list[Points], list[Points]]:
    """Corners of coplanar faces without the axis that their plane is steepest to."""
    one = [vertices[a[:, n]] for n in range(3)]
    two = [vertices[b[:, n]] for n in range(3)]
    p, q = one[1].astype(np.float64) - one[0], one[2].astype(np.float64) - one[0]
    drop = np.argmax(np.abs(np.cross(p, q)), axis=1)
    kept = np.array([[1, 2], [2, 0], [0, 1]])[drop]
    return tuple([np.take_along_axis(x, kept, axis=1) for x in y] for y in (one, two))  # type: ignore[return-value]  # two lists


def _triangles_overlap(one: list[Points], two: list[Points]) -> Mask:
    """Triangles of one plane of which no side has the whole other one beyond it."""
    overlap = np.ones(len(one[0]), np.bool_)
    for mine, yours in ((one, two), (two, one)):
        turn = side_of_line(mine[0], mine[1], mine[2])
        for i, j in _SIDES:
            sides = [side_of_line(mine[i], mine[j], corner) * turn for corner in yours]
            overlap &= ~(np.stack(sides) < 0).all(axis=0)
    return overlap


def _sectors_overlap(one: list[Points], two: list[Points]) -> Mask:
    """Triangles of one plane with corner 0 in common: a side of one runs in the other."""
    overlap = np.zeros(len(one[0]), np.bool_)
    for mine, yours in ((one, two), (two, one)):
        turn = side_of_line(mine[0], mine[1], mine[2])
        for corner in yours[1:]:
            after = side_of_line(mine[0], mine[1], corner) * turn >= 0
            overlap |= after & (side_of_line(mine[0], corner, mine[2]) * turn >= 0)
    return overlap
