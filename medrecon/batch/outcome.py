"""What became of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class State(Enum):
    """How it ended."""

    DONE = "done"
    GATE = "not for print"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the table.

    Parameters
    ----------
    study : str
    state : State
        GATE: the files are written, and a mesh did not pass.
    code : str
        The error's stable code; empty where there was none.
    reason : str
        One sentence; never a file's name or a value of a header.
    structures : tuple of str
        What was found.
    seconds : float
    peak_memory_mb : float
        Largest resident memory of the process.
    """

    study: str
    state: State
    code: str = ""
    reason: str = ""
    structures: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_memory_mb: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For the journal."""
        return asdict(self) | {"state": self.state.value, "structures": list(self.structures)}

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Outcome:
        """What `as_json` made."""
        return Outcome(
            study=str(content["study"]),
            state=State(content["state"]),
            code=str(content["code"]),
            reason=str(content["reason"]),
            structures=tuple(content["structures"]),
            seconds=float(content["seconds"]),
            peak_memory_mb=float(content["peak_memory_mb"]),
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """What one study may cost.

    Parameters
    ----------
    timeout_s : float
        Wall-clock seconds.
    memory_mb : float or None
        Resident memory of its process and that one's children; None: no limit.
    """

    timeout_s: float = 3600.0
    memory_mb: float | None = None
