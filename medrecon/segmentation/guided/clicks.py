"""What the user pointed at, as data: clicks, a box, strokes; LPS millimetres."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrecon.core.geometry import Triple
from medrecon.errors import DamagedInputError, UnreadableInputError

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Click:
    """One point, in LPS mm, and whether it lies in the structure.

    Parameters
    ----------
    point_mm : triple
    inside : bool
    more_mm : tuple of triples
        The further points of a stroke: all its points count at once.
    """

    point_mm: Triple
    inside: bool = True
    more_mm: tuple[Triple, ...] = ()

    @property
    def points_mm(self) -> tuple[Triple, ...]:
        """All its points, the first one first."""
        return (self.point_mm, *self.more_mm)


def stroke(points_mm: Sequence[Triple], inside: bool = True) -> Click:
    """The points along a stroke as one click."""
    return Click(points_mm[0], inside, tuple(points_mm[1:]))


@dataclass(frozen=True, slots=True)
class Guidance:
    """Everything the user pointed at, in order.

    Parameters
    ----------
    clicks : tuple of Click
        Of strokes too.
    box_mm : pair of triples or None
        Opposite corners in LPS mm: nothing outside belongs to the structure. Without a
        click inside, the box's middle is one.
    """

    clicks: tuple[Click, ...] = ()
    box_mm: tuple[Triple, Triple] | None = None

    def with_start(self) -> Guidance:
        """The same with a first click inside.

        Raises
        ------
        DamagedInputError
            If there is neither a click inside nor a box.
        """
        first = next((n for n, c in enumerate(self.clicks) if c.inside), None)
        if first is not None:
            start = self.clicks[first]
            rest = self.clicks[:first] + self.clicks[first + 1 :]
        elif self.box_mm is not None:
            a, b = self.box_mm
            x, y, z = ((p + q) / 2 for p, q in zip(a, b, strict=True))
            start, rest = Click((x, y, z)), self.clicks
        else:
            raise DamagedInputError("no click inside the structure and no box around it")
        return Guidance((start, *rest), self.box_mm)


def read_guidance(path: Path) -> Guidance:
    """Clicks, strokes and a box from a JSON file.

    ``{"clicks": [{"lps_mm": [x, y, z], "inside": true}], "strokes": [{"lps_mm": [[x, y,
    z], …], "inside": true}], "box_lps_mm": [[x, y, z], [x, y, z]]}``; each is optional.
    Among the clicks, one whose ``lps_mm`` is a list of points is a stroke at its place in
    the order; those of ``strokes`` follow the clicks.

    Raises
    ------
    UnreadableInputError
        If the file is not there or cannot be opened.
    DamagedInputError
        If it is something else.
    """
    try:
        return guidance_from_json(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise UnreadableInputError(
            f"the file of clicks cannot be read: {error.strerror}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedInputError(
            f"the file of clicks cannot be read ({type(error).__name__}); an object with "
            "clicks, strokes or box_lps_mm was expected"
        ) from None


def guidance_from_json(content: Mapping[str, Any]) -> Guidance:
    """The guidance that an object of JSON holds.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError
        If it holds none.
    """
    unknown = set(content) - {"schema_version", "clicks", "strokes", "box_lps_mm"}
    if unknown or not isinstance(content, Mapping):
        raise ValueError("unknown keys")
    clicks = [_click(c) for key in ("clicks", "strokes") for c in content.get(key, ())]
    box = content.get("box_lps_mm")
    corners = None if box is None else (_triple(box[0]), _triple(box[1]))
    return Guidance(tuple(clicks), corners)


def guidance_json(guidance: Guidance) -> dict[str, Any]:
    """The object that `guidance_from_json` reads."""
    content: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "clicks": [{"lps_mm": _lps(c), "inside": c.inside} for c in guidance.clicks],
    }
    if guidance.box_mm is not None:
        content["box_lps_mm"] = [list(p) for p in guidance.box_mm]
    return content


def _click(row: Mapping[str, Any]) -> Click:
    points, inside = row["lps_mm"], bool(row.get("inside", True))
    if isinstance(points[0], list):
        return stroke([_triple(p) for p in points], inside)
    return Click(_triple(points), inside)


def _lps(click: Click) -> list[Any]:
    if click.more_mm:
        return [list(p) for p in click.points_mm]
    return list(click.point_mm)


def _triple(values: Any) -> Triple:
    x, y, z = (float(v) for v in values)
    if not all(math.isfinite(v) for v in (x, y, z)):
        raise ValueError("a coordinate that is not finite")
    return x, y, z
