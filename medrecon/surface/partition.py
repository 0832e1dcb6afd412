"""Decimation as a partition of the vertices, parted again wherever the result is not a solid.

Whatever collapses edges says in the end which vertices became one. The mesh with
those vertices joined (a quotient) follows from that alone, so a collapse that went
wrong is undone by taking its group apart: its vertices return to their places and
their faces come back. With every group taken apart the mesh is the one we began with,
so the search ends, and it ends at a valid mesh if it began with one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core.weld import weld
from medrecon.surface.topology import (
    doubled_area_vectors,
    duplicate_faces,
    edge_faults,
    pinched_vertices,
)

Vertices = npt.NDArray[np.float32]
Faces = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Which vertices become one, and where.

    Parameters
    ----------
    group : ndarray of int32, shape (n,)
        For each vertex a number below n; vertices with the same number become one.
    place_mm : ndarray of float32, shape (n, 3)
        Where the vertex of each group lies, by the group's number.
    """

    group: npt.NDArray[np.int32]
    place_mm: Vertices

    def then(self, later: Partition) -> Partition:
        """Both in one: first these groups, then groups of them."""
        return Partition(later.group[self.group], later.place_mm)

    def without(self, groups: Mask, vertices_mm: Vertices) -> Partition:
        """The same with some groups taken apart into single vertices.

        A group's number must be one of its own vertices, so that each vertex's own
        number is free when its group dissolves.
        """
        apart = groups[self.group]
        group, place = self.group.copy(), self.place_mm.copy()
        group[apart] = np.flatnonzero(apart).astype(np.int32)
        place[apart] = vertices_mm[apart]
        return Partition(group, place)

    def quotient(self, faces: Faces) -> Faces:
        """The faces between different groups, numbered by group, in their old order."""
        a, b, c = (self.group[faces[:, n]] for n in range(3))
        kept = (a != b) & (b != c) & (c != a)
        return np.stack([a[kept], b[kept], c[kept]], axis=1)


def settle(partition: Partition, vertices_mm: Vertices, faces: Faces) -> Partition:
    """The partition with its groups taken apart until the quotient is a valid solid.

    Parameters
    ----------
    partition : Partition
    vertices_mm, faces
        The mesh that it joins: closed, two-manifold, without coincident vertices.

    Raises
    ------
    ValueError
        If the mesh itself is not valid, so that taking groups apart does not help.
    """
    while True:
        bad = faulty_groups(partition, faces)
        if not bad.any():
            return partition
        joined = np.bincount(partition.group, minlength=len(bad)) > 1
        while not (bad & joined).any():
            grown = _with_neighbours(bad, partition, faces)
            if (grown == bad).all():
                raise ValueError("a mesh that is no valid solid cannot be decimated into one")
            bad = grown
        partition = partition.without(bad, vertices_mm)


def faulty_groups(partition: Partition, faces: Faces) -> Mask:
    """Groups at which the quotient is not a solid that survives a float32 file."""
    n = len(partition.group)
    quotient = partition.quotient(faces)
    bad = np.zeros(n, np.bool_)
    bad[edge_faults(quotient, n)[3]] = True
    bad[quotient[duplicate_faces(quotient, n)].ravel()] = True
    if not bad.any():
        bad[pinched_vertices(quotient, n)] = True
    used = np.zeros(n, np.bool_)
    used[quotient.ravel()] = True
    # A group in no face: a piece, or a part of one, that vanished.
    bad[partition.group] |= ~used[partition.group]
    bad |= _coincident(partition.place_mm, used)
    flat = (doubled_area_vectors(partition.place_mm, quotient) == 0).all(axis=0)
    bad[quotient[flat].ravel()] = True
    return bad


def _coincident(place_mm: Vertices, used: Mask) -> Mask:
    """Groups whose places are one point in float32: a reader would join them."""
    at = np.flatnonzero(used)
    _, index = weld(place_mm[at])
    bad = np.zeros(len(used), np.bool_)
    bad[at[np.bincount(index)[index] > 1]] = True
    return bad


def _with_neighbours(groups: Mask, partition: Partition, faces: Faces) -> Mask:
    """The groups and all that share a face with one of them in the mesh before joining."""
    corner = partition.group[faces]
    grown = groups.copy()
    grown[corner[groups[corner].any(axis=1)].ravel()] = True
    return grown
