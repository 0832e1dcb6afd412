"""A hollow inside a solid, a wall of even thickness around it, and holes to empty it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold

from medrecon.core import Mesh
from medrecon.errors import UsageError
from medrecon.printing.offset import offset_solid
from medrecon.printing.solids import bounds_mm

Floats = npt.NDArray[np.float64]

SMALLEST_HOLLOW_ML = 0.2
"""Smaller hollows save nothing and are left filled."""

_SIDES = 48
"""Of a drain hole."""

_LEVELS = (0.5, 1.0, 2.0, 4.0)
"""Diameters that a hole may lie above or below the place wanted, tried in turn."""

_PLAIN = 0.02
"""Part of the wall around a hole that may be missing."""

_ASKEW_DEG = 1.3
"""A hole's corners lie at no round angle, so that none falls into a plane of the part."""

_CANDIDATES = 12
"""Other places tried for a hole, beside the lowest."""


@dataclass(frozen=True, slots=True)
class Drain:
    """A hole from a hollow to the outside.

    Parameters
    ----------
    place_mm : tuple of float
        Where its axis leaves the surface, in the part's frame.
    diameter_mm : float
    """

    place_mm: tuple[float, float, float]
    diameter_mm: float


@dataclass(frozen=True, slots=True)
class Ball:
    """A place that holes keep away from: a pin, a socket, letters."""

    centre_mm: tuple[float, float, float]
    radius_mm: float


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """How a hollow is emptied: holes of a diameter, so many, through a wall."""

    diameter_mm: float
    count: int
    wall_mm: float
    taken: tuple[Ball, ...] = ()


def hollows_of(mesh: Mesh, wall_mm: float) -> list[Manifold]:
    """The hollows that leave a wall of a thickness everywhere, largest first.

    On a grid of 0.3 times the wall, at most 0.6 mm: a wall of 2 mm comes out within 0.1 mm,
    behind edges too. Only where a hollow ends in a feather thinner than the grid's spacing
    can it stay thicker.

    Raises
    ------
    UsageError
        If the wall is not positive, or leaves no hollow.
    """
    if wall_mm <= 0:
        raise UsageError(f"a wall of {wall_mm:g} mm; more than 0 expected")
    spacing = float(np.clip(0.3 * wall_mm, 0.2, 0.6))
    inner = offset_solid(mesh, -wall_mm, spacing_mm=spacing)
    kept = [p for p in inner.decompose() if p.volume() >= SMALLEST_HOLLOW_ML * 1000]
    if not kept:
        raise UsageError(f"{mesh.label.name} is too thin to be hollow with walls of {wall_mm:g} mm")
    return sorted(kept, key=lambda p: -p.volume())


def drain_holes(
    outer: Manifold, hollow: Manifold, plan: DrainPlan
) -> tuple[Manifold, tuple[Drain, ...]]:
    """Round holes out of a hollow, at its lowest place first, and where they leave.

    The first is at the lowest point of the hollow (z is up), the second at the highest,
    so that air follows what runs out; further ones lie as far from all others as can be.
    Each runs from the hollow straight through the nearest wall, clear of what is taken.

    Returns
    -------
    holes : Manifold
        To be taken away from the part.
    drains : tuple of Drain

    Raises
    ------
    UsageError
        If everything is taken, or the hollow is narrower than a hole.
    """
    width = float(np.ptp(bounds_mm(hollow), axis=0).max())
    if plan.diameter_mm >= width:
        raise UsageError(
            f"drain holes of {plan.diameter_mm:g} mm out of a hollow {width:.1f} mm wide; choose "
            "narrower ones, or pass drain=0"
        )
    # A flat side may have no vertex but its corners, where a hole would run along two walls.
    close = hollow.refine_to_length(plan.diameter_mm)
    points = np.asarray(close.to_mesh64().vert_properties)[:, :3]
    for ball in plan.taken:
        room = ball.radius_mm + plan.diameter_mm / 2 + 2 * plan.wall_mm
        points = points[np.linalg.norm(points - ball.centre_mm, axis=1) > room]
    if not len(points):
        raise UsageError("no room for drain holes beside pins and letters; pass drain=0")
    surface = np.asarray(outer.to_mesh64().vert_properties)[:, :3]
    holes, drains = Manifold(), []
    for wanted in points[_spread_points(points, plan.count)]:
        tool, end = _plainest(outer, hollow, surface, points, wanted, plan)
        holes = holes + tool
        x, y, z = (round(float(c), 3) for c in end)
        drains.append(Drain((x, y, z), plan.diameter_mm))
    return holes, tuple(drains)


def _spread_points(points: Floats, count: int) -> list[int]:
    chosen = [int(np.argmin(points[:, 2]))]
    if count > 1:
        chosen.append(int(np.argmax(points[:, 2])))
    while len(chosen) < count:
        away = np.min([np.linalg.norm(points - points[n], axis=1) for n in chosen], axis=0)
        chosen.append(int(np.argmax(away)))
    return chosen[:count]


def _plainest(
    outer: Manifold,
    hollow: Manifold,
    surface: Floats,
    points: Floats,
    wanted: Floats,
    plan: DrainPlan,
) -> tuple[Manifold, Floats]:
    """The hole with the plainest wall around it, as near the height wanted as there is one."""
    found = []
    for within in _LEVELS:
        starts = _near(points, wanted, within * plan.diameter_mm)
        found.append(_least_harm(outer, hollow, surface, starts, plan))
        if found[-1][0] < _PLAIN:
            break
    _, tool, end = min(found, key=lambda f: f[0])
    return tool, end


def _near(points: Floats, wanted: Floats, within_mm: float) -> Floats:
    """The place wanted and others about as low (or high) as it, spread out."""
    level = np.abs(points[:, 2] - wanted[2]) < within_mm
    others = points[level]
    chosen = [wanted]
    away = np.linalg.norm(others - wanted, axis=1)
    for _ in range(_CANDIDATES):
        chosen.append(others[int(np.argmax(away))])
        away = np.minimum(away, np.linalg.norm(others - chosen[-1], axis=1))
    return np.array(chosen)


def _least_harm(
    outer: Manifold, hollow: Manifold, surface: Floats, starts: Floats, plan: DrainPlan
) -> tuple[float, Manifold, Floats]:
    """The hole with the plainest wall around it, and the part of that wall that is missing.

    A ring around each hole, half way through the wall, should be all material: where it
    is not there is an edge, and a skin would be left beside the hole, or the hole runs
    along the wall. Of holes as good, the one that takes least.
    """
    best: tuple[float, float, Manifold, Floats] | None = None
    radius = plan.diameter_mm / 2
    for start in starts:
        way = _way_out(outer, start, surface, plan.wall_mm)
        length = float(np.linalg.norm(way))
        direction = way / length
        reach = length + 1.5 * plan.diameter_mm
        tool = _rod(start - direction * radius, direction, radius, reach)
        inner, wide = (radius + part * plan.wall_mm for part in (0.4, 0.6))
        half, thin = start + 0.4 * way, 0.2 * length
        ring = _rod(half, direction, wide, thin) - _rod(half, direction, inner, thin)
        missing = round(1 - ((ring ^ outer) - hollow).volume() / ring.volume(), 3)
        taken = float(((tool ^ outer) - hollow).volume())
        if best is None or (missing, taken) < best[:2]:
            best = missing, taken, tool, start + way
    assert best is not None
    return best[0], best[2], best[3]


def _way_out(outer: Manifold, start: Floats, surface: Floats, wall_mm: float) -> Floats:
    """The shortest of some ways from a point of the hollow through the wall.

    Towards the nearest vertex of the outer surface, and along the axes.
    """
    best: Floats | None = None
    towards = surface - start
    nearest = towards[np.argmin(np.einsum("ij,ij->i", towards, towards))]
    for direction in (nearest, *_AXES):
        unit = np.asarray(direction, np.float64) / np.linalg.norm(direction)
        hits = outer.ray_cast(start, start + unit * 10 * wall_mm)
        for hit in hits[:1]:
            way = np.asarray(hit.position, np.float64) - start
            if best is None or np.linalg.norm(way) < np.linalg.norm(best):
                best = way
    return nearest if best is None else best


_AXES = tuple(tuple(float(c) for c in row) for row in np.vstack([np.eye(3), -np.eye(3)]).tolist())


def _rod(start: Floats, direction: Floats, radius_mm: float, length_mm: float) -> Manifold:
    """A cylinder from a point along a direction."""
    frame = frame_along(direction)
    matrix = np.column_stack([frame, start])
    rod = Manifold.cylinder(length_mm, radius_mm, radius_mm, _SIDES)
    return rod.rotate((0, 0, _ASKEW_DEG)).transform(matrix)


def frame_along(direction: Floats) -> Floats:
    """(3, 3) rotation whose third column is the direction: right-handed, the same each time."""
    z = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    helper = np.eye(3)[int(np.argmin(np.abs(z)))]
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])
