"""Compiled loops of `extract`: voxels as bits, what each row holds, its vertices and faces.

Of every voxel one bit says whether it is inside, 64 along a row in a word, and around the
block lies one more voxel of outside: bit p of word w is voxel 64·w + p − 1, row j is
j + 1, plane k is k + 1. A cell has its lower corner in the voxel whose bit it has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, inlined

Array = npt.NDArray[Any]

Word = Any
"""64 voxels of a row, a uint64."""

CLEARANCE = 1e-3
"""`grid_places.CLEARANCE_VOXELS`."""

_ONE = np.uint64(1)
_TOP = np.uint64(63)
_ZERO = np.uint64(0)


@compiled
def mark_inside(values: Array, inside: Array, first: int, stop: int) -> None:
    """Set the bits of some planes of (k, j, i) values; the border's stay 0."""
    _, rows, columns = values.shape
    for k in range(first, stop):
        for j in range(rows):
            carry = _ZERO
            for w in range(inside.shape[2]):
                low = 64 * w
                word = _ZERO
                # Of known length it becomes a few vector instructions.
                if low + 64 <= columns:
                    for b in range(64):
                        word |= np.uint64(values[k, j, low + b] > 0) << np.uint64(b)
                else:
                    for b in range(columns - low):
                        word |= np.uint64(values[k, j, low + b] > 0) << np.uint64(b)
                inside[k + 1, j + 1, w] = word << _ONE | carry
                carry = word >> _TOP


@compiled
def count_row_by_row(inside: Array, triangles: Array, row: Array, first: int, stop: int) -> None:
    """Count in `row` (k, j, 4) the crossings along i, j and k of rows, and their triangles."""
    for k in range(first, stop):
        for j in range(row.shape[1]):
            along_i = along_j = along_k = faces = 0
            for w in range(inside.shape[2]):
                if _is_plain(inside, k, j, w):
                    continue
                c0, c1, c2, c3, c4, c5, c6, c7 = _corners(inside, k, j, w)
                along_i += _ones(c0 ^ c1)
                along_j += _ones(c0 ^ c2)
                along_k += _ones(c0 ^ c4)
                cells = _mixed(c0, c1, c2, c3, c4, c5, c6, c7)
                while cells:
                    b = _lowest(cells)
                    cells &= cells - _ONE
                    faces += triangles[_case(b, c0, c1, c2, c3, c4, c5, c6, c7)]
            row[k, j, 0], row[k, j, 1], row[k, j, 2], row[k, j, 3] = (
                along_i, along_j, along_k, faces,
            )  # fmt: skip


@compiled
def number_rows(row: Array) -> tuple[int, int]:
    """Counts to numbers of the first vertex and triangle of each; how many there are in all."""
    vertex = face = 0
    for k in range(row.shape[0]):
        for j in range(row.shape[1]):
            for n in range(3):
                row[k, j, n], vertex = vertex, vertex + row[k, j, n]
            row[k, j, 3], face = face, face + row[k, j, 3]
    return vertex, face


@compiled
def place_vertices(
    values: Array, inside: Array, row: Array, affine: Array, place: Array, first: int, stop: int
) -> None:
    """Write the vertices of some planes of rows, float32 mm by a (3, 4) affine.

    Where the two values beside a crossing say; half way to the voxel of outside beyond the
    border, which is the voxel's edge. A vertex in an outermost slice lies at the voxel's
    edge too (`grid_places.square_up_caps`).
    """
    planes, rows, columns = values.shape
    for kk in range(first, stop):
        k = kk - 1
        z = _squared(k, planes)
        for jj in range(row.shape[1]):
            j = jj - 1
            y = _squared(j, rows)
            on_i, on_j, on_k = row[kk, jj, 0], row[kk, jj, 1], row[kk, jj, 2]
            for w in range(inside.shape[2]):
                if _is_plain(inside, kk, jj, w):
                    continue
                c0, c1, c2, _, c4, _, _, _ = _corners(inside, kk, jj, w)
                bits = c0 ^ c1
                while bits:
                    i = 64 * w + _lowest(bits) - 1
                    bits &= bits - _ONE
                    part = 0.5
                    if i >= 0 and i + 1 < columns:
                        part = _part(values[k, j, i], values[k, j, i + 1])
                    _put(place, on_i, i + part, y, z, affine)
                    on_i += 1
                bits = c0 ^ c2
                while bits:
                    i = 64 * w + _lowest(bits) - 1
                    bits &= bits - _ONE
                    part = 0.5
                    if j >= 0 and j + 1 < rows:
                        part = _part(values[k, j, i], values[k, j + 1, i])
                    _put(place, on_j, _squared(i, columns), j + part, z, affine)
                    on_j += 1
                bits = c0 ^ c4
                while bits:
                    i = 64 * w + _lowest(bits) - 1
                    bits &= bits - _ONE
                    part = 0.5
                    if k >= 0 and k + 1 < planes:
                        part = _part(values[k, j, i], values[k + 1, j, i])
                    _put(place, on_k, _squared(i, columns), y, k + part, affine)
                    on_k += 1


@compiled
def crossed_edges(values: Array, inside: Array, row: Array, edge: Array) -> None:
    """Write for each vertex what it lies between, in the order of `place_vertices`.

    Parameters
    ----------
    values : ndarray of float32, shape (k, j, i)
        Not necessarily of the signs that the bits say.
    inside, row
        As there.
    edge : ndarray of float32, shape (n, 7)
        The lower voxel's indices along i, j, k (squared up as there), the axis of the
        edge, how far inside the lower voxel is and how far outside the upper one, or both
        with the other sign, and that sign. Beyond the border all three are 0.
    """
    planes, rows, columns = values.shape
    for kk in range(planes + 1):
        k = kk - 1
        for jj in range(rows + 1):
            j = jj - 1
            on = row[kk, jj, :3].copy()
            for w in range(inside.shape[2]):
                if _is_plain(inside, kk, jj, w):
                    continue
                c0, c1, c2, _, c4, _, _, _ = _corners(inside, kk, jj, w)
                for axis in range(3):
                    bits = c0 ^ (c1 if axis == 0 else c2 if axis == 1 else c4)
                    while bits:
                        b = _lowest(bits)
                        bits &= bits - _ONE
                        i = 64 * w + b - 1
                        v = on[axis]
                        on[axis] += 1
                        edge[v, 0] = i if axis == 0 else _squared(i, columns)
                        edge[v, 1] = j if axis == 1 else _squared(j, rows)
                        edge[v, 2] = k if axis == 2 else _squared(k, planes)
                        edge[v, 3] = axis
                        edge[v, 4] = edge[v, 5] = edge[v, 6] = 0
                        ii, jn, kn = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                        if min(i, j, k) >= 0 and ii < columns and jn < rows and kn < planes:
                            side = 1 if c0 >> np.uint64(b) & _ONE else -1
                            edge[v, 4] = side * values[k, j, i]
                            edge[v, 5] = -side * values[kn, jn, ii]
                            edge[v, 6] = side


@compiled
def join_faces(
    inside: Array,
    row: Array,
    triangles: Array,
    edges: Array,
    faces: Array,
    first: int,
    stop: int,
) -> None:
    """Write the triangles of some planes of cells.

    Every cell that a crossing lies on is visited, row by row, so a count of the crossings
    passed in each of the rows around is the number of the next vertex.
    """
    on = np.empty(12, np.int64)
    for k in range(first, stop):
        for j in range(row.shape[1]):
            face = row[k, j, 3]
            # Beyond the last row and plane is outside: nothing crosses there.
            up, far = min(j + 1, row.shape[1] - 1), min(k + 1, row.shape[0] - 1)
            on[0], on[1], on[2], on[3] = (
                row[k, j, 0], row[k, up, 0], row[far, j, 0], row[far, up, 0],
            )  # fmt: skip
            on[5], on[7] = row[k, j, 1], row[far, j, 1]
            on[9], on[11] = row[k, j, 2], row[k, up, 2]
            for w in range(inside.shape[2]):
                if _is_plain(inside, k, j, w):
                    continue
                c0, c1, c2, c3, c4, c5, c6, c7 = _corners(inside, k, j, w)
                cells = _mixed(c0, c1, c2, c3, c4, c5, c6, c7)
                while cells:
                    b = _lowest(cells)
                    cells &= cells - _ONE
                    case = _case(b, c0, c1, c2, c3, c4, c5, c6, c7)
                    for n in range(4, 12, 2):
                        on[n] = on[n + 1]
                    # The edges of the cell's far side come after those of its near side.
                    on[5] += (case ^ case >> 2) & 1
                    on[7] += (case >> 4 ^ case >> 6) & 1
                    on[9] += (case ^ case >> 4) & 1
                    on[11] += (case >> 2 ^ case >> 6) & 1
                    for n in range(triangles[case]):
                        for c in range(3):
                            faces[face, c] = on[edges[case, 3 * n + c]]
                        face += 1
                    for n in range(4):
                        on[n] += (case >> 2 * n ^ case >> 2 * n + 1) & 1


@inlined
def _is_plain(inside: Array, k: int, j: int, w: int) -> bool:
    """Whether all voxels of a word's cells are outside, as most are."""
    seen = inside[k, j, w] | inside[k, j + 1, w] | inside[k + 1, j, w] | inside[k + 1, j + 1, w]
    if w + 1 < inside.shape[2]:
        ahead = inside[k, j, w + 1] | inside[k, j + 1, w + 1]
        seen |= (ahead | inside[k + 1, j, w + 1] | inside[k + 1, j + 1, w + 1]) & _ONE
    return bool(seen == _ZERO)


@inlined
def _corners(
    inside: Array, k: int, j: int, w: int
) -> tuple[Word, Word, Word, Word, Word, Word, Word, Word]:
    """Corner 0 to 7 of the 64 cells of a word."""
    c0, c2 = inside[k, j, w], inside[k, j + 1, w]
    c4, c6 = inside[k + 1, j, w], inside[k + 1, j + 1, w]
    c1, c3, c5, c7 = c0 >> _ONE, c2 >> _ONE, c4 >> _ONE, c6 >> _ONE
    if w + 1 < inside.shape[2]:
        c1 |= inside[k, j, w + 1] << _TOP
        c3 |= inside[k, j + 1, w + 1] << _TOP
        c5 |= inside[k + 1, j, w + 1] << _TOP
        c7 |= inside[k + 1, j + 1, w + 1] << _TOP
    return c0, c1, c2, c3, c4, c5, c6, c7


@inlined
def _mixed(c0: Word, c1: Word, c2: Word, c3: Word, c4: Word, c5: Word, c6: Word, c7: Word) -> Word:
    """Cells with corners on both sides."""
    some = c0 | c1 | c2 | c3 | c4 | c5 | c6 | c7
    return some & ~(c0 & c1 & c2 & c3 & c4 & c5 & c6 & c7)


@inlined
def _case(
    b: int, c0: Word, c1: Word, c2: Word, c3: Word, c4: Word, c5: Word, c6: Word, c7: Word
) -> Any:
    """Which corners of cell b are inside."""
    at = np.uint64(b)
    return (
        np.int64(c0 >> at & _ONE)
        | np.int64(c1 >> at & _ONE) << 1
        | np.int64(c2 >> at & _ONE) << 2
        | np.int64(c3 >> at & _ONE) << 3
        | np.int64(c4 >> at & _ONE) << 4
        | np.int64(c5 >> at & _ONE) << 5
        | np.int64(c6 >> at & _ONE) << 6
        | np.int64(c7 >> at & _ONE) << 7
    )


@inlined
def _lowest(bits: Word) -> Any:
    """Place of the lowest bit set."""
    return _ones(~bits & (bits - _ONE))


@inlined
def _ones(bits: Word) -> Any:
    """Bits set, added up in pairs, fours, bytes (the processor has one instruction for it)."""
    x = np.uint64(bits)
    x -= (x >> _ONE) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@inlined
def _part(here: float, there: float) -> float:
    """Where between two voxels the field is 0."""
    at = np.float64(here) / (np.float64(here) - np.float64(there))
    return min(max(at, CLEARANCE), 1 - CLEARANCE)


@inlined
def _squared(at: int, size: int) -> float:
    """An index, or the voxel's edge in an outermost slice."""
    if at == 0:
        return -0.5 + CLEARANCE
    if at == size - 1:
        return size - 0.5 - CLEARANCE
    return np.float64(at)


@inlined
def _put(place: Array, vertex: int, x: float, y: float, z: float, affine: Array) -> None:
    for n in range(3):
        place[vertex, n] = affine[n, 0] * x + affine[n, 1] * y + affine[n, 2] * z + affine[n, 3]
