"""What was done to get a result: steps with their figures, and warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

Figure = str | int | float | bool | None | list["Figure"] | dict[str, "Figure"]


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of the road and the figures it left."""

    name: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "figures", MappingProxyType(dict(self.figures)))


@dataclass(frozen=True, slots=True)
class Provenance:
    """The steps of one run, in order. Only `pipeline` appends to it."""

    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()

    def after(self, step: Step) -> Provenance:
        """The same with one more step."""
        return replace(self, steps=(*self.steps, step))

    def warn(self, *messages: str) -> Provenance:
        """The same with more warnings; one that stands there already is not repeated."""
        new = tuple(m for m in dict.fromkeys(messages) if m not in self.warnings)
        return replace(self, warnings=(*self.warnings, *new))
