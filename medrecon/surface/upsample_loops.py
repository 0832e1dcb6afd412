"""Compiled loop of `upsample`: one axis of a block, twice as fine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def doubled(values: Array, weights: Array) -> Array:
    """Values a quarter of a step before and after each one along the middle axis.

    Parameters
    ----------
    values : ndarray of float32, shape (outer, n, inner)
    weights : ndarray of float32, shape (4,)
        Of the sample behind, the nearest one, the next and the one after that, as seen from
        the new place. Beyond the ends the outermost sample counts.

    Returns
    -------
    ndarray of float32, shape (outer, 2·n, inner)
    """
    outer, size, inner = values.shape
    w0, w1, w2, w3 = weights
    found = np.empty((outer, 2 * size, inner), np.float32)
    for o in range(outer):
        block = values[o]
        for n in range(size):
            below, above = max(n - 1, 0), min(n + 1, size - 1)
            lower, upper = max(n - 2, 0), min(n + 2, size - 1)
            before, after = found[o, 2 * n], found[o, 2 * n + 1]
            for i in range(inner):
                one, here, other = block[below, i], block[n, i], block[above, i]
                before[i] = w0 * other + w1 * here + w2 * one + w3 * block[lower, i]
                after[i] = w0 * one + w1 * here + w2 * other + w3 * block[upper, i]
    return found
