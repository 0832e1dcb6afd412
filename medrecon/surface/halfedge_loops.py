"""Compiled: half-edges, and the queue in which edges wait to be contracted.

A half-edge ``h = 3·f + c`` runs from corner c of face f to the next one; ``opposite[h]``
runs back in the neighbouring face. An edge is named by the lower of its two.

Edges wait in buckets of an eighth of an octave. The faces are cut into runs that fit the
processor's cache, each with buckets of its own: in the order of error alone, every
contraction would wait for the memory.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]

BUCKETS = 768
"""Eight for each octave from 1e-15 mm⁴ on: up to 1e13, where metres were taken for millimetres."""
WAITING = BUCKETS
"""One more bucket: edges whose turn has come and who are another's neighbours."""
RUN_BITS = 13
"""Half-edges in a run, as a power of two: what belongs to them fits in a megabyte."""


class Edges(NamedTuple):
    """The half-edges and the queue they wait in."""

    corner: Array
    opposite: Array
    head: Array
    tail: Array
    after: Array
    before: Array
    bucket: Array


@compiled
def opposites(corner: Array, count: int) -> tuple[Array, int]:
    """The half-edge that runs back along each, -1 if none does, and how many are at fault."""
    start = np.zeros(count + 1, np.int32)
    for h in range(len(corner)):
        start[min(corner[h], corner[following(h)]) + 1] += 1
    for v in range(count):
        start[v + 1] += start[v]
    end = start[:-1].copy()
    held = np.empty(len(corner), np.int32)
    opposite = np.full(len(corner), -1, np.int32)
    faults = 0
    for h in range(len(corner)):
        a, b = corner[h], corner[following(h)]
        low, high = min(a, b), max(a, b)
        found = -1
        for n in range(start[low], end[low]):
            o = held[n]
            if max(corner[o], corner[following(o)]) == high:
                if corner[o] == b and opposite[o] < 0 and found < 0:
                    found = o
                else:
                    faults += 1
        if found >= 0:
            opposite[h], opposite[found] = found, h
        held[end[low]] = h
        end[low] += 1
    for h in range(len(corner)):
        faults += opposite[h] < 0
    return opposite, faults


@inlined
def following(h: int) -> int:
    """The next half-edge of the same face."""
    return h - 2 if h % 3 == 2 else h + 1


@inlined
def preceding(h: int) -> int:
    """The half-edge of the same face that ends where this one starts."""
    return h + 2 if h % 3 == 0 else h - 1


@compiled
def queue_of(corner: Array, opposite: Array) -> Edges:
    """Half-edges with an empty queue."""
    runs = (len(corner) >> RUN_BITS) + 1
    return Edges(
        corner,
        opposite,
        np.full((runs, BUCKETS + 1), -1, np.int32),
        np.full((runs, BUCKETS + 1), -1, np.int32),
        np.empty(len(corner), np.int32),
        np.empty(len(corner), np.int32),
        np.full(len(corner), -1, np.int16),
    )


@inlined
def put_in(h: int, bucket: int, edges: Edges) -> None:
    """Add an edge to the end of a bucket."""
    name = min(h, edges.opposite[h])
    run = name >> RUN_BITS
    last = edges.tail[run, bucket]
    edges.after[name], edges.before[name], edges.bucket[name] = -1, last, bucket
    if last >= 0:
        edges.after[last] = name
    else:
        edges.head[run, bucket] = name
    edges.tail[run, bucket] = name


@inlined
def take_out(h: int, edges: Edges) -> None:
    """Remove an edge from the queue, if it is in it."""
    name = min(h, edges.opposite[h])
    bucket = edges.bucket[name]
    if bucket < 0:
        return
    run = name >> RUN_BITS
    after, before = edges.after[name], edges.before[name]
    if before >= 0:
        edges.after[before] = after
    else:
        edges.head[run, bucket] = after
    if after >= 0:
        edges.before[after] = before
    else:
        edges.tail[run, bucket] = before
    edges.bucket[name] = -1


@inlined
def ring_of(h: int, edges: Edges, mark: Array, ring: Array) -> tuple[int, int]:
    """Half-edges that leave the edge's ends, in faces that stay: first those of the start.

    Their number, and that of the start's; 0 if joining the ends would not leave a
    two-manifold: they must have no neighbours in common but the two across the edge,
    and each of these must keep three faces.
    """
    corner, opposite = edges.corner, edges.opposite
    o = opposite[h]
    across, beyond = corner[preceding(h)], corner[preceding(o)]
    # The last entry counts the questions.
    stamp = mark[-1] + 1
    mark[-1] = stamp
    size = 0
    g = opposite[preceding(h)]
    while g != following(o):
        if size == len(ring):
            return 0, 0
        ring[size] = g
        size += 1
        mark[corner[following(g)]] = stamp
        g = opposite[preceding(g)]
    mark[across] = mark[beyond] = stamp
    split = size
    g = opposite[preceding(o)]
    while g != following(h):
        if size == len(ring):
            return 0, 0
        ring[size] = g
        size += 1
        v = corner[following(g)]
        if mark[v] == stamp and v != beyond:
            return 0, 0
        g = opposite[preceding(g)]
    for g in (opposite[following(h)], opposite[following(o)]):
        third = g
        for _ in range(3):
            third = opposite[preceding(third)]
        if third == g:
            return 0, 0
    return size, split
