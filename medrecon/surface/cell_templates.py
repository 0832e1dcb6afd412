"""How the surfaces between any number of labels run through one cell of eight voxels.

A cell with two labels is a case of `cell_cases`, the higher label inside: its two
neighbours get the very same triangles, one of them the other way round. Where three or
more labels meet, each face of the cell is cut first, by a rule that looks at that face
alone, so that the cell on its other side cuts it alike; then the lines on the six faces
are joined to a point inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from medrecon.surface.cell_cases import EDGES, cases, face_nodes

Pattern = tuple[int, ...]

FIRST_FACE = len(EDGES)
"""Number of the node in the middle of face 0; the faces are 2·axis + side."""

FIRST_INNER = FIRST_FACE + 6
"""Number of the first node inside the cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """The triangles of a cell.

    Parameters
    ----------
    corners : ndarray of int64, shape (t, 3)
        Nodes: 0–11 on the cell's edges, 12–17 on its faces, from 18 inside.
    inside, outside : ndarray of int64, shape (t,)
        The label that a triangle bounds, seen from which it is wound outward, and the
        label on its other side: ranks, as in the pattern.
    inner : tuple of tuple of int
        For each node inside, the nodes of which it is the mean.
    """

    corners: npt.NDArray[np.int64]
    inside: npt.NDArray[np.int64]
    outside: npt.NDArray[np.int64]
    inner: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class _Line:
    """A line on the cell's surface; seen from outside, corner `left` lies to its left."""

    start: int
    end: int
    left: int
    right: int


@cache
def template(pattern: Pattern) -> Template:
    """The triangles of a cell whose corners have these labels, as ranks from 0 up."""
    return _two(pattern) if max(pattern) == 1 else _Meeting(pattern).template()


def _two(pattern: Pattern) -> Template:
    case = sum(rank << corner for corner, rank in enumerate(pattern))
    count = int(cases().triangles[case])
    corners = cases().edges[case, : 3 * count].reshape(-1, 3).astype(np.int64)
    return Template(corners, np.ones(count, np.int64), np.zeros(count, np.int64))


class _Meeting:
    """A cell in which three or more labels meet."""

    def __init__(self, pattern: Pattern) -> None:
        self.label = pattern
        self.region = list(range(8))
        for a, b in EDGES:
            if pattern[a] == pattern[b]:
                self._join(a, b)
        self.lines = [line for face in range(6) for line in self._cut(face)]
        self.corners: list[tuple[int, int, int]] = []
        self.sides: list[tuple[int, int]] = []
        self.inner: list[tuple[int, ...]] = []

    def template(self) -> Template:
        """Cap what would touch itself, then join all that is left to one point."""
        while (loop := self._to_cap()) is not None:
            self._cap(loop)
        if self.lines:
            centre = self._new_node(self.lines)
            for line in self.lines:
                self._triangle(line, centre)
        inside, outside = np.array(self.sides, np.int64).T
        return Template(np.array(self.corners, np.int64), inside, outside, tuple(self.inner))

    def _cut(self, face: int) -> list[_Line]:
        """The lines on a face, by its own four labels alone."""
        corner, edge = face_nodes(face)
        label = [self.label[c] for c in corner]
        changed = [n for n in range(4) if label[n] != label[(n + 1) % 4]]
        if len(changed) == 2:
            i, j = changed
            return [_Line(edge[i], edge[j], corner[i], corner[i + 1])]
        for n in (0, 1):
            if len(changed) == 4 and label[n] == label[n + 2]:
                # The higher label of two is parted; of three, the one that is
                # there twice stays joined.
                if label[1 - n] == label[3 - n] and label[n] > label[1 - n]:
                    continue
                self._join(corner[n], corner[n + 2])
                return [_Line(edge[m], edge[m - 1], corner[m], corner[n]) for m in (1 - n, 3 - n)]
        middle = FIRST_FACE + face
        return [_Line(edge[n], middle, corner[n], corner[(n + 1) % 4]) for n in changed]

    def _find(self, corner: int) -> int:
        while self.region[corner] != corner:
            corner = self.region[corner]
        return corner

    def _join(self, a: int, b: int) -> None:
        a, b = self._find(a), self._find(b)
        self.region[max(a, b)] = min(a, b)

    def _loops(self) -> dict[int, list[list[_Line]]]:
        """For each region the loops around it, lines turned to have it on the left."""
        around: dict[int, dict[int, _Line]] = {}
        for line in self.lines:
            turned = _Line(line.end, line.start, line.right, line.left)
            for one in (line, turned):
                around.setdefault(self._find(one.left), {})[one.start] = one
        found: dict[int, list[list[_Line]]] = {}
        for region, lines in sorted(around.items()):
            while lines:
                loop = [lines.pop(min(lines))]
                while loop[-1].end != loop[0].start:
                    loop.append(lines.pop(loop[-1].end))
                found.setdefault(region, []).append(loop)
        return found

    def _to_cap(self) -> list[_Line] | None:
        """The loop of a region to cut off, if some label would touch itself in one point.

        First an island in one neighbour, then a label's lesser part, then any; last of
        all one around which a neighbour comes twice: it would touch itself at the cap.
        """
        loops = self._loops()
        count: dict[int, int] = {}
        for region, around in loops.items():
            count[self.label[region]] = count.get(self.label[region], 0) + len(around)
        if all(n == 1 for n in count.values()):
            return None
        discs = [around[0] for around in loops.values() if len(around) == 1]

        def order(loop: list[_Line]) -> tuple[bool, bool, bool, int, int]:
            around = [self.label[line.right] for line in loop]
            turns = sum(a != b for a, b in zip(around, [*around[1:], around[0]], strict=True))
            twice = turns > len(set(around)) > 1
            single = count[self.label[loop[0].left]] == 1
            return twice, turns > 0, single, len(loop), self._find(loop[0].left)

        return min(discs, key=order)

    def _cap(self, loop: list[_Line]) -> None:
        """Close a region by triangles around a point; its neighbours meet beneath."""
        centre = self._new_node(loop)
        own = self._find(loop[0].left)
        self.lines = [x for x in self.lines if own not in (self._find(x.left), self._find(x.right))]
        for line in loop:
            self._triangle(line, centre)
        for before, after in zip([loop[-1], *loop[:-1]], loop, strict=True):
            left, right = before.right, after.right
            if self.label[left] == self.label[right]:
                self._join(left, right)
            else:
                self.lines.append(_Line(after.start, centre, left, right))

    def _new_node(self, lines: Sequence[_Line]) -> int:
        """A point in the middle of some lines."""
        nodes = sorted({n for line in lines for n in (line.start, line.end)})
        self.inner.append(tuple(nodes))
        return FIRST_INNER + len(self.inner) - 1

    def _triangle(self, line: _Line, centre: int) -> None:
        self.corners.append((line.start, line.end, centre))
        self.sides.append((self.label[line.right], self.label[line.left]))
