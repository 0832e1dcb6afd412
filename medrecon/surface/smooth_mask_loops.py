"""Compiled loops of `smooth_mask`: a blur along three axes, and values kept on their sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]


@compiled
def blurred(field: Array, weight: Array) -> Array:
    """A (k, j, i) float32 field, filtered along each axis; mirrored at the border.

    `weight` is that of the middle, then those of the neighbours to both sides.
    """
    planes, rows, columns = field.shape
    one, two = np.empty(field.shape, np.float32), np.empty(field.shape, np.float32)
    for k in range(planes):
        for j in range(rows):
            one[k, j] = weight[0] * field[k, j]
            for n in range(1, len(weight)):
                _add(one[k, j], field[_mirrored(k - n, planes), j], weight[n])
                _add(one[k, j], field[_mirrored(k + n, planes), j], weight[n])
    for k in range(planes):
        for j in range(rows):
            two[k, j] = weight[0] * one[k, j]
            for n in range(1, len(weight)):
                _add(two[k, j], one[k, _mirrored(j - n, rows)], weight[n])
                _add(two[k, j], one[k, _mirrored(j + n, rows)], weight[n])
    reach = len(weight) - 1
    wide = np.empty(columns + 2 * reach, np.float32)
    for k in range(planes):
        for j in range(rows):
            for i in range(len(wide)):
                wide[i] = two[k, j, _mirrored(i - reach, columns)]
            one[k, j] = weight[0] * wide[reach : reach + columns]
            for n in range(1, len(weight)):
                _add(one[k, j], wide[reach - n : reach - n + columns], weight[n])
                _add(one[k, j], wide[reach + n : reach + n + columns], weight[n])
    return one


@inlined
def _add(total: Array, row: Array, weight: float) -> None:
    for i in range(len(total)):
        total[i] += weight * row[i]


@inlined
def _mirrored(at: int, size: int) -> int:
    """An index reflected at the outer edges of the first and the last sample."""
    at %= 2 * size
    return at if at < size else 2 * size - 1 - at


@compiled
def on_their_sides(
    smooth: Array, side: Array, by: np.float32, least: np.float32, tiny: np.float32
) -> Array:
    """A field raised, at least `least` high on the side where one is settled, never 0."""
    kept = np.empty(smooth.shape, np.float32)
    for k in range(smooth.shape[0]):
        for j in range(smooth.shape[1]):
            for i in range(smooth.shape[2]):
                s = side[k, j, i]
                value = smooth[k, j, i] + by
                if s != 0:
                    value = s * max(s * value, least)
                elif abs(value) < tiny:
                    value = -tiny if value < 0 else tiny
                kept[k, j, i] = value
    return kept
