"""A large volume's surface, slab by slab: the whole's, byte by byte, in bounded memory.

Two slabs have one plane of voxels in common. Both find the same vertices in it, in the
same order, because a vertex depends on the two voxels beside it alone; so the seam is
joined by counting, not by comparing coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.surface.flying_edges import Faces, Vertices, flying_edges

Values = npt.NDArray[Any]
Planes = Callable[[int, int], Values]
"""(first, stop) to the planes of a volume from `first` to before `stop`."""


def extract_in_slabs(
    planes: Planes, count: int, *, planes_each: int, threads: bool
) -> tuple[Vertices, Faces] | None:
    """What `flying_edges` finds in the whole volume, without ever holding it.

    Parameters
    ----------
    planes : callable
        Gives some planes, shape (i, j, stop − first), never zero.
    count : int
        Planes in all, ≥ 2.
    planes_each : int
        Planes of cells at a time.
    threads : bool

    Returns
    -------
    vertices : ndarray of float32, shape (n, 3)
        Index space.
    faces : ndarray of int32, shape (m, 3)
        Or None instead of both, if in float32 a vertex fell on a voxel centre: its
        grid edge is unknown, and with it its place in the order.
    """
    vertices: list[Vertices] = [np.zeros((0, 3), np.float32)]
    faces: list[Faces] = [np.zeros((0, 3), np.int32)]
    before = 0
    hanging = 0
    for first, last in _slabs(count, planes_each):
        points, corners = flying_edges(planes(first, last + 1), threads=threads, first_plane=first)
        if _has_lost_edges(points):
            return None
        if hanging:
            _join(faces[-1], before - hanging, points, first)
        faces.append(corners + np.int32(before - hanging))
        before += len(points) - hanging
        hanging = _on_last_plane(points, last) if last < count - 1 else 0
        vertices.append(points[: len(points) - hanging])
    return _joined(vertices), _joined(faces)


def _joined(parts: list[Any]) -> npt.NDArray[Any]:
    """The parts one after another; each is let go when it is copied."""
    joined = np.empty((sum(map(len, parts)), 3), parts[0].dtype)
    at = len(joined)
    while parts:
        part = parts.pop()
        joined[at - len(part) : at] = part
        at -= len(part)
    return joined


def _slabs(count: int, planes_each: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count - 1, planes_each):
        yield first, min(first + planes_each, count - 1)


def _on_last_plane(points: Vertices, last: int) -> int:
    """How many vertices, at the end of the list, lie in a slab's last plane."""
    return int(np.count_nonzero(points[:, 2] == last))


def _join(faces: Faces, start: int, points: Vertices, first: int) -> None:
    """Number the last slab's hanging vertices as the next slab does (in place).

    The next slab's vertices are counted from `start`, as the hanging ones were: the
    n-th that hangs is the n-th that the next slab has in its first plane.
    """
    hangs = faces >= start
    number = np.flatnonzero(points[:, 2] == first).astype(np.int32)
    faces[hangs] = number[faces[hangs] - start] + np.int32(start)


def _has_lost_edges(vertices: Vertices) -> bool:
    return bool((vertices == np.rint(vertices)).all(axis=1).any())
