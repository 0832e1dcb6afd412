"""Outlines with holes as single outlines: a channel of no width leads to each hole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.surface.contours import Loop, loop_area


@dataclass(frozen=True, slots=True)
class _Bridge:
    """A channel from a point on a side of one loop to the first point of a hole."""

    along: float
    point: tuple[float, float]
    hole: int


def keyholes(loops: Sequence[Loop]) -> list[Loop]:
    """One closed line for each outer loop, its holes joined to it by channels.

    The channel runs from the hole's point of least i against i to the first loop that it
    meets, there and back: no line crosses another, and the area is that of the outer loop
    less its holes.

    Parameters
    ----------
    loops : sequence of ndarray of float64, shape (n, 2)
        As `zero_contours` gives them: disjoint, outer loops of positive area, holes of
        negative.

    References
    ----------
    PS3.3 C.8.8.6.3: inner and outer contours are joined by an arbitrarily narrow channel.
    """
    areas = [loop_area(loop) for loop in loops]
    holes = [n for n, area in enumerate(areas) if area < 0]
    if not holes:
        return list(loops)
    turned = [_from_least(p) if a < 0 else p for p, a in zip(loops, areas, strict=True)]
    bridges = _bridges(turned, holes)
    return [_joined(turned, n, bridges) for n, area in enumerate(areas) if area >= 0]


def _from_least(loop: Loop) -> Loop:
    """The loop from its point of least i."""
    return np.roll(loop, -int(np.argmin(loop[:, 0])), axis=0)


def _bridges(loops: Sequence[Loop], holes: Sequence[int]) -> dict[tuple[int, int], list[_Bridge]]:
    """For each side (loop, number of its first point) the channels that begin on it."""
    owner = np.concatenate([np.full(len(p), n) for n, p in enumerate(loops)])
    side = np.concatenate([np.arange(len(p)) for p in loops])
    start = np.concatenate(loops)
    end = np.concatenate([np.roll(p, -1, axis=0) for p in loops])
    rows = _Rows(start, end)
    found: dict[tuple[int, int], list[_Bridge]] = defaultdict(list)
    for hole in holes:
        i, j = loops[hole][0]
        near = rows.crossing(j)
        a, b = start[near], end[near]
        t = (j - a[:, 1]) / (b[:, 1] - a[:, 1])
        at = a[:, 0] + t * (b[:, 0] - a[:, 0])
        left = (at < i) & (owner[near] != hole)
        if not left.any():
            continue
        best = int(np.argmax(np.where(left, at, -np.inf)))
        where = int(near[best])
        bridge = _Bridge(float(t[best]), (float(at[best]), float(j)), hole)
        found[int(owner[where]), int(side[where])].append(bridge)
    return found


class _Rows:
    """Sides sorted by their lower end: each is hardly longer than a cell."""

    def __init__(self, start: Loop, end: Loop) -> None:
        low = np.minimum(start[:, 1], end[:, 1])
        self._order = np.argsort(low, kind="stable")
        self._low = low[self._order]
        self._start, self._end = start[:, 1], end[:, 1]
        self._longest = float(np.abs(end - start)[:, 1].max()) * 1.001

    def crossing(self, j: float) -> npt.NDArray[np.intp]:
        """Sides that cross the line at j; of two that meet on it, one."""
        first, last = np.searchsorted(self._low, [j - self._longest, j], side="right")
        near = self._order[first:last]
        found: npt.NDArray[np.intp] = near[(self._start[near] > j) != (self._end[near] > j)]
        return found


def _joined(
    loops: Sequence[Loop], outer: int, bridges: dict[tuple[int, int], list[_Bridge]]
) -> Loop:
    """The walk round a loop that takes in every hole on its way, and theirs on theirs."""
    points: list[tuple[float, float]] = []
    # What is still to do, last first; a chain of holes has any length, so no recursion.
    # A step is one point to put down, or the walk on along a loop from its point n.
    steps: list[tuple[float, float] | _Walk] = [_Walk(outer, 0)]
    while steps:
        step = steps.pop()
        if not isinstance(step, _Walk):
            points.append(step)
            continue
        if step.n == len(loops[step.loop]):
            continue
        points.append(_point(loops[step.loop], step.n))
        steps.append(_Walk(step.loop, step.n + 1))
        for bridge in sorted(bridges.get((step.loop, step.n), ()), key=lambda b: -b.along):
            first = _point(loops[bridge.hole], 0)
            steps += [bridge.point, first, _Walk(bridge.hole, 0), bridge.point]
    return np.array(points)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Go on along a loop from its point n."""

    loop: int
    n: int


def _point(loop: Loop, n: int) -> tuple[float, float]:
    i, j = loop[n].tolist()
    return i, j
