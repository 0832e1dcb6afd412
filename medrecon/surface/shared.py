"""Surfaces of labels that exclude one another: neighbours share theirs, vertex by vertex.

Each field alone, extracted on its own, nearly meets its neighbours': a face of the grid
whose corners belong to two labels crosswise is cut one way for the one and the other
way for the other, and where three labels meet a hole is left. Here every cell is cut
once for all its labels. What lies between two labels is one set of triangles, which the
one gets as they are and the other turned round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Label, Mesh, SoftField
from medrecon.core.threads import in_order
from medrecon.errors import GeometryError
from medrecon.surface.cell_cases import EDGES
from medrecon.surface.cell_templates import FIRST_FACE, FIRST_INNER, Template, template
from medrecon.surface.crossings import edge_crossings
from medrecon.surface.grid_places import square_up_caps, to_lps, wound_outward

Ints = npt.NDArray[np.int64]
Winners = npt.NDArray[np.int16]

_SLAB = 8_000_000
"""Cells looked at in one go, in whole planes: what they need in between stays small."""

_BITS = np.array([[n & 1, n >> 1 & 1, n >> 2] for n in range(8)])


@dataclass(frozen=True, slots=True, eq=False)
class _Faces:
    """Triangles between labels (numbers from 1; 0 is outside), by the keys of their nodes.

    `inner` tells of nodes inside cells, (n,) keys, of which (n, m) others they are the
    mean; those come first that others are made from.
    """

    keys: Ints
    inside: Ints
    outside: Ints
    inner: tuple[tuple[Ints, Ints], ...] = ()


def extract_shared(fields: Sequence[SoftField], *, close_gaps: float = 0.0) -> tuple[Mesh, ...]:
    """A closed surface for each field; neighbours share vertices and triangles exactly.

    A voxel belongs to the field that is highest there, if that is positive. Between two
    labels the surface lies where their fields are equal, towards the outside where the
    label's own is zero. Where three or more meet, they meet in one line.

    Parameters
    ----------
    fields : sequence of SoftField
        On one grid, no two of one label, their values in one unit.
    close_gaps : float
        A voxel outside of all of which two fields are higher than minus this goes to
        the higher one. Boundaries that were placed each for itself can leave a gap of
        less than a voxel, too thin for the grid: with fields in voxels, 0.5 closes it.

    Returns
    -------
    tuple of Mesh
        In the fields' order, LPS mm; empty where a field wins no voxel. On a part that
        two meshes share the vertices are the same float32 numbers and the triangles the
        same, wound the other way. Each is closed; each but for the rarest cells (a
        label that leaves a cell and comes back between two others) as simple as the
        field's own surface.

    Raises
    ------
    GeometryError
        If the fields lie on different grids.
    """
    if not fields:
        return ()
    grid = fields[0].grid
    if any(not f.grid.is_close(grid) for f in fields):
        raise GeometryError("fields on different grids share no surface")
    winners, origin = winners_of(fields, close_gaps)
    found = _all_faces(winners)
    vertices, corners = _vertices(found, winners, origin, fields)
    vertices_mm = to_lps(vertices, grid, origin)
    corners = wound_outward(corners, grid)
    return tuple(_meshes([f.label for f in fields], found, corners, vertices_mm))


def winners_of(
    fields: Sequence[SoftField], close_gaps: float = 0.0
) -> tuple[Winners, tuple[int, int, int]]:
    """Which field is highest in each voxel, and the grid index of the first voxel.

    Numbers from 1 in the fields' order, 0 where none is positive (or two are close to
    it), in the smallest box that holds all blocks and one voxel more to each side.
    """
    low = np.min([f.start for f in fields], axis=0) - 1
    high = np.max([np.add(f.start, f.values.shape) for f in fields], axis=0) + 1
    winners = np.zeros(tuple(high - low), np.int16, order="F")
    floor = np.float32(-close_gaps)
    best = np.full(winners.shape, floor, np.float32, order="F")
    second = best.copy(order="F") if close_gaps > 0 else None
    for number, field in enumerate(fields, 1):
        box = tuple(
            slice(s, s + n)
            for s, n in zip(np.subtract(field.start, low), field.values.shape, strict=True)
        )
        wins = field.values > best[box]
        if second is not None:
            loser = np.minimum(field.values, best[box], dtype=np.float32)
            np.maximum(second[box], loser, out=second[box])
        np.copyto(winners[box], np.int16(number), where=wins)
        np.copyto(best[box], field.values, where=wins)
    if second is not None:
        winners[(best <= 0) & (second <= floor)] = 0
    i, j, k = (int(n) for n in low)
    return winners, (i, j, k)


def _all_faces(winners: Winners) -> _Faces:
    planes = max(1, _SLAB // (winners.shape[0] * winners.shape[1]))
    slabs = range(0, winners.shape[2] - 1, planes)
    parts = [_Faces(np.zeros((0, 3), np.int64), *np.zeros((2, 0), np.int64))]
    for found in in_order(lambda first: _faces_of_slab(winners, first, planes), slabs):
        parts += found
    return _Faces(
        np.concatenate([p.keys for p in parts]),
        np.concatenate([p.inside for p in parts]),
        np.concatenate([p.outside for p in parts]),
        tuple(one for p in parts for one in p.inner),
    )


def _faces_of_slab(winners: Winners, first: int, planes: int) -> list[_Faces]:
    cells = _mixed_cells(winners, first, min(first + planes, winners.shape[2] - 1))
    labels = winners[tuple((cells[:, None, :] + _BITS).transpose(2, 0, 1))]
    ranks, present = _ranked(labels)
    return [
        _faces(template(pattern), cells[of], present[of], winners.shape)
        for pattern, of in _by_pattern(ranks)
    ]


def _mixed_cells(winners: Winners, first: int, stop: int) -> Ints:
    """(n, 3) lower corners of the cells that hold more than one label, in these planes."""
    slab = winners[:, :, first : stop + 1]
    differs = np.zeros(tuple(n - 1 for n in slab.shape), np.bool_, order="F")
    corner = slab[:-1, :-1, :-1]
    for i, j, k in _BITS[1:]:
        ends = (np.array([i, j, k]) + slab.shape - 1).tolist()
        differs |= corner != slab[i : ends[0], j : ends[1], k : ends[2]]
    k, j, i = np.nonzero(differs.T)
    return np.stack([i, j, k + first], axis=1)


def _ranked(labels: Winners) -> tuple[Ints, Ints]:
    """Each cell's labels as ranks from 0, and the labels that the ranks stand for."""
    ordered = np.sort(labels, axis=1)
    new = np.ones(ordered.shape, np.bool_)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    rank = np.cumsum(new, axis=1) - 1
    present = np.zeros(labels.shape, np.int64)
    np.put_along_axis(present, rank, ordered.astype(np.int64), axis=1)
    below = np.zeros(labels.shape, np.int64)
    for n in range(8):
        below += new[:, n : n + 1] & (ordered[:, n : n + 1] < labels)
    return below, present


def _by_pattern(ranks: Ints) -> Iterator[tuple[tuple[int, ...], Ints]]:
    """Each pattern of ranks that occurs, ascending, with the cells that have it."""
    packed = ranks @ (1 << 3 * np.arange(8))
    order = np.argsort(packed, kind="stable")
    starts = np.flatnonzero(np.diff(packed[order], prepend=-1))
    for of in np.split(order, starts[1:]) if len(order) else ():
        yield tuple(ranks[of[0]].tolist()), of


def _faces(form: Template, cells: Ints, present: Ints, shape: tuple[int, ...]) -> _Faces:
    size = int(np.prod(shape))
    strides = np.array([1, shape[0], shape[0] * shape[1]])
    flat = cells @ strides
    key = np.empty((len(cells), FIRST_INNER + len(form.inner)), np.int64)
    for node, (low, high) in enumerate(EDGES):
        axis = (low ^ high).bit_length() - 1
        key[:, node] = 3 * (flat + _BITS[low] @ strides) + axis
    for face in range(6):
        axis, side = divmod(face, 2)
        key[:, FIRST_FACE + face] = 3 * (size + flat + side * strides[axis]) + axis
    for number in range(len(form.inner)):
        key[:, FIRST_INNER + number] = 6 * size + 16 * flat + number
    keys = key[:, form.corners].reshape(-1, 3)
    inner = tuple((key[:, FIRST_INNER + n], key[:, of]) for n, of in enumerate(form.inner))
    return _Faces(keys, present[:, form.inside].ravel(), present[:, form.outside].ravel(), inner)


def _vertices(
    found: _Faces, winners: Winners, origin: tuple[int, int, int], fields: Sequence[SoftField]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Vertices in grid indices from the box's first voxel, and the triangles' corners."""
    keys, corners = np.unique(found.keys, return_inverse=True)
    size = winners.size
    places = np.zeros((len(keys), 3))
    on_edges = int(np.searchsorted(keys, 3 * size))
    voxel, axis = np.divmod(keys[:on_edges], 3)
    places[:on_edges] = edge_crossings(fields, winners, origin, voxel, axis)
    square_up_caps(places[:on_edges], origin, fields[0].grid.shape)
    on_faces = slice(on_edges, int(np.searchsorted(keys, 6 * size)))
    members = _edges_of_faces(keys[on_faces] - 3 * size, winners.shape)
    places[on_faces] = _means(members, keys[:on_edges], places)
    for own, members in found.inner:
        places[np.searchsorted(keys, own)] = _means(members, keys, places)
    return places.astype(np.float32), corners.reshape(-1, 3).astype(np.int32)


def _edges_of_faces(keys: Ints, shape: tuple[int, ...]) -> Ints:
    """(n, 4) keys of the edges around faces of cells."""
    voxel, axis = np.divmod(keys, 3)
    strides = np.array([1, shape[0], shape[0] * shape[1]])
    u, v = (axis + 1) % 3, (axis + 2) % 3
    first = 3 * voxel
    return np.stack(
        [first + u, first + v, first + 3 * strides[v] + u, first + 3 * strides[u] + v], axis=1
    )


def _means(members: Ints, keys: Ints, places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Means of the places of those members that are among the keys."""
    at = np.minimum(np.searchsorted(keys, members), max(len(keys) - 1, 0))
    there = (keys[at] == members)[:, :, None] if len(members) else np.zeros((0, 1, 1))
    total = (places[at] * there).sum(axis=1)
    mean: npt.NDArray[np.float64] = total / np.maximum(there.sum(axis=1), 1)
    return mean


def _meshes(
    labels: Sequence[Label],
    found: _Faces,
    corners: npt.NDArray[np.int32],
    vertices_mm: npt.NDArray[np.float32],
) -> Iterator[Mesh]:
    """The triangles around each label, those of which it is the outside turned round."""
    count = len(corners)
    owner = np.concatenate([found.inside, found.outside]).astype(np.int16)
    order = np.argsort(owner, kind="stable")
    ends = np.searchsorted(owner[order], np.arange(len(labels) + 2))
    used = np.zeros(len(vertices_mm), np.bool_)
    number = np.zeros(len(vertices_mm), np.int32)
    for n, label in enumerate(labels, 1):
        of = order[ends[n] : ends[n + 1]]
        middle = np.searchsorted(of, count)
        faces = np.concatenate([corners[of[:middle]], corners[of[middle:] - count][:, ::-1]])
        used[faces] = True
        kept = np.flatnonzero(used)
        used[kept] = False
        number[kept] = np.arange(len(kept), dtype=np.int32)
        yield Mesh(vertices_mm[kept], number[faces], label)
