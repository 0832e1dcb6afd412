"""What looking for one tissue gives."""

from __future__ import annotations

from dataclasses import dataclass

from medrecon.core import SoftField


@dataclass(frozen=True, slots=True)
class Found:
    """A tissue's field, if there is one, and what a reader should know of it."""

    field: SoftField | None
    findings: tuple[str, ...] = ()
