"""Compiled loops of `face_grid`: faces by the cells of a grid that their boxes begin in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]


class Cells(NamedTuple):
    """A grid over the lowest corners of the boxes of some faces.

    Parameters
    ----------
    start : ndarray of int32, shape (cells + 1,)
        Where the faces of each cell begin, cells along x first.
    low : ndarray of float64, shape (3,)
        Lowest corner of all.
    per_mm : ndarray of float64, shape (3,)
        Cells in a millimetre along each axis.
    along : ndarray of int64, shape (3,)
        Cells along each axis.
    reach_mm : float
        As long as any of the boxes at least.
    """

    start: Array
    low: Array
    per_mm: Array
    along: Array
    reach_mm: float


@compiled
def boxes_of(vertices: Array, faces: Array) -> tuple[Array, Array]:
    """(m, 6) float32 lowest and highest coordinates, and (m,) float32 longest sides."""
    box, longest = np.empty((len(faces), 6), np.float32), np.empty(len(faces), np.float32)
    for f in range(len(faces)):
        size = np.float32(0)
        for axis in range(3):
            p, q = vertices[faces[f, 0], axis], vertices[faces[f, 1], axis]
            r = vertices[faces[f, 2], axis]
            box[f, axis], box[f, 3 + axis] = min(p, q, r), max(p, q, r)
            size = max(size, box[f, 3 + axis] - box[f, axis])
        longest[f] = size
    return box, longest


@compiled
def corner_range(box: Array, members: Array) -> tuple[Array, Array]:
    """Lowest and highest of the lowest corners of the members' boxes, float64."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for m in members:
        for axis in range(3):
            at = np.float64(box[m, axis])
            low[axis], high[axis] = min(low[axis], at), max(high[axis], at)
    return low, high


@compiled
def sorted_by_cell(box: Array, members: Array, cells: Cells) -> Array:
    """The members in the cells' order (as they come within one), and where each cell begins."""
    start, along = cells.start, cells.along
    key = np.empty(len(members), np.int32)
    for n in range(len(members)):
        m = members[n]
        x, y = cell_of(cells, 0, np.float64(box[m, 0])), cell_of(cells, 1, np.float64(box[m, 1]))
        z = cell_of(cells, 2, np.float64(box[m, 2]))
        key[n] = (z * along[1] + y) * along[0] + x
        start[key[n] + 1] += 1
    for c in range(len(start) - 1):
        start[c + 1] += start[c]
    order = np.empty(len(members), np.int32)
    for n in range(len(members)):
        order[start[key[n]]] = members[n]
        start[key[n]] += 1
    for c in range(len(start) - 1, 0, -1):
        start[c] = start[c - 1]
    start[0] = 0
    return order


@compiled
def meeting(box: Array, asked: Array, cells: Cells) -> Array:
    """Faces whose boxes touch a cell that the box of one asked about touches too; bool.

    `cells.start` is not looked at.
    """
    along = cells.along
    marked = np.zeros(along[0] * along[1] * along[2], np.bool_)
    found = np.zeros(len(box), np.bool_)
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for marking in (True, False):
        for f in range(len(box)):
            if marking and not asked[f]:
                continue
            for axis in range(3):
                first[axis] = cell_of(cells, axis, np.float64(box[f, axis]))
                last[axis] = cell_of(cells, axis, np.float64(box[f, 3 + axis]))
            for z in range(first[2], last[2] + 1):
                for y in range(first[1], last[1] + 1):
                    row = (z * along[1] + y) * along[0]
                    for x in range(row + first[0], row + last[0] + 1):
                        if marking:
                            marked[x] = True
                        elif marked[x]:
                            found[f] = True
    return found


@inlined
def cell_of(cells: Cells, axis: int, at: float) -> Any:
    """The cell of a coordinate, the first or the last if it lies beyond them."""
    cell = np.int64(max(at - cells.low[axis], 0.0) * cells.per_mm[axis])
    return min(cell, cells.along[axis] - 1)
