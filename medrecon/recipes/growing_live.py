"""Structures grown in the viewer: what it asks for, and the program that its window runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medrecon.core import Volume
from medrecon.errors import UsageError
from medrecon.options import Grid, LoadOptions, Options, OutputOptions, as_plain
from medrecon.outputs.options_json import value_of
from medrecon.quality.volume import field_volume_ml
from medrecon.recipes.growing import grow_study, image_to_grow_in, structure_called
from medrecon.recorder import Recorder
from medrecon.segmentation.guided import Click, Following, Guidance
from medrecon.surface.extract import extract_surface
from medrecon.view.pointing import Grown, Told
from medrecon.view.window import run_child

PROGRAM = "medrecon.recipes.growing_live"
GROWN_FOLDER = "grown"
MOST_OF_A_NAME = 99


@dataclass(frozen=True, slots=True)
class Place:
    """Where a viewer grows, and where it writes.

    Parameters
    ----------
    source : Path
        A scan, or a finished run.
    output : Path
        Each structure gets a folder of its own below.
    load : LoadOptions
    """

    source: Path
    output: Path
    load: LoadOptions = field(default_factory=LoadOptions)

    def as_plain(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "source": str(self.source.absolute()),
            "output": str(self.output.absolute()),
            "load": as_plain(self.load),
        }


def place_of(plain: Mapping[str, Any]) -> Place:
    """What `Place.as_plain` gave."""
    load = value_of(LoadOptions, plain["load"])
    return Place(Path(plain["source"]), Path(plain["output"]), load)


class LiveGrower:
    """A `view.pointing.Grower`: the same structures that `medrecon grow` writes.

    Parameters
    ----------
    place : Place
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._volume: Volume | None = None
        self._following: tuple[str, Following] | None = None

    def grow(self, told: Told, name: str) -> Grown:
        """The structure as it is after all that was told; the scan is read when first needed.

        Raises
        ------
        MedreconError
            As loading and `grow` raise it.
        """
        if self._volume is None:
            place = self._place
            self._volume = image_to_grow_in(place.source, place.load, Recorder())
        if self._following is None or self._following[0] != name:
            self._following = name, Following(self._volume, structure_called(name))
        soft = self._following[1].field(guidance_of(told))
        return Grown(extract_surface(soft), field_volume_ml(soft))

    def accept(self, told: Told, name: str) -> str:
        """Write it as `medrecon grow` does, into a folder that is not there yet."""
        folder = free_folder(self._place.output, structure_called(name).name)
        grid = OutputOptions(spacing=Grid.NATIVE) if self._is_run else OutputOptions()
        options = replace(Options(), load=self._place.load, output=grid)
        made = grow_study(
            self._place.source, guidance_of(told), output=folder, name=name, options=options
        )
        (part,) = made.parts
        verdict = "passed its gate" if made.passed else "failed its gate"
        place = f"{folder.parent.name}/{folder.name}"
        return f"written: {place}, {part.volume_ml:.1f} mL, {verdict}"

    @property
    def _is_run(self) -> bool:
        return self._place.output.name == GROWN_FOLDER


def guidance_of(told: Told) -> Guidance:
    """What was told, as `grow` takes it and its file holds it."""
    clicks = tuple(Click(s.points_mm[0], s.inside, s.points_mm[1:]) for s in told.seeds)
    return Guidance(clicks, told.box_mm)


def free_folder(root: Path, name: str) -> Path:
    """`root/name`, or with the next number where that is taken.

    Raises
    ------
    UsageError
        If all numbers are.
    """
    names = [name, *(f"{name}_{n}" for n in range(2, MOST_OF_A_NAME))]
    for free in names:
        if not (root / free).exists():
            return root / free
    raise UsageError(f"there are {MOST_OF_A_NAME} structures called {name} already")


if __name__ == "__main__":
    run_child(Path(sys.argv[1]), lambda plain: LiveGrower(place_of(plain)))
