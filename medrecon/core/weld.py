"""Vertices that are one point: exact identity of float32 coordinates, fast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint32]
Order = npt.NDArray[np.int64]
Heads = npt.NDArray[np.bool_]

# Odd 64-bit multipliers (digits of the golden ratio, of e and of pi): they spread the
# three coordinates' bits over the whole word. Any odd numbers would do; a collision
# costs time, never correctness (`_split_collisions`).
_MIX = (0x9E3779B97F4A7C15, 0xB7E151628AED2A6B, 0x243F6A8885A308D3)


def weld(points: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The distinct points and, for every point, which of them it is.

    An STL has no topology: a reader joins the corners whose coordinates are equal bit
    by bit (−0 and 0 are equal). A distance is never used.

    Parameters
    ----------
    points : ndarray of float32, shape (n, 3)

    Returns
    -------
    first : ndarray of int32, shape (m,)
        Index in `points` of each distinct point's first occurrence, ascending.
    index : ndarray of int32, shape (n,)
        ``points[first][index]`` equals `points`.

    Examples
    --------
    >>> p = np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0]], np.float32)
    >>> [a.tolist() for a in weld(p)]
    [[0, 1], [0, 1, 0]]
    """
    bits = (points + np.float32(0)).view(np.uint32).reshape(-1, 3)
    order, head = _runs(_hash(bits))
    first, index = _number(order, head)
    if (bits[first][index] != bits).any():
        order, head = _split_collisions(bits, order, head)
        first, index = _number(order, head)
    return first, index


def _hash(bits: Bits) -> npt.NDArray[np.uint64]:
    key = np.zeros(len(bits), np.uint64)
    for axis, factor in enumerate(_MIX):
        key += bits[:, axis]
        key *= np.uint64(factor)
        key ^= key >> np.uint64(29)
    return key


def _runs(key: npt.NDArray[np.uint64]) -> tuple[Order, Heads]:
    """Order by hash, then by place, and where a new hash begins.

    The place is packed into the hash's low bits: sorting integers is several times
    faster than sorting their indices.
    """
    place_bits = np.uint64(max(1, len(key) - 1).bit_length())
    key = (key >> place_bits) << place_bits
    key |= np.arange(len(key), dtype=np.uint64)
    key.sort()
    order = (key & np.uint64((1 << int(place_bits)) - 1)).astype(np.int64)
    key >>= place_bits
    head = np.ones(len(key), np.bool_)
    head[1:] = key[1:] != key[:-1]
    return order, head


def _number(order: Order, head: Heads) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Runs numbered by the first place at which each occurs."""
    if not len(order):
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    earliest = order[head]
    is_first = np.zeros(len(order), np.bool_)
    is_first[earliest] = True
    number = np.cumsum(is_first, dtype=np.int32) - np.int32(1)
    length = np.diff(np.flatnonzero(np.append(head, True)))
    index = np.empty(len(order), np.int32)
    index[order] = np.repeat(number[earliest], length)
    return np.flatnonzero(is_first).astype(np.int32), index


def _split_collisions(bits: Bits, order: Order, head: Heads) -> tuple[Order, Heads]:
    """Part the runs in which one hash stands for several points."""
    run = np.cumsum(head) - 1
    earliest = order[head]
    differs = (bits[order] != bits[earliest[run]]).any(axis=1)
    mixed = np.zeros(len(earliest), np.bool_)
    mixed[run[differs]] = True
    at = np.flatnonzero(mixed[run])
    x, y, z = bits[order[at]].T
    inner = np.lexsort((order[at], z, y, x, run[at]))
    order, head = order.copy(), head.copy()
    order[at] = order[at][inner]
    row = np.column_stack([run[at][inner], bits[order[at]]])
    head[at] = np.append(True, (row[1:] != row[:-1]).any(axis=1))
    return order, head
