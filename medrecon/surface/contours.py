"""Outlines of a structure in a plane: where a field of two dimensions changes sign."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Loop = npt.NDArray[np.float64]
Edges = npt.NDArray[np.int64]

# Sides of a cell, in the order bottom (j), right (i + 1), top (j + 1), left (i).
_B, _R, _T, _L = range(4)
# Where a line runs in each cell, from side to side with the inside on its left. The case
# number has a bit for each corner that is inside: 1 (i, j), 2 (i + 1, j), 4 (i + 1, j + 1),
# 8 (i, j + 1). Cases 5 and 10 have two lines, one way or the other round the middle.
_LINES: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((_B, _L),),
    2: ((_R, _B),),
    3: ((_R, _L),),
    4: ((_T, _R),),
    6: ((_T, _B),),
    7: ((_T, _L),),
    8: ((_L, _T),),
    9: ((_B, _T),),
    11: ((_R, _T),),
    12: ((_L, _R),),
    13: ((_B, _R),),
    14: ((_L, _B),),
}
_APART = {5: ((_B, _L), (_T, _R)), 10: ((_R, _B), (_L, _T))}
_JOINED = {5: ((_B, _R), (_T, _L)), 10: ((_L, _B), (_R, _T))}


def zero_contours(values: npt.NDArray[Any]) -> list[Loop]:
    """Closed lines where a field on a grid of two axes is zero, linear along its edges.

    What reaches the border is closed half a sample beyond it, where the pixel ends.

    Parameters
    ----------
    values : ndarray, shape (i, j)
        Positive inside.

    Returns
    -------
    list of ndarray of float64, shape (n, 2)
        Indices (i, j) of the points of each loop, the first not repeated; the inside is
        on the left: outer loops have a positive area in (i, j), holes a negative one.
        Loops do not cross. In the order of their first points.

    References
    ----------
    Marching squares; the ambiguous cells by the value of the bilinear saddle: Nielson
    and Hamann 1991, DOI 10.1109/VISUAL.1991.175782.
    """
    padded = _closed(values)
    return [_points(padded, edges) - 1 for edges in _cycles(_links(padded))]


def loop_area(loop: Loop) -> float:
    """Signed area of a loop by the shoelace formula, relative to its first point."""
    x, y = (loop - loop[0]).T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def _closed(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """With a rim that is outside, and that mirrors what it touches in sign only."""
    padded = np.pad(values.astype(np.float64), 1, mode="edge")
    rim = np.ones(padded.shape, np.bool_)
    rim[1:-1, 1:-1] = False
    padded[rim] = -np.abs(padded[rim])
    return padded


def _links(values: npt.NDArray[np.float64]) -> dict[int, int]:
    """From each crossed edge to the next one along its line."""
    inside = values > 0
    corners = (inside[:-1, :-1], inside[1:, :-1], inside[1:, 1:], inside[:-1, 1:])
    case = np.zeros(corners[0].shape, np.uint8)
    for n, corner in enumerate(corners):
        case |= corner.astype(np.uint8) << np.uint8(n)
    i, j = np.nonzero((case > 0) & (case < 15))
    kind = case[i, j]
    joined = _saddle_is_inside(values, i, j)
    links: dict[int, int] = {}
    for number in np.unique(kind).tolist():
        if number in _LINES:
            _add(links, values.shape, i[kind == number], j[kind == number], _LINES[number])
            continue
        for choice, lines in ((True, _JOINED[number]), (False, _APART[number])):
            here = (kind == number) & (joined == choice)
            _add(links, values.shape, i[here], j[here], lines)
    return links


def _saddle_is_inside(
    values: npt.NDArray[np.float64], i: npt.NDArray[np.intp], j: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    a, b = values[i, j], values[i + 1, j]
    c, d = values[i + 1, j + 1], values[i, j + 1]
    found: npt.NDArray[np.bool_] = (a * c - b * d) * (a + c - b - d) > 0
    return found


def _add(
    links: dict[int, int],
    shape: tuple[int, ...],
    i: npt.NDArray[np.intp],
    j: npt.NDArray[np.intp],
    lines: tuple[tuple[int, int], ...],
) -> None:
    for start, end in lines:
        a, b = _edge(shape, i, j, start), _edge(shape, i, j, end)
        links.update(zip(a.tolist(), b.tolist(), strict=True))


def _edge(
    shape: tuple[int, ...], i: npt.NDArray[np.intp], j: npt.NDArray[np.intp], side: int
) -> Edges:
    """Number of a cell's side: twice the number of the sample it begins at, plus its axis."""
    if side in (_B, _T):
        sample = i * shape[1] + j + (side == _T)
        return 2 * sample
    sample = (i + (side == _R)) * shape[1] + j
    return 2 * sample + 1


def _cycles(following: dict[int, int]) -> list[Edges]:
    """The loops of a permutation, each from its lowest number, in the order of these."""
    cycles = []
    for first in sorted(following):
        if first not in following:
            continue
        cycle, edge = [], first
        while edge in following:
            cycle.append(edge)
            edge = following.pop(edge)
        cycles.append(np.array(cycle, np.int64))
    return cycles


def _points(values: npt.NDArray[np.float64], edges: Edges) -> Loop:
    """Where the field is zero on each edge."""
    sample, axis = edges // 2, edges % 2
    i, j = sample // values.shape[1], sample % values.shape[1]
    low = values[i, j]
    high = values[i + (axis == 0), j + (axis == 1)]
    t = low / (low - high)
    return np.stack([i + t * (axis == 0), j + t * (axis == 1)], axis=1)
