"""Pairs of faces whose boxes overlap: the candidates of every test between faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]
Boxes = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_PAIRS = 1_000_000
"""Pairs handed out at a time, about: the arrays of one list fit in the cache's reach."""

_GRID = 256
"""Cells along each axis of the table that tells which boxes lie near the marked ones."""

_AXIS_BITS = 20
"""Cells along one axis fit in so many bits, three axes in one integer."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Which cells of one size each box covers: at most two along an axis.

    `key` is sorted; `box` tells whose entry it is.
    """

    key: Integers
    box: Indices

    @classmethod
    def of(cls, boxes: Indices, low: Boxes, high: Boxes, size: float) -> _Cells:
        first = [(low[axis, boxes] / size).astype(np.int64) for axis in range(3)]
        more = [(high[axis, boxes] / size).astype(np.int64) > first[axis] for axis in range(3)]
        base = _key(*first)
        keys, owners = [], []
        for x, y, z in np.ndindex(2, 2, 2):
            reaches = np.ones(len(boxes), np.bool_)
            for axis, offset in enumerate((x, y, z)):
                reaches &= more[axis] | (not offset)
            keys.append(base[reaches] + _key(x, y, z))
            owners.append(boxes[reaches])
        key, box = np.concatenate(keys), np.concatenate(owners)
        order = np.argsort(key)
        return cls(key[order], box[order])


def overlapping_boxes(
    low: Boxes, high: Boxes, *, among: Mask | None = None
) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of boxes that overlap or touch, each pair once, in lists that fit in memory.

    Every box has a level, the power of two that is next above its size. Of the cells of
    that size it covers at most eight; boxes of the same and of lower levels that cover
    one of these are met there. So a few huge faces among many small ones cost little.

    Parameters
    ----------
    low, high : ndarray of float32, shape (3, m)
    among : ndarray of bool, shape (m,), or None
        Give only pairs of which one at least is marked.

    Yields
    ------
    a, b : ndarray of int32
    """
    if not low.shape[1]:
        return
    origin = low.min(axis=1, keepdims=True)
    low, high = low - origin, high - origin
    size = (high - low).max(axis=0)
    least = max(float(np.median(size)), float(high.max()) / 2 ** (_AXIS_BITS - 1), 1e-30)
    level = np.maximum(np.ceil(np.log2(np.maximum(size, 1e-30) / least)), 0).astype(np.int8)
    for own in np.unique(level):
        cell = least * 2.0 ** int(own)
        owners = _Cells.of(_numbers(level == own), low, high, cell)
        guests = _Cells.of(_numbers(level < own), low, high, cell)
        for entries in (_within(owners), _between(owners, guests)):
            yield from _gathered(_really(*e, low, high, cell, among) for e in entries)


def _gathered(
    lists: Iterator[tuple[Indices, Indices]],
) -> Iterator[tuple[Indices, Indices]]:
    """The same pairs in fewer and longer lists."""
    held: list[tuple[Indices, Indices]] = []
    count = 0
    for pairs in lists:
        held.append(pairs)
        count += len(pairs[0])
        if count > _PAIRS:
            yield np.concatenate([a for a, _ in held]), np.concatenate([b for _, b in held])
            held, count = [], 0
    if held:
        yield np.concatenate([a for a, _ in held]), np.concatenate([b for _, b in held])


def boxes_near(low: Boxes, high: Boxes, marked: Mask) -> Mask:
    """Boxes that may overlap a marked one, by a coarse table; no overlap is missed.

    Parameters
    ----------
    low, high : ndarray of float32, shape (3, m)
    marked : ndarray of bool, shape (m,)
    """
    if not marked.any():
        return np.zeros(len(marked), np.bool_)
    origin = low.min(axis=1, keepdims=True)
    size = (high - low).max(axis=0)
    # Nearly all boxes are no larger than a cell, and so cover no other cells than those
    # of their corners. The few larger ones count as near.
    cell = max(float((high - origin).max()) / (_GRID - 2), float(np.quantile(size, 0.95)), 1e-30)
    first = ((low - origin) / cell).astype(np.int32)
    last = ((high - origin) / cell).astype(np.int32)
    table = np.zeros((_GRID,) * 3, np.bool_)
    near: Mask = np.asarray(size > cell)
    for box in np.flatnonzero(near & marked):
        table[tuple(slice(a, b + 1) for a, b in zip(first[:, box], last[:, box], strict=True))] = 1
    for x, y, z in np.ndindex(2, 2, 2):
        corner = [(last if upper else first)[axis] for axis, upper in enumerate((x, y, z))]
        table[tuple(c[marked] for c in corner)] = True
    for x, y, z in np.ndindex(2, 2, 2):
        corner = [(last if upper else first)[axis] for axis, upper in enumerate((x, y, z))]
        near |= table[tuple(corner)]
    return near


def _within(cells: _Cells) -> Iterator[tuple[Indices, Indices, Integers]]:
    """Entries of one cell with one another: each with the next one, the one after and so on."""
    at = np.arange(len(cells.key))
    step = 1
    while len(at := at[: np.searchsorted(at, len(cells.key) - step)]):
        at = at[cells.key[at] == cells.key[at + step]]
        yield cells.box[at], cells.box[at + step], cells.key[at]
        step += 1


def _between(owners: _Cells, guests: _Cells) -> Iterator[tuple[Indices, Indices, Integers]]:
    """Entries of owners with entries of guests in the same cell."""
    start = np.searchsorted(owners.key, guests.key, side="left")
    count = np.searchsorted(owners.key, guests.key, side="right") - start
    met = np.flatnonzero(count)
    start, count = start[met], count[met]
    total = np.cumsum(count)
    if not len(met):
        return
    cuts = np.searchsorted(total, np.arange(_PAIRS, int(total[-1]), _PAIRS))
    for part in np.split(np.arange(len(met)), np.unique(cuts)):
        n = count[part]
        begin = np.cumsum(n) - n
        guest = np.repeat(met[part], n)
        owner = np.arange(int(n.sum())) - np.repeat(begin - start[part], n)
        yield owners.box[owner], guests.box[guest], guests.key[guest]


def _really(
    a: Indices,
    b: Indices,
    key: Integers,
    low: Boxes,
    high: Boxes,
    cell: float,
    among: Mask | None,
) -> tuple[Indices, Indices]:
    """Pairs that overlap, and only in the lowest of the cells in which they meet."""
    if among is not None:
        kept = among[a] | among[b]
        a, b, key = a[kept], b[kept], key[kept]
    for axis in range(3):
        kept = (low[axis, a] <= high[axis, b]) & (low[axis, b] <= high[axis, a])
        a, b, key = a[kept], b[kept], key[kept]
    lowest = [(np.maximum(x[a], x[b]) / cell).astype(np.int64) for x in low]
    kept = _key(*lowest) == key
    return a[kept], b[kept]


def _numbers(mask: Mask) -> Indices:
    return np.flatnonzero(mask).astype(np.int32)


def _key(x: Integers | int, y: Integers | int, z: Integers | int) -> Integers:
    key: Integers = (np.asarray(z, np.int64) << (2 * _AXIS_BITS)) | (
        np.asarray(y, np.int64) << _AXIS_BITS
    )
    return key | np.asarray(x, np.int64)
