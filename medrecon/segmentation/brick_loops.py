"""Compiled loops of `bricks`: filters on small blocks that stay in the processor's cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]


@compiled
def mark(points: Array, below: Array, above: Array, edge: Array, bricks: Array) -> None:
    """Set True each brick that holds a voxel between `below` and `above` some points.

    Parameters
    ----------
    points : ndarray of int64, shape (3, n)
    below, above : ndarray of int64, shape (3,)
        Voxels to either side that count as well.
    edge : ndarray of int64, shape (3,)
        Voxels of a brick along each axis.
    bricks : ndarray of bool, shape (i, j, k)
    """
    most = np.empty(3, np.int64)
    for axis in range(3):
        most[axis] = bricks.shape[axis] - 1
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for n in range(points.shape[1]):
        for axis in range(3):
            low, high = points[axis, n] - below[axis], points[axis, n] + above[axis]
            first[axis] = min(max(low // edge[axis], 0), most[axis])
            last[axis] = min(max(high // edge[axis], 0), most[axis])
        for a in range(first[0], last[0] + 1):
            for b in range(first[1], last[1] + 1):
                for c in range(first[2], last[2] + 1):
                    bricks[a, b, c] = True


@compiled
def filtered(
    source: Array,
    weights: tuple[Array, Array, Array],
    corners: Array,
    edge: Array,
    first: int,
    stop: int,
    target: Array,
) -> None:
    """Some bricks of a field filtered along each axis, mirrored at the border.

    Parameters
    ----------
    source, target : ndarray of float32, shape (i, j, k)
        Two different ones.
    weights : three ndarray of float32
        Along each axis: of the middle, then of the neighbours to both sides.
    corners : ndarray of int64, shape (n, 3)
        Each brick's first voxel.
    edge : ndarray of int64, shape (3,)
    first, stop : int
        The bricks to filter.
    """
    size, reach, wide = _sizes(weights, edge)
    chunk = np.empty(wide[0] * wide[1] * wide[2], np.float32)
    once = np.empty(wide[0] * wide[1] * size[2], np.float32)
    twice = np.empty(wide[0] * size[1] * size[2], np.float32)
    done = np.empty(size[0] * size[1] * size[2], np.float32)
    flat, out = source.reshape(-1), target.reshape(-1)
    at0, at1, at2 = _indices(wide[0]), _indices(wide[1]), _indices(wide[2])
    for n in range(first, stop):
        _places(corners[n, 0], reach[0], source.shape[0], at0)
        _places(corners[n, 1], reach[1], source.shape[1], at1)
        _places(corners[n, 2], reach[2], source.shape[2], at2)
        to = np.uint64(0)
        for a in at0:
            for b in at1:
                row = (a * np.uint64(source.shape[1]) + b) * np.uint64(source.shape[2])
                for x in range(np.uint64(wide[2])):
                    chunk[to + x] = flat[row + at2[x]]
                to += np.uint64(wide[2])
        _filter(chunk, size, weights, once, twice, done)
        i, j, k = corners[n]
        long = np.uint64(min(size[2], source.shape[2] - k))
        for a in range(min(size[0], source.shape[0] - i)):
            for b in range(min(size[1], source.shape[1] - j)):
                of = np.uint64((a * size[1] + b) * size[2])
                row = np.uint64(((i + a) * source.shape[1] + j + b) * source.shape[2] + k)
                for x in range(long):
                    out[row + x] = done[of + x]


@compiled
def tensors(
    smooth: Array,
    spacing: Array,
    weights: tuple[Array, Array, Array],
    corners: Array,
    edge: Array,
    begins: Array,
    points: Array,
    first: int,
    stop: int,
    found: Array,
) -> None:
    """Structure tensors at some voxels: products of a field's slopes, averaged around each.

    Parameters
    ----------
    smooth : ndarray of float32, shape (i, j, k)
    spacing : ndarray of float32, shape (3,)
    weights : three ndarray of float32
        Of the average, along each axis, as in `filtered`.
    corners, edge : as in `filtered`
    begins : ndarray of int64, shape (n + 1,)
        Where each brick's points begin among all.
    points : ndarray of int64, shape (m, 3)
        Sorted by brick.
    first, stop : int
        The bricks to work on.
    found : ndarray of float32, shape (m, 3, 3)
    """
    size, reach, wide = _sizes(weights, edge)
    count = wide[0] * wide[1] * wide[2]
    slope = np.empty((3, count), np.float32)
    chunk = np.empty(count, np.float32)
    once = np.empty(wide[0] * wide[1] * size[2], np.float32)
    twice = np.empty(wide[0] * size[1] * size[2], np.float32)
    done = np.empty(size[0] * size[1] * size[2], np.float32)
    at0, at1, at2 = _indices(wide[0]), _indices(wide[1]), _indices(wide[2])
    for n in range(first, stop):
        _places(corners[n, 0], reach[0], smooth.shape[0], at0)
        _places(corners[n, 1], reach[1], smooth.shape[1], at1)
        _places(corners[n, 2], reach[2], smooth.shape[2], at2)
        to = 0
        for a in at0:
            a0, a1 = max(a - 1, 0), min(a + 1, smooth.shape[0] - 1)
            for b in at1:
                b0, b1 = max(b - 1, 0), min(b + 1, smooth.shape[1] - 1)
                for c in at2:
                    c0, c1 = max(c - 1, 0), min(c + 1, smooth.shape[2] - 1)
                    slope[0, to] = _rise(smooth[a0, b, c], smooth[a1, b, c], a1 - a0, spacing[0])
                    slope[1, to] = _rise(smooth[a, b0, c], smooth[a, b1, c], b1 - b0, spacing[1])
                    slope[2, to] = _rise(smooth[a, b, c0], smooth[a, b, c1], c1 - c0, spacing[2])
                    to += 1
        for i in range(3):
            for j in range(i, 3):
                for m in range(count):
                    chunk[m] = slope[i, m] * slope[j, m]
                _filter(chunk, size, weights, once, twice, done)
                for p in range(begins[n], begins[n + 1]):
                    a = points[p, 0] - corners[n, 0]
                    b = points[p, 1] - corners[n, 1]
                    value = done[(a * size[1] + b) * size[2] + points[p, 2] - corners[n, 2]]
                    found[p, i, j] = value
                    found[p, j, i] = value


@inlined
def _rise(low: Any, high: Any, steps: int, spacing: Any) -> Any:
    """The slope between two samples; none along an axis of one sample."""
    return (high - low) / (max(steps, 1) * spacing)


@inlined
def _indices(count: int) -> Array:
    # Unsigned: no look for numbers below 0 at each use, which no vector has.
    return np.empty(count, np.uint64)


@inlined
def _sizes(weights: tuple[Array, Array, Array], edge: Array) -> tuple[Array, Array, Array]:
    """Voxels of a brick, how far filters reach, and voxels of both, along each axis."""
    reach = np.empty(3, np.int64)
    reach[0], reach[1], reach[2] = len(weights[0]) - 1, len(weights[1]) - 1, len(weights[2]) - 1
    return edge, reach, edge + 2 * reach


@inlined
def _places(corner: int, reach: int, size: int, at: Array) -> None:
    """Indices from `reach` before a brick to beyond it, mirrored at the border."""
    for n in range(len(at)):
        place = (corner - reach + n) % (2 * size)
        at[n] = np.uint64(place if place < size else 2 * size - 1 - place)


@compiled
def _filter(
    chunk: Array,
    size: Array,
    weights: tuple[Array, Array, Array],
    once: Array,
    twice: Array,
    done: Array,
) -> None:
    """A brick and what is around it, filtered along the last axis, the middle, the first."""
    w0, w1, w2 = weights
    r0, r1, r2 = len(w0) - 1, len(w1) - 1, len(w2) - 1
    row, wide1, wide2 = size[2], size[1] + 2 * r1, size[2] + 2 * r2
    for line in range((size[0] + 2 * r0) * wide1):
        _weighted(chunk, line * wide2 + r2, 1, w2, once, line * row, row)
    plane = size[1] * row
    for a in range(size[0] + 2 * r0):
        _weighted(once, (a * wide1 + r1) * row, row, w1, twice, a * plane, plane)
    _weighted(twice, r0 * plane, plane, w0, done, 0, size[0] * plane)


@inlined
def _weighted(
    source: Array, middle: int, step: int, weight: Array, out: Array, to: int, count: int
) -> None:
    """Weighted sums of `count` numbers in a row with their neighbours, `step` apart."""
    # Unsigned: no look for numbers below 0 at each use, which no vector has.
    at, size, here = np.uint64(to), np.uint64(count), np.uint64(middle)
    _scale(out, at, source, here, weight[0], size)
    for t in range(1, len(weight)):
        _add(
            out, at, source, here - np.uint64(t * step), here + np.uint64(t * step), weight[t], size
        )


@compiled
def _scale(out: Array, at: Any, source: Array, here: Any, weight: Any, count: Any) -> None:
    for x in range(count):
        out[at + x] = weight * source[here + x]


@compiled
def _add(out: Array, at: Any, source: Array, low: Any, high: Any, weight: Any, count: Any) -> None:
    for x in range(count):
        out[at + x] += weight * (source[low + x] + source[high + x])
