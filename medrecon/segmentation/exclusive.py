"""Neighbours that exclude one another stay apart after their boundaries were placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medrecon.core import SoftField, away_from_zero

Block = tuple[slice, slice, slice]
TINY = np.float32(1e-6)


def disjoint(fields: Sequence[SoftField]) -> tuple[SoftField, ...]:
    """The fields, none positive where another is.

    From each field is taken what the others have above zero there: where two meet, both
    end where they are equal; where no two overlap, nothing changes.

    Parameters
    ----------
    fields : sequence of SoftField
        float32, on one grid, in one unit.
    """
    found = list(fields)
    for n, one in enumerate(fields):
        for m, other in enumerate(fields):
            shared = _shared(one, other) if n != m else None
            if shared is not None:
                found[n] = _less(found[n], other, shared, gives_way=n > m)
    return tuple(found)


def _less(
    field: SoftField, other: SoftField, shared: tuple[Block, Block], *, gives_way: bool
) -> SoftField:
    here, there = shared
    more = np.maximum(other.values[there], 0)
    if not (more[field.values[here] > 0] > 0).any():
        return field
    values = np.array(field.values, dtype=np.float32, order="F")
    values[here] -= more
    if gives_way:
        # Of two that are equal one must be outside: the later one.
        values[here][(more > 0) & (values[here] == 0)] = -TINY
    return replace(field, values=away_from_zero(values))


def _shared(one: SoftField, other: SoftField) -> tuple[Block, Block] | None:
    """The block that both cover, in each one's own indices; None if there is none."""
    starts, stops = [], []
    for a, b in zip(one.slices, other.slices, strict=True):
        starts.append(max(a.start, b.start))
        stops.append(min(a.stop, b.stop))
    if any(stop <= start for start, stop in zip(starts, stops, strict=True)):
        return None
    return _inside(one, starts, stops), _inside(other, starts, stops)


def _inside(field: SoftField, starts: Sequence[int], stops: Sequence[int]) -> Block:
    i, j, k = (slice(a - s, b - s) for a, b, s in zip(starts, stops, field.start, strict=True))
    return i, j, k
