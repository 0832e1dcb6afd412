"""What an audit found, said without repeating it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What is wrong with a place in a file."""

    STRANGE = "text that medrecon does not write"
    IDENTITY = "an object that carries the patient's identity by design"
    UNKNOWN = "a kind of file that is not audited"
    STRUCTURE = "more than the format needs"
    UNREAD = "cannot be opened, so nobody knows what it holds"
    FACE = "the surface of a head, by which a person can be recognised"


@dataclass(frozen=True, slots=True)
class Finding:
    """One place.

    Parameters
    ----------
    file : str
        Relative name; strange parts of it are masked.
    place : str
        Where in the file.
    kind : Kind
    value : str
        What stands there. May be somebody's name: never logged, shown only when asked for.
    """

    file: str
    place: str
    kind: Kind
    value: str = ""

    @property
    def words(self) -> str:
        """One line without the value."""
        size = f" ({len(self.value)} characters)" if self.value else ""
        return f"{self.file}: {self.place}: {self.kind.value}{size}"
