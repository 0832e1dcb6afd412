"""The field of a guidance that changes click by click, with as little work as may be."""

from __future__ import annotations

from medrecon.core import Label, SoftField, Volume
from medrecon.segmentation.guided.clicks import Click, Guidance
from medrecon.segmentation.guided.grow import Guided


class Following:
    """A segmentation that follows what the user has pointed at so far.

    A click more or a click less costs one step; a box that changes, or another first
    click, starts anew. Either way the field is the one that `grow` gives, bit by bit.

    Parameters
    ----------
    volume : Volume
    structure : Label
    """

    def __init__(self, volume: Volume, structure: Label) -> None:
        self._volume, self._structure = volume, structure
        self._box: object = None
        self._guided: Guided | None = None
        self._done: tuple[Click, ...] = ()
        self._field: SoftField | None = None

    def field(self, guidance: Guidance) -> SoftField:
        """The field of the guidance.

        Raises
        ------
        DamagedInputError
            If nothing lies inside, or a point outside the image.
        GeometryError
            If the grid is sheared.
        """
        start = guidance.with_start()
        common = _common(self._done, start.clicks)
        if self._guided is None or start.box_mm != self._box or not common:
            self._guided = Guided(self._volume, self._structure, start.box_mm)
            self._box, self._done, self._field, common = start.box_mm, (), None, 0
        while len(self._done) > common:
            self._field = self._guided.undo()
            self._done = self._done[:-1]
        for click in start.clicks[common:]:
            self._field = self._guided.add(click)
            self._done = (*self._done, click)
        assert self._field is not None
        return self._field


def _common(done: tuple[Click, ...], wanted: tuple[Click, ...]) -> int:
    """How many clicks both begin with."""
    count = 0
    for a, b in zip(done, wanted, strict=False):
        if a != b:
            break
        count += 1
    return count
