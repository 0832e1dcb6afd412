"""What each key does: a table of functions from state to state.

Names of keys are X11's keysyms, as VTK gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from medrecon.errors import UsageError
from medrecon.view.growing import GROW_KEYS
from medrecon.view.state import (
    Camera,
    Cut,
    Facts,
    Layout,
    Measuring,
    Point,
    ViewState,
    first_state,
    with_look,
    with_slice,
)

Transition = Callable[[ViewState, Facts], ViewState]
PAGE = 10
AXES = ("sagittal", "coronal", "axial")
FACES = ("right", "left", "front", "back", "bottom", "top")
# Direction that the camera looks from and what is up, LPS.
SIDES: dict[str, tuple[Point, Point]] = {
    "A": ((0, -1, 0), (0, 0, 1)),
    "P": ((0, 1, 0), (0, 0, 1)),
    "L": ((1, 0, 0), (0, 0, 1)),
    "R": ((-1, 0, 0), (0, 0, 1)),
    "S": ((0, 0, 1), (0, -1, 0)),
    "I": ((0, 0, -1), (0, -1, 0)),
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its keysym, how it is written for people, what it does."""

    keysym: str
    written: str
    help: str
    does: Transition


def press(state: ViewState, facts: Facts, keysym: str) -> ViewState:
    """The state after a key; the same one for a key that does nothing."""
    key = KEYS.get(keysym)
    return state if key is None else key.does(replace(state, message=""), facts)


def require_known(keysyms: Sequence[str]) -> None:
    """Refuse keys that would change nothing before a window is open.

    Raises
    ------
    UsageError
        For one that there is not, or that only a window knows.
    """
    unknown = [keysym for keysym in keysyms if keysym not in KEYS]
    if unknown:
        raise UsageError(
            f"no key that changes a view: {', '.join(unknown)}; X11's names were expected, such "
            "as s, Tab, bracketleft"
        )


def camera_from(side: str, facts: Facts) -> Camera:
    """The camera that sees everything from a side of the patient."""
    towards, up = SIDES[side]
    span = [h - lo for lo, h in zip(facts.low_mm, facts.high_mm, strict=True)]
    x, y, z = ((lo + h) / 2 for lo, h in zip(facts.low_mm, facts.high_mm, strict=True))
    reach = max(sum(s * s for s in span) ** 0.5, 1.0)
    a, b, c = (m + 2 * reach * t for m, t in zip((x, y, z), towards, strict=True))
    return Camera((a, b, c), (x, y, z), up, max(max(span) * 0.62, 1.0))


def _choose(by: int) -> Transition:
    def does(state: ViewState, facts: Facts) -> ViewState:
        if not state.looks:
            return state
        chosen = (state.chosen + by) % len(state.looks)
        name = state.looks[chosen].name
        return replace(state, chosen=chosen, message=f"{name.replace('_', ' ')} is chosen")

    return does


def _toggle(state: ViewState, facts: Facts) -> ViewState:
    return with_look(state, visible=not state.looks[state.chosen].visible) if state.looks else state


def _only(state: ViewState, facts: Facts) -> ViewState:
    """Only the chosen one, or all again if it is alone already."""
    alone = [n for n, look in enumerate(state.looks) if look.visible] == [state.chosen]
    looks = (replace(x, visible=alone or n == state.chosen) for n, x in enumerate(state.looks))
    return replace(state, looks=tuple(looks))


def _opacity(by: float) -> Transition:
    def does(state: ViewState, facts: Facts) -> ViewState:
        if not state.looks:
            return state
        opacity = state.looks[state.chosen].opacity + by
        return with_look(state, opacity=round(min(max(opacity, 0.0), 1.0), 2))

    return does


def _slice(by: int) -> Transition:
    def does(state: ViewState, facts: Facts) -> ViewState:
        return with_slice(state, facts, state.axis, state.slices[state.axis] + by)

    return does


def _axis(axis: int) -> Transition:
    def does(state: ViewState, facts: Facts) -> ViewState:
        words = f"keys move the {AXES[axis]} slice and cut"
        return replace(state, axis=axis, plane_axis=axis, message=words)

    return does


def _show_slices(state: ViewState, facts: Facts) -> ViewState:
    if facts.shape is None:
        return replace(state, message="there is no image here")
    return replace(state, slices_shown=not state.slices_shown)


def _layout(state: ViewState, facts: Facts) -> ViewState:
    if facts.shape is None:
        return replace(state, message="there is no image here")
    other = Layout.FOUR if state.layout is Layout.SCENE else Layout.SCENE
    return replace(state, layout=other)


def _outlines(state: ViewState, facts: Facts) -> ViewState:
    return replace(state, outlines_shown=not state.outlines_shown)


def _window(number: int) -> Transition:
    def does(state: ViewState, facts: Facts) -> ViewState:
        if number >= len(facts.windows):
            return replace(state, message="no such window")
        return replace(state, window=facts.windows[number])

    return does


def _widen(level: float, width: float) -> Transition:
    """Move the window by a tenth of its width, or scale it."""

    def does(state: ViewState, facts: Facts) -> ViewState:
        low, high = state.window
        middle = (low + high) / 2 + level * (high - low)
        half = (high - low) / 2 * width
        return replace(state, window=(middle - half, middle + half))

    return does


def _cut(state: ViewState, facts: Facts) -> ViewState:
    order = list(Cut)
    cut = order[(order.index(state.cut) + 1) % len(order)]
    return replace(state, cut=cut, message=f"cutting: {cut.value}")


def _move_cut(by: float) -> Transition:
    def does(state: ViewState, facts: Facts) -> ViewState:
        if state.cut is Cut.NONE:
            return replace(state, message="press c to cut")
        if state.cut is Cut.PLANE:
            return replace(state, plane=min(max(round(state.plane + by, 3), 0.0), 1.0))
        box = list(state.box)
        low, high = (
            (0.0, box[state.face + 1]) if state.face % 2 == 0 else (box[state.face - 1], 1.0)
        )
        box[state.face] = min(max(round(box[state.face] + by, 3), low), high)
        a, b, c, d, e, f = box
        return replace(state, box=(a, b, c, d, e, f))

    return does


def _flip(state: ViewState, facts: Facts) -> ViewState:
    return replace(state, flipped=not state.flipped)


def _face(state: ViewState, facts: Facts) -> ViewState:
    face = (state.face + 1) % 6
    return replace(state, face=face, message=f"keys move the box's {FACES[face]} side")


def _colours(state: ViewState, facts: Facts) -> ViewState:
    if len(facts.colours) == 1:
        words = "no values to colour by; open a run with --errors, or two runs"
        return replace(state, message=words)
    at = facts.colours.index(state.colours)
    colours = facts.colours[(at + 1) % len(facts.colours)]
    return replace(state, colours=colours, message=f"coloured by {colours}")


def _measure(state: ViewState, facts: Facts) -> ViewState:
    order = list(Measuring)
    kind = order[(order.index(state.measuring) + 1) % len(order)]
    words = f"{kind.value}: click {kind.points} points" if kind.points else "no measuring"
    return replace(state, measuring=kind, pending=(), message=words)


def _take_back(state: ViewState, facts: Facts) -> ViewState:
    if state.pending:
        return replace(state, pending=state.pending[:-1])
    return replace(state, measures=state.measures[:-1])


def _look_from(side: str) -> Transition:
    def does(state: ViewState, facts: Facts) -> ViewState:
        return replace(state, camera=camera_from(side, facts))

    return does


def _help(state: ViewState, facts: Facts) -> ViewState:
    return replace(state, help_shown=not state.help_shown)


def _again(state: ViewState, facts: Facts) -> ViewState:
    return replace(first_state(facts), camera=camera_from("A", facts), message="as at the start")


_STEP = 0.02
_TABLE = (
    Key("h", "h", "this help", _help),
    Key("Up", "up", "previous structure", _choose(-1)),
    Key("Down", "down", "next structure", _choose(1)),
    Key("v", "v", "show or hide the chosen structure", _toggle),
    Key("o", "o", "only the chosen structure, or all again", _only),
    Key("bracketleft", "[", "more transparent", _opacity(-0.1)),
    Key("bracketright", "]", "less transparent", _opacity(0.1)),
    *(Key(s, s, f"look from {s}", _look_from(s)) for s in SIDES),
    Key("s", "s", "slices in the scene, on or off", _show_slices),
    Key("Tab", "tab", "scene alone, or with three slices beside it", _layout),
    Key("l", "l", "outlines on the slices, on or off", _outlines),
    Key("x", "x", "arrows move the sagittal slice; cut left to right", _axis(0)),
    Key("y", "y", "arrows move the coronal slice; cut front to back", _axis(1)),
    Key("z", "z", "arrows move the axial slice; cut bottom to top", _axis(2)),
    Key("Right", "right", "next slice", _slice(1)),
    Key("Left", "left", "previous slice", _slice(-1)),
    Key("Prior", "page up", "ten slices on", _slice(PAGE)),
    Key("Next", "page down", "ten slices back", _slice(-PAGE)),
    *(Key(str(n + 1), str(n + 1), f"window preset {n + 1}", _window(n)) for n in range(5)),
    Key("comma", ",", "window level up: darker", _widen(0.1, 1.0)),
    Key("period", ".", "window level down: brighter", _widen(-0.1, 1.0)),
    Key("minus", "-", "narrower window", _widen(0.0, 0.8)),
    Key("plus", "+", "wider window", _widen(0.0, 1.25)),
    Key("equal", "=", "wider window", _widen(0.0, 1.25)),
    Key("c", "c", "cut by a plane, by a box, not at all", _cut),
    Key("t", "t", "move the cut forth", _move_cut(_STEP)),
    Key("g", "g", "move the cut back", _move_cut(-_STEP)),
    Key("f", "f", "keep the other side of the plane", _flip),
    Key("b", "b", "next side of the box", _face),
    Key("d", "d", "colours: labels, deviation, uncertainty", _colours),
    Key("m", "m", "measure: distance, angle, off", _measure),
    Key("BackSpace", "backspace", "take back the last point or measurement", _take_back),
    Key("0", "0", "everything as at the start", _again),
)
KEYS = {key.keysym: key for key in _TABLE}

# Keys that touch more than the state; `session` does them.
SESSION_KEYS = (
    ("Return", "enter", "measure from or to the crossing of the slices"),
    ("p", "p", "picture of the window into a file"),
    ("w", "w", "write the view to a file"),
    ("e", "e", "read the view from that file"),
    ("q", "q", "close"),
)


def help_lines() -> list[tuple[str, str]]:
    """Every key as it is written, and what it does; keys that differ by a number as one."""
    lines: list[tuple[str, str]] = []
    for key in _TABLE:
        if key.keysym in {"P", "L", "R", "S", "I", "2", "3", "4", "5", "equal"}:
            continue
        written = {"A": "A P L R S I", "1": "1 … 5"}.get(key.keysym, key.written)
        words = {"A": "look from that side of the patient", "1": "window presets"}
        lines.append((written, words.get(key.keysym, key.help)))
    return [*lines, *GROW_KEYS, *((written, words) for _, written, words in SESSION_KEYS)]
