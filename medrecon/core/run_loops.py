"""Compiled loops of `runs`: find runs of voxels, join those that touch, and walk over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]


@compiled
def runs_of(mask: Array) -> tuple[Array, Array, Array]:
    """First run of each row (rows + 1), and where each run starts and stops in its row.

    The mask is of bytes, 0 or 1.
    """
    planes, rows, width = mask.shape
    first = np.zeros(planes * rows + 1, np.int64)
    for row in range(planes * rows if width else 0):
        line = mask[row // rows, row % rows]
        # Without branches it becomes vector instructions: bytes, so few that none overflows.
        count = np.int64(line[0])
        for low in range(1, width, 128):
            some = np.uint8(0)
            for i in range(low, min(low + 128, width)):
                some += line[i] & (line[i - 1] ^ np.uint8(1))
            count += some
        first[row + 1] = first[row] + count
    start = np.empty(first[-1], np.int32)
    stop = np.empty(first[-1], np.int32)
    for row in range(planes * rows):
        if first[row] == first[row + 1]:
            continue
        line = mask[row // rows, row % rows]
        at = first[row]
        before = False
        for i in range(width):
            if line[i] and not before:
                start[at] = i
            elif before and not line[i]:
                stop[at] = i
                at += 1
            before = line[i]
        if before:
            stop[at] = width
    return first, start, stop


@compiled
def joined(first: Array, start: Array, stop: Array, rows: int, earlier: Array) -> tuple[Array, int]:
    """Component of each run, in order of first appearance, and how many there are.

    `earlier` (n, 3) names neighbouring rows that come before: planes and rows away, and 1
    where runs that meet at a corner touch, else 0.
    """
    parent = np.arange(len(start), dtype=np.int32)
    for row in range(len(first) - 1):
        if first[row] == first[row + 1]:
            continue
        for n in range(len(earlier)):
            j = row % rows + earlier[n, 1]
            other = row + earlier[n, 0] * rows + earlier[n, 1]
            if j < 0 or j >= rows or other < 0:
                continue
            reach = earlier[n, 2]
            a, b = first[row], first[other]
            while a < first[row + 1] and b < first[other + 1]:
                if start[a] < stop[b] + reach and start[b] < stop[a] + reach:
                    _unite(parent, a, b)
                if stop[a] < stop[b]:
                    a += 1
                else:
                    b += 1
    count = 0
    label = np.empty(len(start), np.int32)
    for run in range(len(start)):
        root = _root(parent, run)
        if root == run:
            label[run] = count
            count += 1
        else:
            label[run] = label[root]
    return label, count


@inlined
def _root(parent: Array, run: int) -> int:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@inlined
def _unite(parent: Array, one: int, other: int) -> None:
    a, b = _root(parent, one), _root(parent, other)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@compiled
def paint(mask: Array, first: Array, start: Array, stop: Array, wanted: Array) -> None:
    """Set the voxels of the wanted runs to True (in place)."""
    rows = mask.shape[1]
    for row in range(len(first) - 1):
        for run in range(first[row], first[row + 1]):
            if wanted[run]:
                mask[row // rows, row % rows, start[run] : stop[run]] = True


@compiled
def holding(
    first: Array, start: Array, stop: Array, label: Array, seeds: Array, found: Array
) -> None:
    """Mark in `found` the components with a seed among their voxels."""
    rows = seeds.shape[1]
    for row in range(len(first) - 1):
        for run in range(first[row], first[row + 1]):
            if not found[label[run]]:
                for i in range(start[run], stop[run]):
                    if seeds[row // rows, row % rows, i]:
                        found[label[run]] = True
                        break


@compiled
def sums(
    first: Array, start: Array, stop: Array, label: Array, values: Array, total: Array
) -> None:
    """Add the values at each component's voxels to `total`, in the order of the voxels."""
    rows = values.shape[1]
    for row in range(len(first) - 1):
        for run in range(first[row], first[row + 1]):
            for i in range(start[run], stop[run]):
                total[label[run]] += values[row // rows, row % rows, i]


@compiled
def moments(
    first: Array, start: Array, stop: Array, label: Array, mask: Array, total: Array
) -> None:
    """Add 1, i, j, i², j², i·j of each component's voxels in the mask to `total` (n, 6)."""
    rows = mask.shape[1]
    for row in range(len(first) - 1):
        j = row % rows
        for run in range(first[row], first[row + 1]):
            here = total[label[run]]
            for i in range(start[run], stop[run]):
                if mask[row // rows, j, i]:
                    here[0] += 1
                    here[1] += i
                    here[2] += j
                    here[3] += i * i
                    here[4] += j * j
                    here[5] += i * j


@compiled
def faces_beside(
    first: Array, start: Array, stop: Array, label: Array, wall: Array, free: Array
) -> tuple[Array, Array]:
    """Faces of each component's voxels that show wall, and that show what is free."""
    planes, rows, width = wall.shape
    count = 0
    for run in range(len(label)):
        count = max(count, label[run] + 1)
    walled = np.zeros(count, np.int64)
    open_ = np.zeros(count, np.int64)
    for row in range(len(first) - 1):
        for run in range(first[row], first[row + 1]):
            for i in range(start[run], stop[run]):
                for side in range(6):
                    k = row // rows + (side == 0) - (side == 1)
                    j = row % rows + (side == 2) - (side == 3)
                    x = i + (side == 4) - (side == 5)
                    if k < 0 or k >= planes or j < 0 or j >= rows or x < 0 or x >= width:
                        continue
                    walled[label[run]] += wall[k, j, x]
                    open_[label[run]] += free[k, j, x]
    return walled, open_


@compiled
def with_two_owners(
    first: Array, start: Array, stop: Array, label: Array, owner: Array, several: Array
) -> None:
    """Mark in `several` the components beside voxels of more than one owner; 0 is none."""
    planes, rows, width = owner.shape
    one = np.zeros(len(several), np.int32)
    for row in range(len(first) - 1):
        for run in range(first[row], first[row + 1]):
            own = label[run]
            for i in range(start[run], stop[run]):
                for side in range(6):
                    k = row // rows + (side == 0) - (side == 1)
                    j = row % rows + (side == 2) - (side == 3)
                    x = i + (side == 4) - (side == 5)
                    if k < 0 or k >= planes or j < 0 or j >= rows or x < 0 or x >= width:
                        continue
                    other = owner[k, j, x]
                    if other > 0 and one[own] == 0:
                        one[own] = other
                    elif other > 0 and other != one[own]:
                        several[own] = True
