"""How thick a wall is, everywhere: from the surface inwards to the other side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.core.nearest import as_poly_data

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SAMPLES = 30_000
"""Points measured at most, about: a point every 1.3 mm² on a kidney, two seconds."""

_OPPOSITE = 0.5
"""Cosine beyond which the face that a ray meets is the other side of a wall (60°): there
the wall is measured across, elsewhere along the ray."""

_PARALLEL = 0.866
"""Cosine between the two sides of what counts as a wall: 30°. A wedge of that opening is
2 mm thick 4 mm from its edge; sharper ones are feathers, blunter ones are edges."""

_SKIN = 1e-7
"""Part of the reach at which a ray starts inside, so that it does not meet its own face."""


@dataclass(frozen=True, slots=True, eq=False)
class Thickness:
    """Wall thickness at points spread over a surface.

    Parameters
    ----------
    points_mm : ndarray of float64, shape (n, 3)
        On the surface.
    thickness_mm : ndarray of float64, shape (n,)
        Infinite where nothing is met: the surface is open or inside out there.
    area_mm2 : ndarray of float64, shape (n,)
        Surface that each point stands for.
    wall : ndarray of bool, shape (n,)
        Whether both sides are nearly parallel there (within 30°). Elsewhere a small
        thickness means that an edge is near, and every edge is thin.
    """

    points_mm: Floats
    thickness_mm: Floats
    area_mm2: Floats
    wall: npt.NDArray[np.bool_]

    @property
    def least_mm(self) -> float | None:
        """The thinnest wall; None if there is none."""
        walls = self.thickness_mm[self.wall]
        return float(walls.min()) if len(walls) else None

    def percentile_mm(self, percent: float) -> float | None:
        """Thickness below which that part of the surface lies; None if none was measured."""
        order = np.argsort(self.thickness_mm)
        below = np.cumsum(self.area_mm2[order])
        if not len(order) or not np.isfinite(self.thickness_mm[order[0]]):
            return None
        place = int(np.searchsorted(below, below[-1] * percent / 100))
        value = float(self.thickness_mm[order[min(place, len(order) - 1)]])
        return value if np.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class ThinSpot:
    """A connected region that is thinner than asked for.

    Parameters
    ----------
    place_mm : tuple of float
        Its thinnest point, in the mesh's own frame.
    least_mm : float
    area_mm2 : float
    """

    place_mm: tuple[float, float, float]
    least_mm: float
    area_mm2: float


def wall_thickness(mesh: Mesh, *, samples: int = SAMPLES) -> Thickness:
    """Thickness at evenly spread points: from each one inwards to the other side.

    A ray runs from the point against the normal. Where it leaves through a face that
    looks the other way, the thickness is the point's distance from that face's plane,
    which is exact between parallel planes and not more than the ray in a wedge; where
    it leaves through a slanting one (more than 60°), the ray's length.

    Parameters
    ----------
    mesh : Mesh
        Wound outward; an open mesh has infinite thickness where rays escape.
    samples : int
        About so many points, in proportion to area, at least one a face until there
        are more faces than that; then every n-th face.

    References
    ----------
    Inui M., Umezu N., Shimane R. Shrinking sphere: a parallel algorithm for computing
    the thickness of 3D objects. Computer-Aided Design and Applications 13 (2016) (the
    ray and the sphere definitions).
    """
    centre = (mesh.vertices_mm.min(axis=0) + mesh.vertices_mm.max(axis=0)) / 2
    vertices = mesh.vertices_mm - centre
    normal, area = _normals(vertices, mesh.faces)
    points, face, share = _spread(vertices, mesh.faces, area, samples)
    length, met = _first_met(vertices, mesh.faces, points, normal[face])
    slope = -np.einsum("ij,ij->i", normal[face], normal[met])
    across = (met >= 0) & (slope > _OPPOSITE)
    length[across] *= slope[across]
    return Thickness(points + centre, length, share, (met >= 0) & (slope > _PARALLEL))


def _first_met(
    vertices: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
    points: Floats,
    outward: Floats,
) -> tuple[Floats, Integers]:
    """Length of the ray inwards from each point, and the face that it meets, or −1."""
    from vtkmodules.vtkCommonCore import mutable
    from vtkmodules.vtkCommonDataModel import vtkStaticCellLocator

    reach = 2 * float(np.linalg.norm(vertices.max(axis=0) - vertices.min(axis=0))) + 1e-6
    locator: Any = vtkStaticCellLocator()
    surface = as_poly_data(vertices, faces)
    locator.SetDataSet(surface)
    locator.BuildLocator()
    starts = points - outward * (reach * _SKIN)
    ends = points - outward * reach
    # At 0 the last bit of a hit on the bounding box decides whether it counts.
    near = reach * _SKIN / 100
    t: Any = mutable(0.0)
    sub: Any = mutable(0)
    cell: Any = mutable(0)
    hit, inner = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    length, met = np.full(len(points), np.inf), np.full(len(points), -1, np.int64)
    for n, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        if locator.IntersectWithLine(start, end, near, t, hit, inner, sub, cell):
            length[n] = float(t) * (1 - _SKIN) * reach + _SKIN * reach
            met[n] = int(cell)
    return length, met


def thin_spots(found: Thickness, limit_mm: float, *, most: int = 20) -> tuple[ThinSpot, ...]:
    """Where a wall is thinner than a limit, the largest spots first; edges are none.

    Points belong to one spot if they are neighbours at about twice the spacing of points
    that stand for as much surface as either of them does.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    thin = np.flatnonzero(found.wall & (found.thickness_mm < limit_mm))
    if not len(thin):
        return ()
    points = found.points_mm[thin]
    # Each its own: beside many small faces a median says nothing of what large ones need.
    near = KDTree(points).query_ball_point(points, 2.2 * np.sqrt(found.area_mm2[thin]))
    start = np.repeat(np.arange(len(thin)), [len(row) for row in near])
    end = np.concatenate([np.asarray(row, np.int64) for row in near])
    links = coo_array((np.ones(len(end)), (start, end)), shape=(len(thin),) * 2)
    count, group = connected_components(links.tocsr(), directed=False)
    area = np.bincount(group, found.area_mm2[thin], minlength=count)
    spots = []
    for number in np.argsort(-area, kind="stable")[:most].tolist():
        inside = thin[group == number]
        worst = inside[np.argmin(found.thickness_mm[inside])]
        x, y, z = (round(float(c), 3) for c in found.points_mm[worst])
        spots.append(ThinSpot((x, y, z), float(found.thickness_mm[worst]), float(area[number])))
    return tuple(spots)


def _normals(
    vertices: npt.NDArray[np.float32], faces: npt.NDArray[np.int32]
) -> tuple[Floats, Floats]:
    """Unit normals and areas of the faces."""
    v = vertices.astype(np.float64)
    doubled = np.cross(v[faces[:, 1]] - v[faces[:, 0]], v[faces[:, 2]] - v[faces[:, 0]])
    length = np.linalg.norm(doubled, axis=1)
    return doubled / np.where(length > 0, length, 1)[:, None], length / 2


def _spread(
    vertices: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
    area: Floats,
    samples: int,
) -> tuple[Floats, Integers, Floats]:
    """Points inside faces, the face of each, and the area that it stands for.

    A face that is larger than its share gets several, on a fixed low-discrepancy
    sequence in barycentric coordinates, so that the same mesh gives the same points.
    """
    step = max(1, -(-len(faces) // samples))
    chosen = np.flatnonzero(area > 0)[::step]
    share = float(area.sum()) / samples
    count = np.clip(np.round(area[chosen] / max(share, 1e-30)), 1, samples).astype(np.int64)
    face = np.repeat(chosen, count)
    rank = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    # The R2 sequence (multiples of powers of the plastic number) fills a square evenly;
    # folded along its diagonal, a triangle. Its first point is put at the centre.
    u = (1 / 3 + rank * 0.7548776662466927) % 1
    v = (1 / 3 + rank * 0.5698402909980532) % 1
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    a, b, c = (vertices[faces[face, n]].astype(np.float64) for n in range(3))
    points = a + u[:, None] * (b - a) + v[:, None] * (c - a)
    weight = area[face] / np.repeat(count, count)
    return points, face, weight * (float(area.sum()) / float(weight.sum()))
