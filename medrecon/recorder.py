"""What a run remembers of itself while it goes: steps, figures, warnings, time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from medrecon.core import Provenance, Step
from medrecon.core.provenance import Figure

Progress = Callable[[str, float], None]
"""Told a stage's name and the fraction of it that is done, 0 to 1."""


def silent(stage: str, fraction: float) -> None:
    """No progress."""


class Stage:
    """One step under way: takes figures, and passes its progress on."""

    def __init__(self, name: str, progress: Progress) -> None:
        self.name = name
        self.figures: dict[str, Figure] = {}
        self._progress = progress

    def __call__(self, fraction: float) -> None:
        """Tell how much of the stage is done."""
        self._progress(self.name, fraction)

    def say(self, words: str) -> None:
        """Tell a person who watches what the stage is about to do."""
        self._progress(f"{self.name}: {words}", 1.0)

    def note(self, **figures: Figure) -> None:
        """Keep figures for `run.json`."""
        self.figures.update(figures)


class Recorder:
    """Collects the provenance of one run. Only `pipeline` makes one."""

    def __init__(self, progress: Progress = silent) -> None:
        self.provenance = Provenance()
        self._progress = progress

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Time a step; what it noted is kept when it ends well."""
        begun = time.perf_counter()
        stage = Stage(name, self._progress)
        stage(0.0)
        yield stage
        stage(1.0)
        seconds = round(time.perf_counter() - begun, 3)
        self.provenance = self.provenance.after(Step(name, stage.figures, seconds))

    def repeat(self, steps: Iterable[Step], warnings: Iterable[str]) -> None:
        """Take over what an earlier run noted of stages that are not walked again."""
        for step in steps:
            self.provenance = self.provenance.after(step)
        self.warn(*warnings)

    def warn(self, *messages: str) -> None:
        """Keep warnings for `run.json` and the person at the terminal."""
        self.provenance = self.provenance.warn(*messages)
