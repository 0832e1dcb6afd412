"""The rounds of belief propagation on the sphere, compiled; see `sphere.smoothest`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


@compiled
def pass_messages(
    cost: Floats, table: Indices, back: Indices, count: Indices, penalty: Floats, rounds: int
) -> Any:
    """What the neighbours tell each direction in the end, (n, levels).

    Parameters
    ----------
    cost : ndarray of float32, shape (n, levels)
    table, back : ndarray of int64, shape (n, neighbours)
        Each direction's neighbours, and its place among theirs.
    count : ndarray of int64, shape (n,)
        How many of the neighbours are real.
    penalty : ndarray of float32
        Of a difference of so many levels; the last one's for larger ones too.
    rounds : int
    """
    directions, levels = cost.shape
    last = len(penalty) - 1
    messages = np.zeros((directions, table.shape[1], levels), np.float32)
    new = np.zeros_like(messages)
    belief = cost.copy()
    told = np.zeros(levels, np.float32)
    for _ in range(rounds):
        for x in range(directions):
            for n in range(count[x]):
                y, place = table[x, n], back[x, n]
                best = new[x, n]
                lowest = np.float32(np.inf)
                for level in range(levels):
                    told[level] = belief[y, level] - messages[y, place, level]
                    lowest = min(lowest, told[level])
                # Levels further apart than the last penalty cost as much as that.
                for level in range(levels):
                    best[level] = min(told[level], lowest + penalty[last])
                # Whole rows at a time: such loops are done several numbers at once.
                for off in range(1, last):
                    above, below = told[off:], told[: levels - off]
                    lower, upper = best[: levels - off], best[off:]
                    more = penalty[off]
                    for k in range(levels - off):
                        other = above[k] + more
                        lower[k] = other if other < lower[k] else lower[k]
                    for k in range(levels - off):
                        other = below[k] + more
                        upper[k] = other if other < upper[k] else upper[k]
                for level in range(levels):
                    best[level] -= lowest
        for x in range(directions):
            for level in range(levels):
                belief[x, level] = cost[x, level]
            for n in range(count[x]):
                for level in range(levels):
                    half = (messages[x, n, level] + new[x, n, level]) / np.float32(2)
                    messages[x, n, level] = half
                    belief[x, level] += half
    return belief
