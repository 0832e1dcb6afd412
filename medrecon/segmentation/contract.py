"""What every segmenter promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from medrecon.core import Segmentation, Volume

Progress = Callable[[float], None]
"""Told the fraction done, 0 to 1; may raise KeyboardInterrupt."""

Tell = Callable[[str], None]
"""Told what is about to be done, in words, before it is done."""


class Segmenter(Protocol):
    """Turns an image into soft fields, whatever it does in between.

    The result lies on exactly the volume's geometry, whatever spacing, orientation,
    window or patches were used inside.
    """

    def segment(self, volume: Volume, *, progress: Progress | None = None) -> Segmentation:
        """Fields of the labels found in the volume."""
        ...
