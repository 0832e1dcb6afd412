"""Cut along a plane, with pins on one half and their sockets in the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from manifold3d import CrossSection, Manifold

from medrecon.errors import UsageError
from medrecon.printing.hollow import frame_along

Floats = npt.NDArray[np.float64]
Triple = tuple[float, float, float]

_SIDES = 64
_ROOT_MM = 1.0
"""How far a pin reaches into the half that carries it, so that the union has no seam."""

_RINGS, _PLACES, _TRIES = 6, 400, 24
"""Outlines inside one another on which pins may stand, points on all of them together, and
places tried for each pin."""

_BEVEL = 0.25
"""Part of a pin's length over which it tapers, to find its socket."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Points p with ``normal · p = offset_mm``; the normal is of unit length."""

    normal: Triple
    offset_mm: float


@dataclass(frozen=True, slots=True)
class Pins:
    """How two halves find each other again.

    Parameters
    ----------
    diameter_mm, length_mm : float
    clearance_mm : float
        Gap all around the pin and before its tip.
    count : int
        At each connected piece of the cut, fewer where there is no room.
    wall_mm : float
        Of material around each socket, at least.
    """

    diameter_mm: float = 4.0
    length_mm: float = 4.0
    clearance_mm: float = 0.2
    count: int = 2
    wall_mm: float = 1.5


@dataclass(frozen=True, slots=True)
class PlacedPin:
    """Where a pin stands: the middle of its foot in the plane of the cut."""

    foot_mm: Triple


def cut_in_two(solid: Manifold, plane: Plane) -> tuple[Manifold, Manifold]:
    """The parts beyond the plane, in the normal's direction, and before it.

    Raises
    ------
    UsageError
        If the plane misses the solid.
    """
    beyond, before = solid.split_by_plane(plane.normal, plane.offset_mm)
    if beyond.is_empty() or before.is_empty():
        low, high = np.sort([_reach(solid, plane.normal, s) for s in (1.0, -1.0)])
        raise UsageError(
            f"a cut at {plane.offset_mm:.1f} mm misses the part, which reaches from "
            f"{low:.1f} to {high:.1f} mm there"
        )
    return beyond, before


def add_pins(
    beyond: Manifold, before: Manifold, plane: Plane, pins: Pins
) -> tuple[Manifold, Manifold, tuple[PlacedPin, ...]]:
    """Both halves again: pins on the one before the plane, sockets in the one beyond.

    Pins stand as far apart as the cut leaves room for. The pin's sides are flats inside
    its circle and the socket's outside of its own, so that the gap is never less than the
    clearance.

    Raises
    ------
    UsageError
        If there is room for none.
    """
    frame = frame_along(np.asarray(plane.normal))
    flat = before.transform(np.column_stack([frame.T, np.zeros(3)]))
    # The cut face itself: a slice a little before the plane.
    face = flat.slice(plane.offset_mm - 1e-3)
    placed: list[PlacedPin] = []
    for piece in face.decompose():
        for u, v in _room(piece, pins)[: _TRIES * pins.count]:
            foot = frame @ np.array([u, v, plane.offset_mm])
            mine = [p for p in placed if _within(piece, frame, p)]
            if len(mine) >= pins.count:
                break
            apart = all(_gap(foot, p) > 3 * pins.diameter_mm for p in mine)
            if apart and _has_wall(beyond, foot, frame, pins):
                x, y, z = (float(c) for c in foot)
                placed.append(PlacedPin((x, y, z)))
    if not placed:
        raise UsageError(
            f"no room for pins of {pins.diameter_mm:g} mm at the cut; choose thinner pins, "
            "another place for the cut, or none"
        )
    for p in placed:
        before = before + _pin(np.asarray(p.foot_mm), frame, pins)
        beyond = beyond - _socket(np.asarray(p.foot_mm), frame, pins)
    return beyond, before, tuple(placed)


def _reach(solid: Manifold, normal: Triple, sign: float) -> float:
    points = np.asarray(solid.to_mesh64().vert_properties)[:, :3]
    along = points @ np.asarray(normal)
    return float(along.max() if sign > 0 else along.min())


def _room(piece: CrossSection, pins: Pins) -> list[tuple[float, float]]:
    """Places with enough material around, those first that are farthest from each other."""
    need = pins.diameter_mm / 2 + pins.clearance_mm + pins.wall_mm
    points = []
    for step in range(_RINGS):
        inner = piece.offset(-need - step * pins.diameter_mm / 2)
        points += [np.asarray(contour) for contour in inner.to_polygons()]
    if not points:
        return []
    where = np.concatenate(points)
    where = where[:: max(1, len(where) // _PLACES)]
    middle = where.mean(axis=0)
    order = [int(np.argmax(np.linalg.norm(where - middle, axis=1)))]
    away = np.linalg.norm(where - where[order[0]], axis=1)
    for _ in range(min(len(where), _TRIES * pins.count) - 1):
        order.append(int(np.argmax(away)))
        away = np.minimum(away, np.linalg.norm(where - where[order[-1]], axis=1))
    return [(float(u), float(v)) for u, v in where[order]]


def _within(piece: CrossSection, frame: Floats, pin: PlacedPin) -> bool:
    u, v, _ = frame.T @ np.asarray(pin.foot_mm)
    dot = CrossSection.circle(0.01, 8).translate((float(u), float(v)))
    return not (piece ^ dot).is_empty()


def _gap(foot: Floats, other: PlacedPin) -> float:
    return float(np.linalg.norm(foot - np.asarray(other.foot_mm)))


def _has_wall(beyond: Manifold, foot: Floats, frame: Floats, pins: Pins) -> bool:
    """Whether a socket with its wall lies wholly inside the half."""
    radius = pins.diameter_mm / 2 + pins.clearance_mm + pins.wall_mm
    depth = pins.length_mm + pins.clearance_mm + pins.wall_mm
    block = Manifold.cylinder(depth - 0.02, radius, radius, _SIDES).translate((0, 0, 0.01))
    return bool((_at(block, foot, frame) - beyond).volume() < 1e-6)


def _at(tool: Manifold, foot: Floats, frame: Floats) -> Manifold:
    return tool.transform(np.column_stack([frame, foot]))


def _pin(foot: Floats, frame: Floats, pins: Pins) -> Manifold:
    radius, bevel = pins.diameter_mm / 2, _BEVEL * pins.length_mm
    straight = pins.length_mm - bevel + _ROOT_MM
    shaft = Manifold.cylinder(straight, radius, radius, _SIDES).translate((0, 0, -_ROOT_MM))
    tip = Manifold.cylinder(bevel, radius, radius - bevel / 2, _SIDES)
    return _at(shaft + tip.translate((0, 0, pins.length_mm - bevel)), foot, frame)


def _socket(foot: Floats, frame: Floats, pins: Pins) -> Manifold:
    radius = (pins.diameter_mm / 2 + pins.clearance_mm) / np.cos(np.pi / _SIDES)
    depth = pins.length_mm + pins.clearance_mm
    tool = Manifold.cylinder(depth + _ROOT_MM, radius, radius, _SIDES)
    return _at(tool.translate((0, 0, -_ROOT_MM)), foot, frame)
