"""Compiled loops of `marrow`, `apart` and `vessels`: voxels, without an array for each step."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]

NEITHER, OUTSIDE, CAVITY, WALL, BONE = 0, 1, 2, 4, 8
"""What a block or a voxel is; bits, so that a voxel's neighbours can be or-ed together."""


@compiled
def dense_sums(hu: Array, dense: Array, factors: Array, count: Array, total: Array) -> None:
    """Count the dense voxels of each block, and add their values up."""
    planes, rows, width = dense.shape
    for k in range(planes):
        for j in range(rows):
            for i in range(width):
                if dense[k, j, i]:
                    block = k // factors[0], j // factors[1], i // factors[2]
                    count[block] += 1
                    total[block] += hu[k, j, i]


@compiled
def drop_below(hu: Array, dense: Array, factors: Array, level: Array) -> int:
    """Forget dense voxels below their block's level, where it is positive; how many."""
    planes, rows, width = dense.shape
    dropped = 0
    for k in range(planes):
        for j in range(rows):
            for i in range(width):
                if dense[k, j, i]:
                    top = level[k // factors[0], j // factors[1], i // factors[2]]
                    if top > 0 and hu[k, j, i] < top:
                        dense[k, j, i] = False
                        dropped += 1
    return dropped


@compiled
def exposure(owner: Array, near_outside: Array, blocks: Array, exposed: Array) -> None:
    """Count each owner's blocks, and those of them that lie near the outside."""
    planes, rows, width = owner.shape
    for k in range(planes):
        for j in range(rows):
            for i in range(width):
                own = owner[k, j, i]
                if own:
                    blocks[own] += 1
                    exposed[own] += near_outside[k, j, i]


@compiled
def forget(owner: Array, own: Array) -> None:
    """Leave the blocks without owner whose owner is not one (in place)."""
    flat = owner.reshape(-1)
    for n in range(len(flat)):
        if not own[flat[n]]:
            flat[n] = 0


@compiled
def voxels_of(kinds: Array, bone: Array, factors: Array, voxels: Array) -> Array:
    """Fill voxels inside a neutral layer with their blocks' kinds, bone over all.

    Returns the flat indices of the voxels of the wall.
    """
    planes, rows, width = voxels.shape
    walls = 0
    for k in range(planes - 2):
        for j in range(rows - 2):
            line = voxels[k + 1, j + 1]
            blocks = kinds[k // factors[0], j // factors[1]]
            for n in range(len(blocks)):
                first, stop = n * factors[2], min((n + 1) * factors[2], width - 2)
                line[first + 1 : stop + 1] = blocks[n]
                walls += (blocks[n] == WALL) * (stop - first)
    for n in bone:
        k, rest = divmod(n, (rows - 2) * (width - 2))
        j, i = divmod(rest, width - 2)
        walls -= voxels[k + 1, j + 1, i + 1] == WALL
        voxels[k + 1, j + 1, i + 1] = BONE
    waiting = np.empty(walls, np.int64)
    at = 0
    flat = voxels.reshape(-1)
    for n in range(len(flat)):
        if flat[n] == WALL:
            waiting[at] = n
            at += 1
    return waiting


@compiled
def advance(voxels: Array, waiting: Array) -> None:
    """Give every waiting voxel to the side that reaches it first, in place.

    Layer by layer: what changes in one counts from the next on. The outside wins where
    both arrive together; what neither reaches becomes cavity.
    """
    flat = voxels.reshape(-1)
    plane, row = voxels.shape[1] * voxels.shape[2], voxels.shape[2]
    now = np.empty(len(waiting), np.uint8)
    left = len(waiting)
    while left:
        for n in range(left):
            at = waiting[n]
            seen = flat[at - plane] | flat[at + plane] | flat[at - row]
            seen |= flat[at + row] | flat[at - 1] | flat[at + 1]
            now[n] = OUTSIDE if seen & OUTSIDE else seen & CAVITY
        kept = 0
        for n in range(left):
            if now[n]:
                flat[waiting[n]] = now[n]
            else:
                waiting[kept] = waiting[n]
                kept += 1
        if kept == left:
            break
        left = kept
    for n in range(left):
        flat[waiting[n]] = CAVITY


@compiled
def cavity_of(voxels: Array, hu: Array, air_hu: float, barred: Array, factors: Array) -> Array:
    """The cavity's voxels that are denser than air and in no barred block; voxels as above."""
    planes, rows, width = hu.shape
    inside = np.zeros((planes, rows, width), np.bool_)
    for k in range(planes):
        for j in range(rows):
            for i in range(width):
                if voxels[k + 1, j + 1, i + 1] == CAVITY and hu[k, j, i] > air_hu:
                    block = k // factors[0], j // factors[1], i // factors[2]
                    inside[k, j, i] = not barred[block]
    return inside
