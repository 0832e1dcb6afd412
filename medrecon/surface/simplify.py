"""Fewer triangles within a stated distance, and still a solid."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.core.boxtree import BoxTree
from medrecon.errors import UsageError
from medrecon.surface.collapse import collapse_to, collapse_within
from medrecon.surface.partition import Faces, Mask, Partition, Vertices, settle, with_neighbours

Indices = npt.NDArray[np.intp]

# Of more than so many times the target the collapse goes in steps, the first to this part.
_AT_ONCE = 10

# So near to its target is near enough.
_NEAR = 1.01

# Where the first step leaves so many times its aim, all begins again from the full surface.
_TOO_FAR = 1.5

# What a step aims at, of what is left; the second where the first gained nothing any more.
_HALF, _LITTLE = 0.5, 0.8

# A step that leaves more than that of the triangles gains too little for what it coarsens.
_WORTH_WHILE = 0.97


def simplify(
    mesh: Mesh,
    *,
    tolerance_mm: float = 0.1,
    target_faces: int | None = None,
    tree: BoxTree | None = None,
) -> Mesh:
    """The mesh with fewer triangles, closed and two-manifold as before, also in a file.

    Parameters
    ----------
    mesh : Mesh
        A valid solid (`validity.judge`).
    tolerance_mm : float
        No vertex of `mesh` lies further from the result, and no vertex and no middle of a
        face of the result further from `mesh`. 0 returns the mesh.
    target_faces : int or None
        Reduce to about this many triangles instead, whatever the deviation. Pieces
        that cannot be reduced any further stay as they are, so that the result can
        have more: nothing is ever dropped.
    tree : BoxTree or None
        Of the mesh's triangles, if it is there already.

    Returns
    -------
    Mesh
        Vertices rounded to float32 before they were judged. Components, cavities and
        handles are those of `mesh`, and where its faces do not go through one another,
        neither do these; scalars are not kept.

    Raises
    ------
    UsageError
        If the tolerance is negative, infinite or not a number, or the target below 4.
    ValueError
        If the mesh is not a valid solid.

    References
    ----------
    Garland M., Heckbert P. Surface simplification using quadric error metrics.
    SIGGRAPH 1997, DOI 10.1145/258734.258849 (the collapse order).
    """
    if not 0 <= tolerance_mm < math.inf or (target_faces is not None and target_faces < 4):
        raise UsageError("a tolerance of at least 0 mm or a target of at least 4 triangles")
    vertices, faces = mesh.vertices_mm, mesh.faces
    if target_faces is not None:
        if target_faces >= len(faces):
            return mesh
        partition = _towards(vertices, faces, target_faces)
    elif tolerance_mm == 0 or not len(faces):
        return mesh
    else:
        partition = _within(mesh, tolerance_mm, tree or BoxTree.of(vertices, faces))
    return Mesh(*compact(partition.place_mm, partition.quotient(faces)), mesh.label)


def compact(vertices_mm: Vertices, faces: Faces) -> tuple[Vertices, Faces]:
    """The vertices that are in a face, in their old order, and the faces renumbered."""
    used = np.zeros(len(vertices_mm), np.bool_)
    used[faces.ravel()] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return vertices_mm[used], number[faces]


def _towards(vertices: Vertices, faces: Faces, target: int) -> Partition:
    """A tenth at once, then half and half again, as long as that gains something.

    Collapsed too far at once, thin parts go through one another nearly everywhere: what is
    then taken apart is more than a milder collapse leaves, and the rest crude for nothing.
    """
    aim = max(target, len(faces) // _AT_ONCE)
    partition = settle(collapse_to(vertices, faces, aim), vertices, faces)
    if len(partition.quotient(faces)) > _TOO_FAR * aim:
        partition = Partition(np.arange(len(vertices), dtype=np.int32), vertices.copy())
    share = _HALF
    while len(left := partition.quotient(faces)) > _NEAR * target:
        aim = max(target, int(share * len(left)))
        further = partition.then(_again(partition.place_mm, left, aim))
        count = len(further.quotient(faces))
        if count < len(left):
            partition = further
        if count > _WORTH_WHILE * len(left):
            if share == _LITTLE:
                break
            share = _LITTLE
    return partition


def _again(places: Vertices, faces: Faces, target: int) -> Partition:
    """A further collapse of what is left, as a partition of the same numbers."""
    used = np.unique(faces)
    small, renumbered = compact(places, faces)
    later = settle(collapse_to(small, renumbered, target), small, renumbered)
    group = np.arange(len(places), dtype=np.int32)
    group[used] = used[later.group]
    place = places.copy()
    place[used] = later.place_mm
    return Partition(group, place)


def _within(mesh: Mesh, tolerance_mm: float, full: BoxTree) -> Partition:
    vertices, faces = mesh.vertices_mm, mesh.faces
    before = collapse_within(vertices, faces, tolerance_mm, full)
    partition = settle(before, vertices, faces)
    while True:
        # The collapse has seen to it; but where groups were taken apart since, it is
        # looked at again.
        asked = _beside_change(before, partition, faces)
        strayed = _strayed(partition, vertices, faces, asked, tolerance_mm)
        strayed |= _bulging(partition, full, faces, asked, tolerance_mm)
        if not strayed.any():
            return partition
        parted = partition.without(strayed, vertices)
        before, partition = partition, settle(parted, vertices, faces, since=partition)


def _beside_change(before: Partition, after: Partition, faces: Faces) -> Indices:
    """Vertices whose group is joined by an edge to one that was taken apart."""
    changed = before.group != after.group
    changed[before.group[changed]] = True
    if not changed.any():
        return np.zeros(0, np.intp)
    return np.flatnonzero(with_neighbours(changed, after, faces)[after.group])


def _strayed(
    partition: Partition,
    vertices: Vertices,
    faces: Faces,
    asked: Indices,
    tolerance_mm: float,
) -> Mask:
    """Groups that a vertex of theirs, among those asked about, lies too far from."""
    bad = np.zeros(len(vertices), np.bool_)
    if len(asked):
        now = BoxTree.of(partition.place_mm, partition.quotient(faces))
        bad[partition.group[asked[now.beyond(vertices[asked], tolerance_mm)]]] = True
    return bad


def _bulging(
    partition: Partition, full: BoxTree, faces: Faces, asked: Indices, tolerance_mm: float
) -> Mask:
    """Groups of those vertices that lie too far from the full surface, or whose faces do."""
    bad = np.zeros(len(partition.group), np.bool_)
    if not len(asked):
        return bad
    joined = np.bincount(partition.group, minlength=len(bad)) > 1
    near = bad.copy()
    near[partition.group[asked]] = True
    groups = np.flatnonzero(near & joined)
    bad[groups[full.beyond(partition.place_mm[groups], tolerance_mm)]] = True
    quotient = partition.quotient(faces)
    beside = quotient[near[quotient].any(axis=1)]
    middle = partition.place_mm[beside].mean(axis=1, dtype=np.float64)
    corner = beside[full.beyond(middle, tolerance_mm)].ravel()
    bad[corner[joined[corner]]] = True
    return bad
