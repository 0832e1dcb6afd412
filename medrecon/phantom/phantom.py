"""An image and what it holds."""

from __future__ import annotations

from dataclasses import dataclass

from medrecon.core import LabelMap, Volume
from medrecon.phantom.truth import Truth


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """An image whose content is known exactly.

    Parameters
    ----------
    volume : Volume
        CT, HU verified, marked as a phantom.
    labels : LabelMap
        The structure at each voxel's centre; exclusive, a tumour over its kidney, every
        organ over the skin.
    truth : Truth
    """

    volume: Volume
    labels: LabelMap
    truth: Truth

    def __repr__(self) -> str:
        return f"<Phantom {self.truth.kind} {self.truth.seed}: {self.volume!r}>"
