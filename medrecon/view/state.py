"""What the viewer shows, as one frozen value. Nothing here draws.

Every key and every click is a function from `ViewState` to `ViewState`
(`medrecon.view.keys`), so the whole viewer can be tested without OpenGL, and a view
can be saved and restored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

Point = tuple[float, float, float]
Indices = tuple[int, int, int]


class Layout(Enum):
    """How the window is divided."""

    SCENE = "scene"
    FOUR = "four"


class Cut(Enum):
    """What the clipping keys move."""

    NONE = "none"
    PLANE = "plane"
    BOX = "box"


class Measuring(Enum):
    """What clicks are collected for."""

    OFF = "off"
    DISTANCE = "distance"
    ANGLE = "angle"

    @property
    def points(self) -> int:
        """Points that make one measurement."""
        return {"off": 0, "distance": 2, "angle": 3}[self.value]


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to show: fixed while the viewer is open.

    Parameters
    ----------
    names : tuple of str
        The structures.
    opacities : tuple of float
        What each is shown with at first.
    shape : tuple of int or None
        Slices along L, P and S; None without an image.
    windows : tuple of (low, high)
        Window presets.
    colours : tuple of str
        "label", and what the meshes carry values for.
    runs : int
        Runs that stand side by side.
    low_mm, high_mm : tuple of float
        Corners of the meshes' (or the image's) bounding box, LPS.
    """

    names: tuple[str, ...]
    opacities: tuple[float, ...]
    shape: Indices | None = None
    windows: tuple[tuple[float, float], ...] = ()
    colours: tuple[str, ...] = ("label",)
    runs: int = 1
    low_mm: Point = (0.0, 0.0, 0.0)
    high_mm: Point = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Look:
    """How one structure is shown."""

    name: str
    visible: bool = True
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the scene is looked at from, with parallel rays; LPS mm."""

    position: Point
    focus: Point
    up: Point
    half_height_mm: float


@dataclass(frozen=True, slots=True)
class Measure:
    """A finished measurement."""

    points: tuple[Point, ...]

    @property
    def words(self) -> str:
        """Its figure: mm between two points, degrees at the middle one of three."""
        if len(self.points) == 2:
            return f"{math.dist(*self.points):.1f} mm"
        a, b, c = self.points
        one, two = ([p - q for p, q in zip(end, b, strict=True)] for end in (a, c))
        dot = sum(x * y for x, y in zip(one, two, strict=True))
        lengths = math.hypot(*one) * math.hypot(*two)
        angle = math.acos(max(-1.0, min(1.0, dot / lengths))) if lengths else 0.0
        return f"{math.degrees(angle):.1f}°"


@dataclass(frozen=True, slots=True)
class ViewState:
    """Everything that can be changed in the viewer.

    Parameters
    ----------
    looks : tuple of Look
        One for each structure.
    chosen : int
        The structure that keys and slider act on.
    layout : Layout
    slices : tuple of int
        Where the three slices lie, along L, P and S.
    axis : int
        The slice (0 sagittal, 1 coronal, 2 axial) and the clipping axis that keys move.
    slices_shown, outlines_shown : bool
    window : tuple of float
        Values shown black and white.
    cut : Cut
    plane : float
        Where the plane cuts, as a fraction of the bounding box along `axis`.
    plane_axis : int
    flipped : bool
        Whether the other side of the plane is kept.
    box : 6 floats
        Fractions of the bounding box: low and high along L, P and S.
    colours : str
        "label", "deviation" or "uncertainty".
    measuring : Measuring
    pending : tuple of points
        Clicked, but too few for a measurement.
    measures : tuple of Measure
    camera : Camera or None
        None shows everything from the front.
    help_shown : bool
    message : str
        The last thing that the viewer has to say.
    """

    looks: tuple[Look, ...]
    chosen: int = 0
    layout: Layout = Layout.SCENE
    slices: Indices = (0, 0, 0)
    axis: int = 2
    slices_shown: bool = False
    outlines_shown: bool = True
    window: tuple[float, float] = (-160.0, 240.0)
    cut: Cut = Cut.NONE
    plane: float = 0.5
    plane_axis: int = 1
    flipped: bool = False
    box: tuple[float, float, float, float, float, float] = (0.0, 1.0, 0.0, 1.0, 0.0, 1.0)
    face: int = 0
    colours: str = "label"
    measuring: Measuring = Measuring.OFF
    pending: tuple[Point, ...] = ()
    measures: tuple[Measure, ...] = ()
    camera: Camera | None = None
    help_shown: bool = False
    message: str = ""


def first_state(facts: Facts) -> ViewState:
    """What is shown when the viewer opens."""
    looks = tuple(Look(n, True, a) for n, a in zip(facts.names, facts.opacities, strict=True))
    state = ViewState(looks)
    if facts.shape is not None:
        i, j, k = (n // 2 for n in facts.shape)
        state = replace(state, slices=(i, j, k), window=facts.windows[0])
        if not facts.names:
            state = replace(state, slices_shown=True, layout=Layout.FOUR)
    return state


def with_point(state: ViewState, point: Point) -> ViewState:
    """The state with a clicked point; the last one needed makes a measurement."""
    if state.measuring is Measuring.OFF:
        return state
    pending = (*state.pending, point)
    if len(pending) < state.measuring.points:
        left = state.measuring.points - len(pending)
        return replace(state, pending=pending, message=f"{left} more for the {_kind(state)}")
    measure = Measure(pending)
    return replace(
        state, pending=(), measures=(*state.measures, measure), message=f"{measure.words}"
    )


def with_slice(state: ViewState, facts: Facts, axis: int, index: int) -> ViewState:
    """The state with one slice moved, kept within the image."""
    if facts.shape is None:
        return replace(state, message="there is no image here")
    slices = list(state.slices)
    slices[axis] = min(max(index, 0), facts.shape[axis] - 1)
    i, j, k = slices
    return replace(state, slices=(i, j, k), axis=axis)


def with_look(state: ViewState, **changes: bool | float) -> ViewState:
    """The state with the chosen structure shown otherwise."""
    if not state.looks:
        return state
    looks = list(state.looks)
    looks[state.chosen] = replace(looks[state.chosen], **changes)  # type: ignore[arg-type]
    return replace(state, looks=tuple(looks))


def _kind(state: ViewState) -> str:
    return state.measuring.value
