"""Gap and overlap between structures that touch, as the written meshes have them.

Neighbours that shared one surface no longer do so once each has been decimated for
itself. What a printer or a simulation meets there is measured here, on both meshes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.core.solid import Nearest, Solid
from medrecon.core.threads import in_order
from medrecon.quality.vicinity import Vicinity

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SAMPLES = 4000
"""Points looked at on each of two meshes: their 95th percentile is known to 1 %, and
exact distances to them take a hundredth of a second."""

# Cosine of two normals below which surfaces face one another: 60° of opposite.
_FACING = -0.5
# Cosine between a normal and the way to the other surface: 45°, or it lies aside.
_AHEAD = 0.7
# Below this a distance has no sign: float32 millimetres at a metre, sixteen times.
_ROUNDING_MM = 1e-3

# Steps of the plastic number's sequence, which fills a square evenly: points in triangles.
_SEQUENCE = (0.7548776662466927, 0.5698402909980532)


@dataclass(frozen=True, slots=True)
class Contact:
    """Where two meshes face one another closely, and by how much they miss.

    Parameters
    ----------
    names : tuple of str
        Of the two labels.
    area_mm2 : float
        Area of contact: mean of what was found from both sides.
    gap_mean_mm, gap_p95_mm, gap_max_mm : float
        Over the whole contact; where they overlap the gap is 0. The maximum also over all
        vertices.
    overlap_mean_mm, overlap_p95_mm, overlap_max_mm : float
        Depth of one in the other, over the whole contact; where there is a gap it is 0. The
        maximum also over all vertices.
    """

    names: tuple[str, str]
    area_mm2: float
    gap_mean_mm: float
    gap_p95_mm: float
    gap_max_mm: float
    overlap_mean_mm: float
    overlap_p95_mm: float
    overlap_max_mm: float


def contacts(
    meshes: Sequence[Mesh], *, reach_mm: float, samples: int = SAMPLES
) -> tuple[Contact, ...]:
    """Every pair of meshes that touch, in the meshes' order.

    Parameters
    ----------
    meshes : sequence of Mesh
        Closed, in one frame. A structure and what it includes (a kidney and its tumour)
        overlap on purpose: leave one of them out.
    reach_mm : float
        How far apart two surfaces may lie to count as touching. About a voxel: further
        apart than that the scan shows something between them.
    samples : int
        Points on each mesh of a pair.
    """
    sides = [_Side(mesh, reach_mm) for mesh in meshes if len(mesh.faces)]
    pairs = [(a, b) for a, b in combinations(sides, 2) if a.is_near(b)]
    # First what pairs have in common, so that no two threads make it.
    shared = list(dict.fromkeys(side for pair in pairs for side in pair))
    list(in_order(lambda side: (side.vicinity, side.boxes_mm), shared))
    found = in_order(lambda pair: _contact(pair[0], pair[1], samples), pairs)
    return tuple(x for x in found if x is not None)


def contact(a: Mesh, b: Mesh, *, reach_mm: float, samples: int = SAMPLES) -> Contact | None:
    """Gap and overlap of two meshes where they touch; None if they do not.

    A point of one surface is in contact if it lies within the other solid, or if a part
    of that faces it from not more than `reach_mm` ahead.

    Examples
    --------
    >>> from medrecon.core import Label
    >>> corners = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4]], np.float32)
    >>> faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    >>> one = Mesh(corners, faces, Label(1, "one"))
    >>> below = corners * np.float32([1, 1, -1]) - np.float32([0, 0, 0.25])
    >>> two = Mesh(below, faces[:, ::-1], Label(2, "two"))
    >>> round(contact(one, two, reach_mm=0.5).gap_mean_mm, 3)
    0.25
    """
    found = contacts((a, b), reach_mm=reach_mm, samples=samples)
    return found[0] if found else None


class _Side:
    """A mesh, and what is made of it once for all its neighbours."""

    def __init__(self, mesh: Mesh, reach_mm: float) -> None:
        self.mesh, self.reach_mm = mesh, reach_mm
        self.low_mm, self.high_mm = mesh.bounds_mm

    @cached_property
    def solid(self) -> Solid:
        return Solid(self.mesh.vertices_mm, self.mesh.faces)

    @cached_property
    def vicinity(self) -> Vicinity:
        return Vicinity(self.mesh, self.solid, self.reach_mm)

    @cached_property
    def boxes_mm(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Lowest and highest coordinates of each face, (m, 3)."""
        corners = self.mesh.vertices_mm[self.mesh.faces]
        return corners.min(axis=1), corners.max(axis=1)

    def is_near(self, other: _Side) -> bool:
        """Whether the boxes of both come within reach."""
        reach = self.reach_mm
        apart = (self.low_mm > other.high_mm + reach) | (other.low_mm > self.high_mm + reach)
        return not bool(apart.any())

    def faces_near(self, other: _Side) -> npt.NDArray[np.int64]:
        """Faces of which the box lies within reach of the other's box."""
        low, high = self.boxes_mm
        reach = self.reach_mm
        apart = (low > other.high_mm + reach) | (high < other.low_mm - reach)
        return np.flatnonzero(~apart.any(axis=1))


def _contact(a: _Side, b: _Side, samples: int) -> Contact | None:
    sides = [_one_side(mine, yours, samples) for mine, yours in ((a, b), (b, a))]
    distance = np.concatenate([side.distance_mm for side in sides])
    corners = np.concatenate([side.corners_mm for side in sides])
    if not len(distance) + len(corners):
        return None
    # A peak or a touch smaller than a sample's share is known by its corners alone.
    all_of_it = np.concatenate([distance, corners])
    even = distance if len(distance) else corners
    gap, overlap = np.maximum(even, 0), np.maximum(-even, 0)
    return Contact(
        names=(a.mesh.label.name, b.mesh.label.name),
        area_mm2=float(np.mean([side.area_mm2 for side in sides])),
        gap_mean_mm=float(gap.mean()),
        gap_p95_mm=float(np.percentile(gap, 95)),
        gap_max_mm=max(0.0, float(all_of_it.max())),
        overlap_mean_mm=float(overlap.mean()),
        overlap_p95_mm=float(np.percentile(overlap, 95)),
        overlap_max_mm=max(0.0, float(-all_of_it.min())),
    )


class _Touch(NamedTuple):
    """Signed distances to the other where in contact (inside it negative), and the area.

    `distance_mm` of points spread evenly, `corners_mm` of the faces' corners.
    """

    distance_mm: Floats
    corners_mm: Floats
    area_mm2: float


def _one_side(mine: _Side, other: _Side, samples: int) -> _Touch:
    near = mine.faces_near(other)
    if not len(near):
        return _Touch(np.zeros(0), np.zeros(0), 0.0)
    points, normals, area = _spread(mine.mesh, near, samples)
    distance = _in_contact(points, normals, mine, other)
    corners = _in_contact(*_corners(mine.mesh, near), mine, other)
    return _Touch(distance, corners, area * len(distance) / samples)


def _in_contact(points_mm: Floats, normals: Floats, mine: _Side, other: _Side) -> Floats:
    """Signed distances to the other of those points that are in contact with it."""
    asked = other.vicinity.holds(points_mm)
    points_mm, normals = points_mm[asked], normals[asked]
    nearest = other.solid.nearest(points_mm)
    distance = nearest.distance_mm
    touching = distance < -_ROUNDING_MM
    touching |= (distance <= mine.reach_mm) & _faces_it(points_mm, normals, nearest, other.mesh)
    return distance[touching]


def _corners(mesh: Mesh, faces: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Vertices of some faces, and of each the unit normal of one of them."""
    vertex, first = np.unique(mesh.faces[faces], return_index=True)
    a, b, c = np.moveaxis(mesh.vertices_mm[mesh.faces[faces[first // 3]]].astype(np.float64), 1, 0)
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-30)[:, None]
    return mesh.vertices_mm[vertex].astype(np.float64), normal


def _spread(mesh: Mesh, faces: npt.NDArray[np.int64], samples: int) -> tuple[Floats, Floats, float]:
    """Points spread evenly over some faces, their unit normals, and the faces' area."""
    a, b, c = np.moveaxis(mesh.vertices_mm[mesh.faces[faces]].astype(np.float64), 1, 0)
    normal = np.cross(b - a, c - a)
    doubled = np.linalg.norm(normal, axis=1)
    total = np.cumsum(doubled)
    number = np.arange(samples)
    on = np.searchsorted(total, (number + 0.5) / samples * total[-1]).clip(max=len(faces) - 1)
    u, v = (np.mod((number + 1) * step, 1.0)[:, None] for step in _SEQUENCE)
    # The square's upper half is folded onto its lower one, a triangle.
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    points = a[on] + u * (b - a)[on] + v * (c - a)[on]
    return points, normal[on] / doubled[on, None], float(total[-1]) / 2


def _faces_it(points_mm: Floats, normals: Floats, nearest: Nearest, mesh: Mesh) -> Mask:
    """Whether the part of a mesh nearest to each point lies ahead of it and looks back."""
    a, b, c = np.moveaxis(mesh.vertices_mm[mesh.faces[nearest.face]].astype(np.float64), 1, 0)
    there = np.cross(b - a, c - a)
    there /= np.maximum(np.linalg.norm(there, axis=1), 1e-30)[:, None]
    distance = nearest.distance_mm
    ahead = ((nearest.place_mm - points_mm) * normals).sum(axis=1) > _AHEAD * distance
    opposite = (there * normals).sum(axis=1) < _FACING
    faces: Mask = opposite & (ahead | (distance < _ROUNDING_MM))
    return faces
