"""A vessel's wall around its lumen, open where the scan or the user cut it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold

from medrecon.core import Mesh
from medrecon.errors import UsageError
from medrecon.printing.hollow import frame_along
from medrecon.printing.offset import offset_solid
from medrecon.printing.solids import solid_of

Floats = npt.NDArray[np.float64]

_FLAT_MM = 0.02
"""How far vertices of a cap may lie from its plane."""

_LEAST_CAP_MM2 = 2.0
_SAME_WAY = 0.9999
"""Cosine between normals of one cap's faces."""

_PLANES = 200
"""Planes looked at, those with most area first."""

_SIDES = 64


@dataclass(frozen=True, slots=True)
class Cap:
    """A flat end of a lumen.

    Parameters
    ----------
    centre_mm, outward : tuple of float
    radius_mm : float
        Of a circle around the centre that holds it.
    """

    centre_mm: tuple[float, float, float]
    outward: tuple[float, float, float]
    radius_mm: float


def vessel_wall(lumen: Mesh, wall_mm: float) -> tuple[Manifold, tuple[Cap, ...]]:
    """A tube of even wall around a lumen, open at the lumen's flat ends.

    The inside stays what was scanned; the wall is added outwards.

    Raises
    ------
    UsageError
        If the wall is not positive, or the lumen has no flat end.
    """
    if wall_mm <= 0:
        raise UsageError(f"a wall of {wall_mm:g} mm; more than 0 expected")
    caps = flat_caps(lumen)
    if not caps:
        raise UsageError(
            f"{lumen.label.name} has no flat end to open; cut it open with --open-at, as in "
            "--open-at z=-120"
        )
    spacing = float(np.clip(0.4 * wall_mm, 0.2, 0.8))
    wall = offset_solid(lumen, wall_mm, spacing_mm=spacing) - solid_of(lumen)
    for cap in caps:
        wall = wall - _beyond(cap, wall_mm)
    return wall, caps


def flat_caps(mesh: Mesh) -> tuple[Cap, ...]:
    """Flat ends: large planes at which the mesh near by lies wholly behind.

    Largest first. A vessel cut by the border of a scan ends so.
    """
    v = mesh.vertices_mm.astype(np.float64)
    a, b, c = (v[mesh.faces[:, n]] for n in range(3))
    doubled = np.cross(b - a, c - a)
    length = np.linalg.norm(doubled, axis=1)
    normal = doubled / np.where(length > 0, length, 1)[:, None]
    found: list[tuple[float, Cap]] = []
    used = np.zeros(len(length), np.bool_)
    for face in _of_large_planes(normal, length, a):
        if used[face]:
            continue
        n = normal[face]
        along = (v - a[face]) @ n
        flat = (normal @ n > _SAME_WAY) & (np.abs(along)[mesh.faces] < _FLAT_MM).all(axis=1)
        used |= flat
        area = float(length[flat].sum()) / 2
        rim = v[np.unique(mesh.faces[flat])]
        if area >= _LEAST_CAP_MM2 and (cap := _cap(v, along, rim, n)):
            found.append((area, cap))
    return tuple(cap for _, cap in sorted(found, key=lambda f: -f[0]))


def _of_large_planes(normal: Floats, length: Floats, corner: Floats) -> list[int]:
    """A face of each plane that holds much area, roughly grouped, largest area first."""
    key = np.round(normal, 1)
    height = np.round(np.einsum("ij,ij->i", normal, corner))
    _, group = np.unique(np.column_stack([key, height]), axis=0, return_inverse=True)
    group = group.ravel()
    area = np.bincount(group, length) / 2
    chosen = [g for g in np.argsort(-area, kind="stable")[:_PLANES] if area[g] >= _LEAST_CAP_MM2]
    largest = np.lexsort((-length, group))
    first = {int(group[n]): int(n) for n in largest[::-1]}
    return [first[int(g)] for g in chosen]


def _cap(vertices: Floats, along: Floats, rim: Floats, normal: Floats) -> Cap | None:
    """The cap of that rim, if the mesh ends there.

    Near by all of it lies behind, and it reaches farther back than the cap is wide.
    """
    centre = (rim.min(axis=0) + rim.max(axis=0)) / 2
    radius = float(np.linalg.norm(rim - centre, axis=1).max())
    near = np.linalg.norm(vertices - centre, axis=1) < 1.5 * radius
    if (along[near] > _FLAT_MM).any() or -along.min() < 1.5 * radius:
        return None
    x, y, z = (float(p) for p in centre)
    i, j, k = (float(p) for p in normal)
    return Cap((x, y, z), (i, j, k), radius)


def _beyond(cap: Cap, wall_mm: float) -> Manifold:
    """What lies outside of a cap's plane, near the cap."""
    radius = cap.radius_mm + 2 * wall_mm
    tool = Manifold.cylinder(3 * wall_mm, radius, radius, _SIDES)
    frame = frame_along(np.array(cap.outward))
    return tool.transform(np.column_stack([frame, np.array(cap.centre_mm)]))
