"""Two surfaces of one thing: how far apart, and by which rigid motion.

References
----------
Besl PJ, McKay ND. A method for registration of 3-D shapes. IEEE Trans Pattern Anal Mach
Intell 1992, DOI 10.1109/34.121791 (closest points; here with their tangent planes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.core.nearest import distance_to_surface
from medrecon.quality.deviation import deviation_from_mesh

Floats = npt.NDArray[np.float64]

SAMPLES = 20_000
ROUNDS = 30
# Points further off than this many medians are no counterpart: something is missing there.
TRIM = 3.0
STILL_MM = 1e-4


@dataclass(frozen=True, slots=True)
class Apart:
    """Distances between two surfaces, both directions, in mm.

    Parameters
    ----------
    signed_mean_mm : float
        Of the other surface from the first, positive outside it.
    mean_mm, rms_mm, p95_mm, max_mm : float
        Of both directions' distances together; the larger of the two 95th percentiles.
    offset_lps_mm : tuple of float
        The translation that brings the other one onto the first best.
    rotation_degrees : float
        The rotation that goes with it.
    """

    signed_mean_mm: float
    mean_mm: float
    rms_mm: float
    p95_mm: float
    max_mm: float
    offset_lps_mm: tuple[float, float, float]
    rotation_degrees: float


def apart(reference: Mesh, other: Mesh) -> Apart:
    """How far `other` lies from `reference`, as it lies."""
    there = distance_to_surface(_some(other), reference.vertices_mm, reference.faces)
    back = distance_to_surface(_some(reference), other.vertices_mm, other.faces)
    both = np.concatenate([there, back])
    signed = deviation_from_mesh(_part(other), reference)
    motion = rigid_motion(reference, other)
    x, y, z = (float(v) for v in _centre(other) @ motion[:3, :3].T + motion[:3, 3] - _centre(other))
    return Apart(
        float(signed.mean()),
        float(both.mean()),
        float(np.sqrt((both**2).mean())),
        float(max(np.quantile(there, 0.95), np.quantile(back, 0.95))),
        float(both.max()),
        (x, y, z),
        float(np.rad2deg(np.arccos(np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1)))),
    )


def rigid_motion(reference: Mesh, other: Mesh) -> Floats:
    """4×4 that moves `other` onto `reference`, from where it lies.

    Iterated closest points, each pulled towards the tangent plane of the nearest one,
    outliers beyond three medians left out; finds the nearest minimum, so parts that lie
    elsewhere or turned by more than some 30 degrees need a first placing by hand.
    """
    from scipy.spatial import cKDTree

    targets, normals = _surface_points(reference)
    tree = cKDTree(targets)
    points, _ = _surface_points(other, SAMPLES // 4)
    motion = np.eye(4)
    for _ in range(ROUNDS):
        moved = points @ motion[:3, :3].T + motion[:3, 3]
        _, nearest = tree.query(moved)
        gap = ((targets[nearest] - moved) * normals[nearest]).sum(axis=1)
        near = np.abs(gap) <= TRIM * max(float(np.median(np.abs(gap))), 1e-6)
        step = _towards_planes(moved[near], normals[nearest][near], gap[near])
        motion = step @ motion
        if np.abs(step - np.eye(4)).max() < STILL_MM:
            break
    return motion


def moved(mesh: Mesh, motion: Floats) -> Mesh:
    """The mesh after a rigid motion."""
    vertices = mesh.vertices_mm.astype(np.float64) @ motion[:3, :3].T + motion[:3, 3]
    return Mesh(vertices.astype(np.float32), mesh.faces, mesh.label)


def _towards_planes(points: Floats, normals: Floats, gap: Floats) -> Floats:
    """The small rigid motion that best closes the gaps along the normals."""
    centre = points.mean(axis=0)
    rows = np.hstack([np.cross(points - centre, normals), normals])
    answer = np.linalg.lstsq(rows, gap, rcond=1e-6)[0]
    u, _, v = np.linalg.svd(np.eye(3) + _cross_matrix(answer[:3]))
    step = np.eye(4)
    step[:3, :3] = u @ v
    step[:3, 3] = centre + answer[3:] - step[:3, :3] @ centre
    return step


def _cross_matrix(w: Floats) -> Floats:
    x, y, z = w
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def _surface_points(mesh: Mesh, count: int = SAMPLES * 5) -> tuple[Floats, Floats]:
    """Triangles' centres and normals, evenly taken from the list."""
    faces = mesh.faces[:: max(1, len(mesh.faces) // count)]
    corners = mesh.vertices_mm.astype(np.float64)[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1)
    good = length > 0
    return corners.mean(axis=1)[good], normals[good] / length[good, None]


def _some(mesh: Mesh) -> Floats:
    vertices = mesh.vertices_mm.astype(np.float64)
    return np.asarray(vertices[:: max(1, len(vertices) // SAMPLES)])


def _part(mesh: Mesh) -> Mesh:
    return Mesh(_some(mesh).astype(np.float32), np.zeros((0, 3), np.int32), mesh.label)


def _centre(mesh: Mesh) -> Floats:
    return np.asarray(mesh.vertices_mm.astype(np.float64).mean(axis=0))
