"""A hollow inside a solid, a wall of even thickness around it, and holes to empty it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold

from medrecon.core import Mesh
from medrecon.errors import UsageError
from medrecon.printing.offset import offset_solid

Floats = npt.NDArray[np.float64]

SMALLEST_HOLLOW_ML = 0.2
"""Smaller hollows save nothing and are left filled."""

_SIDES = 48
"""Of a drain hole."""

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

    On a grid of 0.3 times the wall, at most 0.6 mm: the wall comes out within 0.1 mm
    wherever the surface is smooth, and thicker behind its edges.

    Raises
    ------
    UsageError
        If the wall is not positive, or leaves no hollow.
    """
    if wall_mm <= 0:
        raise UsageError(f"a wall of {wall_mm:g} mm; more than 0 expected")
    spacing = float(np.clip(0.3 * wall_mm, 0.2, 0.6))
    inner = offset_solid(mesh, -wall_mm, spacing_mm=spacing)
    pieces = inner.decompose()
    kept = [p for p in pieces if p.volume() >= SMALLEST_HOLLOW_ML * 1000]
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
        If everything is taken.
    """
    points = np.asarray(hollow.to_mesh64().vert_properties)[:, :3]
    for ball in plan.taken:
        room = ball.radius_mm + plan.diameter_mm / 2 + 2 * plan.wall_mm
        points = points[np.linalg.norm(points - ball.centre_mm, axis=1) > room]
    if not len(points):
        raise UsageError("no room for drain holes beside pins and letters; pass drain=0")
    surface = np.asarray(outer.to_mesh64().vert_properties)[:, :3]
    holes, drains = Manifold(), []
    for wanted in points[_spread_points(points, plan.count)]:
        tool, end = _least_harm(outer, hollow, surface, _near(points, wanted, plan), plan)
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


def _near(points: Floats, wanted: Floats, plan: DrainPlan) -> Floats:
    """The place wanted and others as low (or high) as it, spread out."""
    level = np.abs(points[:, 2] - wanted[2]) < plan.diameter_mm / 2
    others = points[level]
    chosen = [wanted]
    away = np.linalg.norm(others - wanted, axis=1)
    for _ in range(_CANDIDATES):
        chosen.append(others[int(np.argmax(away))])
        away = np.minimum(away, np.linalg.norm(others - chosen[-1], axis=1))
    return np.array(chosen)


def _least_harm(
    outer: Manifold, hollow: Manifold, surface: Floats, starts: Floats, plan: DrainPlan
) -> tuple[Manifold, Floats]:
    """The hole that takes the least material: straight through, not along a wall."""
    best: tuple[float, Manifold, Floats] | None = None
    for start in starts:
        way = _way_out(outer, start, surface, plan.wall_mm)
        length = float(np.linalg.norm(way))
        direction = way / length
        begin = start - direction * plan.diameter_mm / 2
        tool = _rod(begin, direction, plan.diameter_mm / 2, length + 1.5 * plan.diameter_mm)
        taken = float(((tool ^ outer) - hollow).volume())
        if best is None or taken < best[0]:
            best = taken, tool, start + way
    assert best is not None
    return best[1], best[2]


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
    return Manifold.cylinder(length_mm, radius_mm, radius_mm, _SIDES).transform(matrix)


def frame_along(direction: Floats) -> Floats:
    """(3, 3) rotation whose third column is the direction: right-handed, the same each time."""
    z = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    helper = np.eye(3)[int(np.argmin(np.abs(z)))]
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])
