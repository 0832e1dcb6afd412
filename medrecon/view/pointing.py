"""What the user points at to grow a structure, as values; nothing here draws or grows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np

from medrecon.core import Geometry, Mesh
from medrecon.view.state import Point

FIRST_NAME = "tumor"
# What may stand in a name, as keys are called.
_SIGNS = {"space": "_", "underscore": "_", "minus": "_"}


class Tool(Enum):
    """What a press of the mouse on a slice makes."""

    CLICK = "click"
    STROKE = "stroke"
    BOX = "box"


@dataclass(frozen=True, slots=True)
class Seed:
    """A click, or the points of a stroke, LPS mm; in the structure or not."""

    points_mm: tuple[Point, ...]
    inside: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """Everything pointed at, in order.

    Parameters
    ----------
    seeds : tuple of Seed
    box_mm : pair of points or None
        Opposite corners of a box along the image's axes, LPS mm.
    """

    seeds: tuple[Seed, ...] = ()
    box_mm: tuple[Point, Point] | None = None

    @property
    def is_enough(self) -> bool:
        """Whether something can be grown from it."""
        return self.box_mm is not None or any(s.inside for s in self.seeds)


@dataclass(frozen=True, slots=True)
class Grown:
    """A structure as it is now.

    Parameters
    ----------
    mesh : Mesh
    volume_ml : float
    """

    mesh: Mesh
    volume_ml: float


class Grower(Protocol):
    """What makes structures of what is told; called in a thread beside the window's."""

    def grow(self, told: Told, name: str) -> Grown:
        """The structure."""
        ...

    def accept(self, told: Told, name: str) -> str:
        """Write it; the words to show for it."""
        ...


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where the user is in telling.

    Parameters
    ----------
    on : bool
        Whether keys and clicks tell.
    naming : bool
        Whether keys go into the name.
    name : str
    fresh_name : bool
        Whether the next letter replaces the name.
    tool : Tool
    told : Told
    before : tuple of Told
        What undoing goes back to.
    path : tuple of points
        A stroke or a box that is not finished.
    """

    on: bool = False
    naming: bool = False
    name: str = FIRST_NAME
    fresh_name: bool = True
    tool: Tool = Tool.CLICK
    told: Told = Told()
    before: tuple[Told, ...] = ()
    path: tuple[Point, ...] = ()


def begun(now: Pointing) -> Pointing:
    """Telling begins with the name, or goes on where it was left."""
    naming = not now.told.is_enough
    return replace(now, on=True, naming=naming, fresh_name=naming)


def typed(now: Pointing, keysym: str) -> Pointing:
    """A key while the name is being typed."""
    sign = _SIGNS.get(keysym, keysym)
    if keysym in ("Return", "KP_Enter") and now.name:
        return replace(now, naming=False)
    if keysym == "BackSpace":
        return replace(now, name=now.name[:-1], fresh_name=False)
    if len(sign) == 1 and (sign.isalnum() or sign == "_"):
        start = "" if now.fresh_name else now.name
        return replace(now, name=start + sign.lower(), fresh_name=False)
    return now


def next_tool(now: Pointing) -> Pointing:
    """Click, stroke, box and round again."""
    order = list(Tool)
    return replace(now, tool=order[(order.index(now.tool) + 1) % len(order)], path=())


def with_seed(now: Pointing, points: tuple[Point, ...], inside: bool) -> Pointing:
    """A click or a stroke more."""
    seeds = (*now.told.seeds, Seed(points, inside))
    return _told(now, replace(now.told, seeds=seeds))


def with_box(now: Pointing, box: tuple[Point, Point]) -> Pointing:
    """Another box."""
    return _told(now, replace(now.told, box_mm=box))


def undone(now: Pointing) -> Pointing:
    """Without what was told last, or without what was begun."""
    if now.path:
        return replace(now, path=())
    if not now.before:
        return now
    return replace(now, told=now.before[-1], before=now.before[:-1])


def at_crossing(now: Pointing, point: Point, inside: bool) -> Pointing:
    """The crossing of the slices taken by a key: a seed, a stroke's next point, a corner."""
    if now.tool is Tool.CLICK:
        return with_seed(now, (point,), inside)
    if now.tool is Tool.BOX and now.path:
        return with_box(now, (now.path[0], point))
    return replace(now, path=(*now.path, point))


def finished_stroke(now: Pointing, inside: bool) -> Pointing:
    """The stroke that was being drawn; as it is where there is none."""
    if now.tool is not Tool.STROKE or not now.path:
        return now
    return with_seed(now, now.path, inside)


def box_on_slice(
    grid: Geometry, a: Point, b: Point, axis: int, before: tuple[Point, Point] | None
) -> tuple[Point, Point]:
    """The box that a rectangle on a slice across an axis of the grid stands for.

    Along that axis it is as deep as the box before; without one it reaches as far to
    either side as the rectangle's longer side.
    """
    low, high = np.sort(grid.index_from_mm([a, b]), axis=0)
    spacing = np.asarray(grid.spacing_mm)
    if before is None:
        depth = max((high - low) * spacing) / spacing[axis]
        low[axis], high[axis] = low[axis] - depth, high[axis] + depth
    else:
        ends = np.sort(grid.index_from_mm(before), axis=0)[:, axis]
        low[axis], high[axis] = ends
    last = np.asarray(grid.shape) - 0.5
    (x, y, z), (u, v, w) = grid.mm_from_index(
        [np.clip(low, -0.5, last), np.clip(high, -0.5, last)]
    ).tolist()
    return (x, y, z), (u, v, w)


def _told(now: Pointing, told: Told) -> Pointing:
    return replace(now, told=told, before=(*now.before, now.told), path=())
