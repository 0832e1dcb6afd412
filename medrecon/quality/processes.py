"""Printing processes and what they can do, from `presets/processes.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from medrecon.errors import UsageError

Size = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Process:
    """A way to print, with rules of thumb; the printer's own guide comes first.

    Parameters
    ----------
    key : str
        "sla", "sls", "fdm" or "polyjet".
    name : str
    wall_mm, supported_mm : float
        Thinnest wall held on one side, and on two.
    overhang_deg : float or None
        Slope from the vertical up to which no support is needed; None where none ever is.
    clearance_mm : float
        Gap between parts that fit.
    escape_mm : float or None
        Least hole out of a hollow; None where a hollow traps nothing.
    engrave_mm : float
        Least width and depth of a readable stroke.
    bed_mm : tuple of float
        Width, depth and height of a common machine.
    machine : str
    source : str
    """

    key: str
    name: str
    wall_mm: float
    supported_mm: float
    overhang_deg: float | None
    clearance_mm: float
    escape_mm: float | None
    engrave_mm: float
    bed_mm: Size
    machine: str
    source: str


@cache
def processes() -> dict[str, Process]:
    """Every process of the presets, by key."""
    text = resources.files("medrecon.presets").joinpath("processes.toml").read_text("utf-8")
    content = tomllib.loads(text)
    return {k: _process(k, row, content["source"]) for k, row in content["process"].items()}


def process(key: str) -> Process:
    """The process of that key, in any case.

    Raises
    ------
    UsageError
        If there is none.
    """
    try:
        return processes()[key.lower()]
    except KeyError:
        known = ", ".join(processes())
        raise UsageError(f"no printing process is called {key!r}; known are: {known}") from None


def _process(key: str, row: dict[str, Any], source: str) -> Process:
    width, depth, height = row["bed_mm"]
    return Process(
        key=key,
        name=row["name"],
        wall_mm=row["wall_mm"],
        supported_mm=row["supported_mm"],
        overhang_deg=row.get("overhang_deg"),
        clearance_mm=row["clearance_mm"],
        escape_mm=row.get("escape_mm"),
        engrave_mm=row["engrave_mm"],
        bed_mm=(width, depth, height),
        machine=row["machine"],
        source=source,
    )
