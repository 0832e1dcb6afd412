"""The error budget of a mesh: how far the file is from the field it came from, in mm.

*Processing* error (extraction, smoothing, decimation, rounding) is measured. What the
scan can resolve is an estimate, what the segmentation got wrong is not known, and the
maxima of different errors are never added up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh, SoftField
from medrecon.core.boxtree import BoxTree
from medrecon.core.compiled import frozen
from medrecon.core.nearest import distance_to_surface
from medrecon.quality import budget_loops
from medrecon.quality.caps import at_caps
from medrecon.quality.field_distance import signed_distance_mm

Floats = npt.NDArray[np.float64]

SAMPLES = 40_000
"""Points measured in each direction at most, evenly spread over the list: enough for a
95th percentile to 0.1 % of rank, and half a second."""

_DOUBTFUL_MM = 0.1
"""Larger distances are looked at again: the default tolerance of decimation."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """Distances from one surface to another, in mm.

    Parameters
    ----------
    samples : int
        Points measured.
    signed_mean_mm : float or None
        Positive where the mesh lies outside the field's surface.
    mean_mm, rms_mm, p95_mm, max_mm : float
        Of the absolute distances; the maximum is over the samples.
    """

    samples: int
    signed_mean_mm: float | None
    mean_mm: float
    rms_mm: float
    p95_mm: float
    max_mm: float


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """Processing error of one mesh, field to file, both directions.

    Parameters
    ----------
    mesh_to_field : Deviation
        From vertices and face centres of the mesh to the field's zero.
    field_to_mesh : Deviation
        From the full surface's vertices to the mesh.
    volume_change, area_change : float
        Mesh against full surface, as a part of the latter (0.01 is 1 %).
    vertices_at_caps : int
        Vertices where the scan ends; they are left out, there is no anatomy.
    finer_voxels : Deviation or None
        Where the surface was drawn on finer voxels than the field's: from the surface on the
        field's own voxels to it, and back, in one. What lies between is cubic against linear
        interpolation; a piece that comes or goes shows here too.
    """

    mesh_to_field: Deviation
    field_to_mesh: Deviation
    volume_change: float
    area_change: float
    vertices_at_caps: int
    finer_voxels: Deviation | None = None

    @property
    def p95_mm(self) -> float:
        """The larger 95th percentile of both directions."""
        return max(self.mesh_to_field.p95_mm, self.field_to_mesh.p95_mm)

    @property
    def max_mm(self) -> float:
        """The larger maximum of both directions."""
        return max(self.mesh_to_field.max_mm, self.field_to_mesh.max_mm)


@dataclass(frozen=True, slots=True, eq=False)
class FullSurface:
    """The surface of a field before smoothing and decimation, and what is asked of it.

    Parameters
    ----------
    mesh : Mesh
    tree : BoxTree
        Of its triangles.
    volume_mm3, area_mm2 : float
    """

    mesh: Mesh
    tree: BoxTree
    volume_mm3: float
    area_mm2: float

    @classmethod
    def of(cls, mesh: Mesh) -> FullSurface:
        """Measure a surface: a second for a million triangles, without Python's lock."""
        volume, area = _volume_and_area(mesh)
        return cls(mesh, BoxTree.of(mesh.vertices_mm, mesh.faces), volume, area)


def measure(
    field: SoftField,
    mesh: Mesh,
    *,
    reference: FullSurface,
    given: Mesh | None = None,
    samples: int = SAMPLES,
) -> ErrorBudget:
    """How far a mesh is from the zero of its field, and the other way round.

    Parameters
    ----------
    field : SoftField
        What the surface was made from.
    mesh : Mesh
        As read back from its file.
    reference : FullSurface
        The full surface of the field before smoothing and decimation. Its vertices
        are points of the field's surface.
    given : Mesh, optional
        The surface on the voxels that were given, if `field` was made finer.
    samples : int
        At most so many points in each direction.

    Raises
    ------
    ValueError
        If a mesh has no triangles.

    Notes
    -----
    Mesh to field: Newton steps along the gradient of the trilinear field find a point
    of its zero near by, an upper bound of the distance to the nearest one. Where a
    field's sign was decided against the image its gradient misleads; there the distance
    to the full surface is measured too, and the smaller counts. Field to mesh: the
    distance to the nearest point, exactly.
    """
    if not len(mesh.faces) or not len(reference.mesh.faces):
        raise ValueError("a mesh without triangles has no error budget")
    caps = at_caps(field, mesh.vertices_mm)
    volume_mm3, area_mm2 = _volume_and_area(mesh)
    points = _sample_points(mesh, caps, samples)
    outward = _tightened(signed_distance_mm(field, points), points, reference)
    return ErrorBudget(
        mesh_to_field=_deviation(np.abs(outward), float(outward.mean()) if len(outward) else 0.0),
        field_to_mesh=_deviation(_distance_back_mm(field, reference.mesh, mesh, samples), None),
        volume_change=volume_mm3 / reference.volume_mm3 - 1,
        area_change=area_mm2 / reference.area_mm2 - 1,
        vertices_at_caps=int(caps.sum()),
        finer_voxels=None if given is None else _between(given, reference, samples),
    )


def _between(given: Mesh, finer: FullSurface, samples: int) -> Deviation | None:
    """Distances between two full surfaces at their vertices, evenly thinned, both ways."""
    if not len(given.faces):
        return None
    there = finer.tree.distance_mm(given.vertices_mm[_every(len(given.vertices_mm), samples)])
    points = finer.mesh.vertices_mm[_every(len(finer.mesh.vertices_mm), samples)]
    back = distance_to_surface(points, given.vertices_mm, given.faces)
    return _deviation(np.concatenate([there, back]), None)


def _volume_and_area(mesh: Mesh) -> tuple[float, float]:
    vertices, faces = frozen(mesh.vertices_mm, np.float32), frozen(mesh.faces, np.int32)
    centre = frozen(mesh.bounds_mm.mean(axis=0), np.float64)
    volume, area = budget_loops.volume_and_area(vertices, faces, centre)
    return volume, area


def _tightened(distance_mm: Floats, points_mm: Floats, reference: FullSurface) -> Floats:
    """Signed distances, none larger in size than that to the full surface near by."""
    doubtful = np.flatnonzero(np.abs(distance_mm) > _DOUBTFUL_MM)
    if not len(doubtful):
        return distance_mm
    asked = points_mm[doubtful]
    bound = reference.tree.distance_mm(asked)
    tightened = distance_mm.copy()
    size = np.minimum(np.abs(distance_mm[doubtful]), bound)
    tightened[doubtful] = np.copysign(size, distance_mm[doubtful])
    return tightened


def _deviation(distance_mm: Floats, signed_mean_mm: float | None) -> Deviation:
    if not len(distance_mm):
        return Deviation(0, signed_mean_mm, 0.0, 0.0, 0.0, 0.0)
    return Deviation(
        samples=len(distance_mm),
        signed_mean_mm=signed_mean_mm,
        mean_mm=float(distance_mm.mean()),
        rms_mm=float(np.sqrt(np.mean(distance_mm**2))),
        p95_mm=float(np.percentile(distance_mm, 95)),
        max_mm=float(distance_mm.max()),
    )


def _every(count: int, most: int) -> slice:
    return slice(None, None, max(1, -(-count // most)))


def _sample_points(mesh: Mesh, caps: npt.NDArray[np.bool_], samples: int) -> Floats:
    """Vertices and face centres, evenly thinned, without those on caps."""
    vertices = mesh.vertices_mm[~caps]
    faces = mesh.faces[~caps[mesh.faces].any(axis=1)]
    vertices = vertices[_every(len(vertices), samples // 2)]
    faces = faces[_every(len(faces), samples // 2)]
    centres = mesh.vertices_mm[faces].astype(np.float64).mean(axis=1)
    return np.concatenate([vertices.astype(np.float64), centres])


def _distance_back_mm(field: SoftField, reference: Mesh, mesh: Mesh, samples: int) -> Floats:
    """Distances of the full surface's vertices, evenly thinned, to the mesh."""
    points = reference.vertices_mm[_every(len(reference.vertices_mm), samples)]
    points = points[~at_caps(field, points)]
    return distance_to_surface(points, mesh.vertices_mm, mesh.faces)
