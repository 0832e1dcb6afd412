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

from medrecon.core.compiled import frozen
from medrecon.core.weld import weld
from medrecon.surface import partition_loops
from medrecon.surface.intersections import self_intersections
from medrecon.surface.nesting import pieces_facing_wrong
from medrecon.surface.topology import components, doubled_area_vectors, faults_at

Vertices = npt.NDArray[np.float32]
Faces = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Which vertices become one, and where.

    Parameters
    ----------
    group : ndarray of int32, shape (n,)
        For each vertex the group it belongs to, named by one of the group's own
        vertices.
    place_mm : ndarray of float32, shape (n, 3)
        Where the vertex of each group lies, by the group's name.
    """

    group: npt.NDArray[np.int32]
    place_mm: Vertices

    def then(self, later: Partition) -> Partition:
        """Both in one: first these groups, then groups of them."""
        return Partition(later.group[self.group], later.place_mm)

    def without(self, groups: Mask, vertices_mm: Vertices) -> Partition:
        """The same with some groups taken apart into single vertices."""
        apart = np.flatnonzero(groups[self.group]).astype(np.int32)
        group, place = self.group.copy(), self.place_mm.copy()
        group[apart] = apart
        place[apart] = vertices_mm[apart]
        return Partition(group, place)

    def quotient(self, faces: Faces) -> Faces:
        """The faces between different groups, in their old order."""
        return _between(self.group, faces)


def _between(group: npt.NDArray[np.int32], faces: Faces) -> Faces:
    rows: Faces = partition_loops.between(frozen(group, np.int32), frozen(faces, np.int32))
    return rows


def settle(
    partition: Partition,
    vertices_mm: Vertices,
    faces: Faces,
    *,
    since: Partition | None = None,
    crossing: bool = True,
) -> Partition:
    """The partition with its groups taken apart until the quotient is a valid solid.

    Only groups of several vertices and what surrounds them are looked at.

    Parameters
    ----------
    partition : Partition
    vertices_mm, faces
        The mesh that it joins: closed, two-manifold, without coincident vertices.
    since : Partition or None
        A partition of the same mesh that is settled, and that differs only by groups
        that have been taken apart since: only their surroundings are looked at.
    crossing : bool
        Take also apart what makes faces go through one another or a piece turn inside
        out, unless they did so in the mesh itself.

    Raises
    ------
    ValueError
        If the mesh itself is not valid, so that taking groups apart does not help.
    """
    if since is None:
        changed = np.bincount(partition.group, minlength=len(partition.group)) > 1
    else:
        changed = partition.group != since.group
        changed[since.group[changed]] = True
    uncrossed = np.zeros(len(changed), np.bool_)
    while True:
        near = with_neighbours(changed, partition, faces)
        uncrossed |= near
        quotient = partition.quotient(faces)
        bad = _faulty(partition, quotient, near)
        solid = not bad.any()
        if solid and not crossing:
            return partition
        if solid:
            bad = _crossing(partition, quotient, uncrossed)
            uncrossed[:] = False
            if not bad.any():
                bad = _inside_out(partition, quotient)
        parting = _until_something_can_part(bad, partition, faces)
        if parting is None:
            if solid:
                return partition
            raise ValueError("a mesh that is no valid solid cannot be decimated into one")
        changed = parting[partition.group]
        partition = partition.without(parting, vertices_mm)


def _faulty(partition: Partition, quotient: Faces, near: Mask) -> Mask:
    """Groups at which the quotient is no solid that survives a float32 file.

    Only groups that were taken apart and their neighbours are `near`: a fault cannot
    arise elsewhere, for the faces around every other vertex are what they were.
    """
    around = quotient[_touching(near, quotient)]
    bad = faults_at(around, near)
    used = np.zeros(len(near), np.bool_)
    used[around.ravel()] = True
    # A group that is in no face any more: a piece, or a part of one, that vanished.
    lost = near & ~used
    bad[partition.group[lost[partition.group]]] = True
    bad |= _coincident(partition.place_mm, quotient)
    flat = (doubled_area_vectors(partition.place_mm, around) == 0).all(axis=0)
    bad[around[flat].ravel()] = True
    return bad


def _crossing(partition: Partition, quotient: Faces, near: Mask) -> Mask:
    """Groups at faces that go through one another, of which one at least is near."""
    among = None if near.all() else _touching(near, quotient)
    pairs = self_intersections(partition.place_mm, quotient, among=among)
    bad = np.zeros(len(near), np.bool_)
    bad[quotient[pairs.ravel()].ravel()] = True
    return bad


def _inside_out(partition: Partition, quotient: Faces) -> Mask:
    """Groups of pieces that are wound inside out or lie in a solid.

    A neck whose ends were joined the wrong way round comes off as such a piece.
    """
    bad = np.zeros(len(partition.group), np.bool_)
    _, piece = components(quotient, len(bad))
    slope = doubled_area_vectors(partition.place_mm, quotient)[0]
    facing = piece[quotient[:, 0]]
    wrong = pieces_facing_wrong(partition.place_mm, quotient, facing, slope)
    bad[np.isin(piece, wrong)] = True
    return bad


def _until_something_can_part(bad: Mask, partition: Partition, faces: Faces) -> Mask | None:
    """The bad groups, and their surroundings as far as the first that has several vertices.

    None if there is no such group, or nothing bad.
    """
    joined = np.bincount(partition.group, minlength=len(bad)) > 1
    while not (bad & joined).any():
        grown = with_neighbours(bad, partition, faces)
        if (grown == bad).all():
            return None
        bad = grown
    return bad


def _coincident(place_mm: Vertices, quotient: Faces) -> Mask:
    """Groups whose places are one point in float32: a reader would join them."""
    bad = np.zeros(len(place_mm), np.bool_)
    used = bad.copy()
    used[quotient.ravel()] = True
    at = np.flatnonzero(used)
    _, index = weld(place_mm[at])
    bad[at[np.bincount(index)[index] > 1]] = True
    return bad


def _touching(groups: Mask, quotient: Faces) -> Mask:
    touched: Mask = partition_loops.touching(frozen(groups, np.bool_), frozen(quotient, np.int32))
    return touched


def with_neighbours(groups: Mask, partition: Partition, faces: Faces) -> Mask:
    """The groups and all that share a face with one of them in the mesh before joining."""
    if groups.all():
        return groups.copy()
    wider: Mask = partition_loops.grown(
        frozen(groups, np.bool_), frozen(partition.group, np.int32), frozen(faces, np.int32)
    )
    return wider
