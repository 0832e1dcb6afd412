"""A level's surface with its creases: what a grid cuts off them is given back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh, SoftField
from medrecon.printing.creases import Sides, across_edges, in_faces
from medrecon.printing.grid_roots import on_grid_edges
from medrecon.printing.level import Level
from medrecon.printing.solids import crossing_faces
from medrecon.printing.split_faces import edges_of, split_faces
from medrecon.printing.tidy import without_slivers
from medrecon.surface.extract import extract_surface

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_TOLERANCE = 1 / 25
"""Of a spacing: as much as the result is simplified by."""

_EASED = 12
"""Rounds in which vertices that overtook one another are moved apart."""

_WIDER = 3
"""Rounds after which one ring more of neighbours moves along."""

_PART = 0.7
"""Of the way to the middle between its neighbours that a vertex moves in a round."""

_MERGED = (0.02, 0.05, 0.1, 0.2, 0.3)
"""Spacings up to which edges are collapsed in turn, where faces still cross."""

_TAKEN_BACK = 8
"""Rounds in which the places that still cross are made as the grid had them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Draft:
    """A surface with vertices put in: corners first, then bends, then those of the grid.

    Parameters
    ----------
    vertices_mm : ndarray of float64, shape (n, 3)
    plain_mm : ndarray of float64, shape (n, 3)
        Where they lie without any crease: no faces cross there.
    faces : ndarray of int32, shape (m, 3)
    corners : int
    sides : Sides
        Of the bends.
    level : Level
    before : int
        Vertices after the bends that lie on creases already.
    """

    vertices_mm: Floats
    plain_mm: Floats
    faces: npt.NDArray[np.int32]
    corners: int
    sides: Sides
    level: Level
    before: int

    @property
    def bends(self) -> slice:
        return slice(self.corners, self.corners + len(self.sides.normals))

    def movable(self, chosen: npt.NDArray[np.int64]) -> Mask:
        """Which of them are bends or the grid's, and so known to lie on how many sides."""
        stop = self.bends.stop
        known: Mask = (chosen < stop) | (chosen >= stop + self.before)
        return known & (chosen >= self.corners)

    def sides_of(self, chosen: npt.NDArray[np.int64]) -> Sides:
        """Those of bends, and the one side of vertices of the grid, twice."""
        once = np.repeat(self.vertices_mm[chosen][:, None], 2, axis=1)
        found = Sides.beside(self.level, once)
        bends = chosen < self.bends.stop
        mine = self.sides.of(chosen[bends] - self.corners)
        found.points_mm[bends], found.normals[bends] = mine.points_mm, mine.normals
        return found

    def crossing(self) -> npt.NDArray[np.int64]:
        """Pairs of faces that go through each other; the grid's own do not."""
        among = (self.faces < self.bends.stop).any(axis=1)
        return crossing_faces(self.vertices_mm.astype(np.float32), self.faces, among=among)

    def beside(self, faces: npt.NDArray[np.int64], rings: int) -> Mask:
        """Vertices of faces, and those so many edges away."""
        found = np.zeros(len(self.vertices_mm), np.bool_)
        found[self.faces[faces]] = True
        for _ in range(rings):
            found[self.faces[found[self.faces].any(axis=1)]] = True
        return found


def sharpened(field: SoftField, source: Mesh, distance_mm: float) -> Mesh:
    """The surface of an offset solid with its creases where they are, free of crossings.

    A grid cuts off a crease between two vertices on either side of it. Such an edge gets
    a vertex where the planes meet that touch the level at both its ends, a face with
    three planes one where they meet. Where faces cross then, as in the tip of a feather,
    vertices are moved along their crease, merged, or at last left out.

    Parameters
    ----------
    field : SoftField
        How deep in the offset solid the nodes of a grid lie (`distance_field`).
    source : Mesh
        What it is offset from.
    distance_mm : float
        As for `offset_solid`. Nearer to the source than a spacing nothing is changed.

    References
    ----------
    Kobbelt L., Botsch M., Schwanecke U., Seidel H.-P. Feature sensitive surface
    extraction from volume data. SIGGRAPH 2001, DOI 10.1145/383259.383265 (the planes at
    both ends of what a crease crosses).
    """
    surface = extract_surface(field)
    spacing = field.geometry.spacing_mm[0]
    if abs(distance_mm) < spacing or not len(surface.faces):
        return surface
    level, faces = Level.of(source, distance_mm), surface.faces
    vertices, put = on_grid_edges(field, level), 0
    # What the first pass left needs few vertices more, not worth moving its own for.
    for ways in ((_eased, _merged, _taken_back), (_taken_back,)):
        draft = _bent(vertices, faces, level, spacing, put=put)
        for untangled in ways:
            draft = untangled(draft, spacing)
        if len(draft.crossing()):
            break
        vertices, faces, put = draft.vertices_mm, draft.faces, put + draft.bends.stop
    return dataclasses.replace(surface, vertices_mm=vertices.astype(np.float32), faces=faces)


def _bent(
    vertices: Floats, faces: npt.NDArray[np.int32], level: Level, spacing_mm: float, *, put: int
) -> _Draft:
    """The surface with a vertex wherever a crease passes; the first so many were put in before."""
    limits = {"tolerance_mm": _TOLERANCE * spacing_mm, "spacing_mm": spacing_mm}
    edges = edges_of(faces)
    bent, bends, sides = across_edges(vertices, edges.ends, level, **limits)
    pointed, corners = in_faces(vertices, faces, level, **limits)
    new = len(corners) + len(bends)
    on_edge = np.full(len(edges.ends), -1)
    on_edge[bent] = len(corners) + np.arange(len(bends))
    inside = np.full(len(faces), -1)
    inside[pointed] = np.arange(len(corners))
    flat = vertices[faces[pointed]].mean(axis=1), vertices[edges.ends[bent]].mean(axis=1)
    whole = np.concatenate([corners, bends, vertices])
    split = split_faces(whole, faces + np.int32(new), on_edge[edges.of_face], inside)
    plain = np.concatenate([*flat, vertices])
    return _Draft(whole, plain, split, len(corners), sides, level, put)


def _eased(draft: _Draft, spacing_mm: float) -> _Draft:
    """Vertices that overtook one another moved apart, along their crease or their side."""
    links = _Links.of(draft)
    for count in range(_EASED):
        crossing = draft.crossing()
        if not len(crossing):
            break
        near = np.flatnonzero(draft.beside(np.unique(crossing), 1 + count // _WIDER))
        near = near[draft.movable(near)]
        old = draft.vertices_mm[near]
        place = old + _PART * (links.middle(draft.vertices_mm)[near] - old)
        place = draft.level.drawn(draft.sides_of(near).met(place))
        short = np.linalg.norm(place - old, axis=1) < spacing_mm
        vertices = draft.vertices_mm.copy()
        vertices[near[short]] = place[short]
        draft = dataclasses.replace(draft, vertices_mm=vertices)
    return draft


@dataclass(frozen=True, slots=True, eq=False)
class _Links:
    """Which vertices each lies between: a bend those put in, others all their neighbours."""

    pairs: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]

    @classmethod
    def of(cls, draft: _Draft) -> _Links:
        ends = edges_of(draft.faces).ends
        both = np.concatenate([ends, ends[:, ::-1]])
        one, other = both.T
        pairs = both[(one >= draft.bends.stop) | (other < draft.bends.stop)]
        return cls(pairs, np.bincount(pairs[:, 0], minlength=len(draft.vertices_mm)))

    def middle(self, vertices: Floats) -> Floats:
        """The mean of them; where there are none, the vertex itself."""
        one, other = self.pairs.T
        sums = [np.bincount(one, vertices[other, axis], len(vertices)) for axis in range(3)]
        mean = np.column_stack(sums) / np.maximum(self.count, 1)[:, None]
        return np.where(self.count[:, None] > 0, mean, vertices)


def _merged(draft: _Draft, spacing_mm: float) -> _Draft:
    """Short edges collapsed beside faces that cross; corners and bends are what stays."""
    for part in _MERGED:
        crossing = draft.crossing()
        if not len(crossing):
            break
        rounded = draft.vertices_mm.astype(np.float32)
        faces = without_slivers(rounded, draft.faces, crossing, part * spacing_mm)
        draft = dataclasses.replace(draft, faces=faces)
    return draft


def _taken_back(draft: _Draft, _: float) -> _Draft:
    """Vertices of faces that still cross where they were without a crease, rings around too."""
    for rings in range(_TAKEN_BACK):
        crossing = draft.crossing()
        if not len(crossing):
            break
        back = draft.beside(np.unique(crossing), rings)
        vertices = np.where(back[:, None], draft.plain_mm, draft.vertices_mm)
        draft = dataclasses.replace(draft, vertices_mm=vertices)
    return draft
