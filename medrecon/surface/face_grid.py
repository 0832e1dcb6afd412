"""Faces sorted by place, on a grid for each size of faces: which boxes may meet."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import frozen
from medrecon.surface import face_grid_loops
from medrecon.surface.face_grid_loops import Cells

Boxes = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

# Faces up to twice the mean length are on the finest grid, on the next those up to four
# times longer, and so on: of even meshes nearly all are on the finest.
_FINEST = 2.0
_STEP = 4.0

_MOST_CELLS = 16
"""Cells for each face at most."""


class FaceGrid(NamedTuple):
    """All faces of a mesh by their size and place.

    Parameters
    ----------
    number : ndarray of int32, shape (m,)
        For each place in the grid's order the face that stands there.
    box_mm : ndarray of float32, shape (m, 6)
        Lowest and highest coordinates of the faces, in that order.
    levels : tuple of Cells
        From small faces to large ones.
    ends : tuple of int
        0, and where the faces of each level end.
    """

    number: Integers
    box_mm: Boxes
    levels: tuple[Cells, ...]
    ends: tuple[int, ...]


def face_grid(vertices_mm: npt.NDArray[np.float32], faces: Integers) -> FaceGrid:
    """The grid of a mesh of one face at least."""
    box, longest = face_grid_loops.boxes_of(
        frozen(vertices_mm, np.float32), frozen(faces, np.int32)
    )
    finest = max(_FINEST * float(longest.mean(dtype=np.float64)), 1e-30)
    level = np.zeros(len(longest), np.int8)
    limit = finest
    while (larger := longest > limit).any():
        level += larger
        limit *= _STEP
    order, levels, ends = [], [], [0]
    for n in range(int(level.max()) + 1):
        members = np.flatnonzero(level == n).astype(np.int32)
        if not len(members):
            continue
        cells = _cells(box, members, float(longest[members].max()))
        order.append(face_grid_loops.sorted_by_cell(box, members, cells))
        levels.append(cells)
        ends.append(ends[-1] + len(members))
    number = np.concatenate(order)
    return FaceGrid(number, box[number], tuple(levels), tuple(ends))


def faces_near(
    vertices_mm: npt.NDArray[np.float32], faces: Integers, asked: npt.NDArray[np.bool_]
) -> Integers:
    """Faces that may meet one of those asked about, these among them; ascending.

    All faces around a corner of one that is asked about are among them.
    """
    box, longest = face_grid_loops.boxes_of(
        frozen(vertices_mm, np.float32), frozen(faces, np.int32)
    )
    # A box reaches over nine cells along an axis at most.
    size = max(4 * float(longest.mean(dtype=np.float64)), float(longest.max()) / 8, 1e-30)
    low, high = face_grid_loops.corner_range(box, np.arange(len(box), dtype=np.int32))
    count = np.floor((high - low) / size) + 1
    while count.prod() > _MOST_CELLS * len(faces) + 64:
        size *= 2
        count = np.floor((high - low) / size) + 1
    cells = Cells(
        np.zeros(1, np.int32), low, np.full(3, 1 / size), count.astype(np.int64), float(size)
    )
    near = face_grid_loops.meeting(box, frozen(asked, np.bool_), cells)
    return np.flatnonzero(near).astype(np.int32)


def _cells(box: Boxes, members: Integers, longest_mm: float) -> Cells:
    """Empty cells as long as the longest box, along x a quarter of it: there it costs nothing."""
    low, high = face_grid_loops.corner_range(box, members)
    # Coordinates are rounded: a hair more than the longest box.
    reach = max(longest_mm * (1 + 1e-6), 1e-30)
    size = np.array([reach / 4, reach, reach])
    count = np.floor((high - low) / size) + 1
    while count.prod() > _MOST_CELLS * len(members) + 64:
        size[np.argmax(count)] *= 2
        count = np.floor((high - low) / size) + 1
    start = np.zeros(int(count.prod()) + 1, np.int32)
    return Cells(start, low, 1 / size, count.astype(np.int64), reach)
