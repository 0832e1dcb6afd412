"""Compiled loops of `smooth_mask`: blurs along three axes, values kept on their sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]

_CHUNK = 2048
"""Numbers blurred at a time: they stay in the processor's nearest cache."""


@compiled
def blurred(source: Array, weight: Array, step: int, target: Array, first: int, stop: int) -> None:
    """Some planes of a field filtered along each axis, into another, mirrored at the border.

    Parameters
    ----------
    source, target : ndarray of float32, shape (k, j, i)
        Two different ones.
    weight : ndarray of float32, shape (7,) or (3,)
        Of the middle, then of the neighbours to both sides.
    step : int
        Voxels from one neighbour to the next.
    """
    planes, rows, columns = source.shape
    size, half = rows * columns, len(weight) - 1
    reach = half * step
    longer = columns + 2 * reach
    flat, out = source.reshape(-1), target.reshape(-1)
    # Planes and rows go through whole planes, one after the other: long loops.
    tall, flat_row = np.empty(size + 2 * reach * columns, np.float32), np.empty(size, np.float32)
    # The last line's sums read as far beyond it.
    line = np.zeros(rows * longer + 2 * reach, np.float32)
    done = np.empty(rows * longer, np.float32)
    far = np.empty(2 * half + 1, np.uint64)
    up, along = np.empty_like(far), np.empty_like(far)
    for t in range(2 * half + 1):
        up[t], along[t] = t * step * columns, t * step
    before, behind = np.empty(reach, np.uint64), np.empty(reach, np.uint64)
    for n in range(reach):
        before[n], behind[n] = _mirrored(-1 - n, columns), _mirrored(columns + n, columns)
    for k in range(first, stop):
        for t in range(2 * half + 1):
            far[t] = _mirrored(k + (t - half) * step, planes) * size
        _weighted(flat, far, weight, tall, reach * columns, size)
        for n in range(reach):
            for at in (-1 - n, rows + n):
                to, of = (reach + at) * columns, (reach + _mirrored(at, rows)) * columns
                for i in range(columns):
                    tall[to + i] = tall[of + i]
        _weighted(tall, up, weight, flat_row, 0, size)
        for j in range(rows):
            _with_ends(flat_row, j * columns, columns, before, behind, line, j * longer)
        _weighted(line, along, weight, done, 0, rows * longer)
        for j in range(rows):
            to, of = np.uint64(k * size + j * columns), np.uint64(j * longer)
            for i in range(np.uint64(columns)):
                out[to + i] = done[of + i]


@inlined
def _with_ends(
    row: Array, of: int, columns: int, before: Array, behind: Array, line: Array, to: int
) -> None:
    """Copy a row, and before and behind it what its ends reflect."""
    first, reach = np.uint64(of), np.uint64(len(before))
    middle = np.uint64(to) + reach
    end = middle + np.uint64(columns)
    for i in range(np.uint64(columns)):
        line[middle + i] = row[first + i]
    for n in range(reach):
        line[middle - n - np.uint64(1)] = row[first + before[n]]
        line[end + n] = row[first + behind[n]]


@inlined
def _weighted(
    source: Array, start: Array, weight: Array, out: Array, first: int, count: int
) -> None:
    """Weighted sums of a row's neighbours, which begin where `start` says, from `first` on."""
    for low in range(0, count, _CHUNK):
        # Unsigned: no look for numbers below 0 at each use, which no vector has.
        to, n, skip = np.uint64(first + low), np.uint64(min(_CHUNK, count - low)), np.uint64(low)
        if len(weight) == 3:
            _five(source, start, skip, weight, out, to, n)
        else:
            _thirteen(source, start, skip, weight, out, to, n)


@compiled
def _five(
    source: Array, at: Array, skip: Any, weight: Array, out: Array, to: Any, count: Any
) -> None:
    w0, w1, w2 = weight
    a, b, c, d, e = at[0] + skip, at[1] + skip, at[2] + skip, at[3] + skip, at[4] + skip
    for x in range(count):
        out[to + x] = (
            w0 * source[c + x]
            + w1 * (source[b + x] + source[d + x])
            + w2 * (source[a + x] + source[e + x])
        )


@compiled
def _thirteen(
    source: Array, at: Array, skip: Any, weight: Array, out: Array, to: Any, count: Any
) -> None:
    # Two loops: the compiler makes vectors where it has few places to tell apart.
    w0, w1, w2, w3 = weight[0], weight[1], weight[2], weight[3]
    a, b, c, d = at[3] + skip, at[4] + skip, at[5] + skip, at[6] + skip
    e, f, g = at[7] + skip, at[8] + skip, at[9] + skip
    for x in range(count):
        out[to + x] = (
            w0 * source[d + x]
            + w1 * (source[c + x] + source[e + x])
            + w2 * (source[b + x] + source[f + x])
            + w3 * (source[a + x] + source[g + x])
        )
    w1, w2, w3 = weight[4], weight[5], weight[6]
    a, b, c = at[0] + skip, at[1] + skip, at[2] + skip
    e, f, g = at[10] + skip, at[11] + skip, at[12] + skip
    for x in range(count):
        out[to + x] += (
            w1 * (source[c + x] + source[e + x])
            + w2 * (source[b + x] + source[f + x])
            + w3 * (source[a + x] + source[g + x])
        )


@inlined
def _mirrored(at: int, size: int) -> int:
    """An index reflected at the outer edges of the first and the last sample."""
    at %= 2 * size
    return at if at < size else 2 * size - 1 - at


@compiled
def sharpened(once: Array, twice: Array, thrice: Array) -> None:
    """What three blurs in a row leave of a field that the first has not moved (into the last)."""
    one, two, three = once.reshape(-1), twice.reshape(-1), thrice.reshape(-1)
    for n in range(len(one)):
        three[n] += np.float32(3) * (one[n] - two[n])


@compiled
def on_their_sides(
    smooth: Array, side: Array, by: np.float32, least: np.float32, kept: Array
) -> None:
    """A field raised, at least `least` high on the side where one is settled, never 0.

    Parameters
    ----------
    smooth : ndarray of float32, shape (k, j, i)
    side : ndarray of int8, shape (k, j, i)
    by, least : float32
    kept : ndarray of float32, shape (k, j, i)
        Written.
    """
    tiny = least / np.float32(100)
    for k in range(side.shape[0]):
        for j in range(side.shape[1]):
            for i in range(side.shape[2]):
                s = np.float32(side[k, j, i])
                value = smooth[k, j, i] + by
                settled = s * max(s * value, least)
                free = max(value, tiny) if value >= 0 else min(value, -tiny)
                kept[k, j, i] = settled if s != 0 else free


@compiled
def raised_volume(edge: Array, faces: Array, by: float, least: float, place: Array) -> float:
    """Six times the volume inside a raised field's surface.

    Parameters
    ----------
    edge : ndarray of float32, shape (n, 7)
        As `extract_loops.crossed_edges` gives them.
    faces : ndarray of int32, shape (m, 3)
    by, least : float
    place : ndarray of float64, shape (n, 3)
        Room.
    """
    for v in range(len(edge)):
        side = edge[v, 6]
        here = max(edge[v, 4] + side * by, least)
        there = max(edge[v, 5] - side * by, least)
        for axis in range(3):
            place[v, axis] = edge[v, axis]
        place[v, int(edge[v, 3])] += here / (here + there)
    volume = 0.0
    ox, oy, oz = place[0]
    for f in range(len(faces)):
        a, b, c = faces[f]
        ax, ay, az = place[a, 0] - ox, place[a, 1] - oy, place[a, 2] - oz
        bx, by_, bz = place[b, 0] - ox, place[b, 1] - oy, place[b, 2] - oz
        cx, cy, cz = place[c, 0] - ox, place[c, 1] - oy, place[c, 2] - oz
        volume += ax * (by_ * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by_ * cx)
    return volume
