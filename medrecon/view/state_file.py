"""A view as JSON, so that it can be opened again tomorrow or by somebody else."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

from medrecon.errors import DamagedInputError
from medrecon.files.atomic import write_json
from medrecon.view.state import Camera, Cut, Facts, Layout, Look, Measure, Measuring, ViewState

SCHEMA_VERSION = 1


def save_view(state: ViewState, path: Path) -> None:
    """Write the view; help and messages are not part of it."""
    kept = replace(state, help_shown=False, message="", pending=())
    write_json(path, {"schema_version": SCHEMA_VERSION, "view": _plain(kept)})


def load_view(path: Path, facts: Facts) -> ViewState:
    """Read a view, and fit it to what there is to show.

    Structures are found by name; those the file does not know keep their first look.

    Raises
    ------
    DamagedInputError
        If the file is no view.
    """
    try:
        state = _state(json.loads(path.read_text("utf-8"), parse_constant=_refused)["view"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        raise DamagedInputError(f"{path.name} is not a saved view") from None
    return fitted(state, facts)


def fitted(state: ViewState, facts: Facts) -> ViewState:
    """A state from elsewhere, within what there is here."""
    known = {look.name: look for look in state.looks}
    first = zip(facts.names, facts.opacities, strict=True)
    looks = tuple(known.get(n, Look(n, True, a)) for n, a in first)
    state = replace(
        state,
        looks=looks,
        chosen=max(min(state.chosen, len(looks) - 1), 0),
        colours=state.colours if state.colours in facts.colours else "label",
    )
    if facts.shape is None:
        return replace(state, slices=(0, 0, 0), slices_shown=False, layout=Layout.SCENE)
    i, j, k = (min(max(s, 0), n - 1) for s, n in zip(state.slices, facts.shape, strict=True))
    return replace(state, slices=(i, j, k))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _state(row: dict[str, Any]) -> ViewState:
    camera = row["camera"]
    return ViewState(
        looks=tuple(
            Look(str(x["name"]), bool(x["visible"]), float(x["opacity"])) for x in row["looks"]
        ),
        chosen=int(row["chosen"]),
        layout=Layout(row["layout"]),
        slices=_triple(row["slices"], int),
        axis=_axis(row["axis"]),
        slices_shown=bool(row["slices_shown"]),
        outlines_shown=bool(row["outlines_shown"]),
        window=(float(row["window"][0]), float(row["window"][1])),
        cut=Cut(row["cut"]),
        plane=float(row["plane"]),
        plane_axis=_axis(row["plane_axis"]),
        flipped=bool(row["flipped"]),
        box=_six(row["box"]),
        face=int(row["face"]) % 6,
        colours=str(row["colours"]),
        measuring=Measuring(row["measuring"]),
        measures=tuple(
            Measure(_two_or_three([_triple(p, float) for p in m["points"]]))
            for m in row["measures"]
        ),
        camera=None if camera is None else _camera(camera),
    )


def _camera(row: dict[str, Any]) -> Camera:
    position, focus, up = (_triple(row[k], float) for k in ("position", "focus", "up"))
    return Camera(position, focus, up, float(row["half_height_mm"]))


def _triple(values: Any, kind: Any) -> Any:
    x, y, z = (kind(v) for v in values)
    return x, y, z


def _two_or_three(points: list[Any]) -> tuple[Any, ...]:
    if len(points) not in (2, 3):
        raise ValueError("a measurement is of two points or three")
    return tuple(points)


def _refused(constant: str) -> Any:
    """NaN and the infinities: no camera stands there."""
    raise ValueError(constant)


def _six(values: Any) -> tuple[float, float, float, float, float, float]:
    a, b, c, d, e, f = (float(v) for v in values)
    return a, b, c, d, e, f


def _axis(value: Any) -> int:
    if int(value) not in (0, 1, 2):
        raise ValueError("an axis that is not 0, 1 or 2")
    return int(value)
