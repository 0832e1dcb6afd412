"""Legend, status line, help and measurements: everything written over a scene."""

from __future__ import annotations

import vedo
from vtkmodules.vtkRenderingCore import vtkProp, vtkRenderer, vtkTextActor

from medrecon.view.keys import help_lines
from medrecon.view.marks import text
from medrecon.view.state import Measure, Point, ViewState
from medrecon.view.style import ACCENT, INK

_LINE = 22
_POINT_PIXELS = 11
_HELP_POINTS = 14
_LINE_PER_POINT = 1.3
_FOOT = 80
"""Pixels at the bottom that the help leaves to the sliders."""


class Legend:
    """Names of the structures in their colours; the chosen one is marked."""

    def __init__(
        self, renderer: vtkRenderer, colours: dict[str, tuple[float, float, float]], title: str
    ) -> None:
        self._renderer, self._colours = renderer, colours
        self._title = _left("", 16, bold=True)
        self._title.SetInput(title)
        renderer.AddViewProp(self._title)
        self._rows: list[tuple[vtkTextActor, vtkTextActor]] = []

    def refresh(self, state: ViewState) -> None:
        """Write as many names as fit, around the chosen one."""
        _, height = self._renderer.GetSize()
        room = max(3, int((height - 160) / _LINE))
        first = min(max(0, state.chosen - room // 2), max(0, len(state.looks) - room))
        looks = list(enumerate(state.looks))[first : first + room]
        while len(self._rows) < len(looks):
            pair = _swatch(), _left("", 15)
            for actor in pair:
                self._renderer.AddViewProp(actor)
            self._rows.append(pair)
        self._title.SetPosition(16, height - 22)
        for row, (swatch, words) in enumerate(self._rows):
            shown = row < len(looks) and not state.help_shown
            swatch.SetVisibility(shown)
            words.SetVisibility(shown)
            if not shown:
                continue
            n, look = looks[row]
            y = height - 52 - row * _LINE
            swatch.SetPosition(16, y)
            words.SetPosition(38, y)
            colour = self._colours.get(look.name, (0.6, 0.6, 0.6))
            swatch.GetTextProperty().SetColor(*colour)
            swatch.GetTextProperty().SetBackgroundColor(*colour)
            swatch.GetTextProperty().SetBackgroundOpacity(1.0 if look.visible else 0.2)
            swatch.GetTextProperty().SetOpacity(1.0 if look.visible else 0.2)
            words.GetTextProperty().SetOpacity(1.0 if look.visible else 0.45)
            words.GetTextProperty().SetBold(n == state.chosen)
            opacity = "" if look.opacity == 1 else f" {look.opacity * 100:.0f} %"
            words.SetInput(look.name.replace("_", " ") + (opacity if look.visible else " (hidden)"))


class Status:
    """The line at the bottom: what just happened, or how to get help."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._renderer = renderer
        self._words = text("", 15, ACCENT, bold=True)
        self._words.GetTextProperty().SetBackgroundColor(1, 1, 1)
        self._words.GetTextProperty().SetBackgroundOpacity(0.7)
        renderer.AddViewProp(self._words)

    def refresh(self, state: ViewState, hint: str) -> None:
        """Write it."""
        width, height = self._renderer.GetSize()
        self._words.SetInput(state.message or hint)
        self._words.SetPosition(width / 2, height - 62)


class Help:
    """Every key, over the scene."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._renderer = renderer
        rows = [f" {written:<12}{words} " for written, words in help_lines()]
        widest = max(len(row) for row in rows)
        self._lines = len(rows)
        self._actor = _left("\n".join(row.ljust(widest) for row in rows), _HELP_POINTS)
        look = self._actor.GetTextProperty()
        look.SetFontFamilyToCourier()
        look.SetBackgroundOpacity(0.94)
        look.SetLineSpacing(1.12)
        look.SetJustificationToCentered()
        self._actor.SetVisibility(False)
        renderer.AddViewProp(self._actor)

    def refresh(self, state: ViewState) -> None:
        """Show or hide it, in the middle above the sliders, as large as fits."""
        width, height = self._renderer.GetSize()
        fits = int((height - _FOOT) / (self._lines * _LINE_PER_POINT))
        self._actor.GetTextProperty().SetFontSize(max(6, min(_HELP_POINTS, fits)))
        self._actor.SetVisibility(state.help_shown)
        self._actor.SetPosition(width / 2, (height + _FOOT) / 2)


class Measurements:
    """Clicked points, lines between them and their figures."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._renderer = renderer
        self._drawn: tuple[tuple[Measure, ...], tuple[Point, ...]] = ((), ())
        self._props: list[vtkProp] = []

    def refresh(self, state: ViewState) -> None:
        """Draw them anew if they changed."""
        now = (state.measures, state.pending)
        if now == self._drawn:
            return
        self._drawn = now
        for prop in self._props:
            self._renderer.RemoveViewProp(prop)
        self._props = []
        for measure in state.measures:
            self._draw(measure.points)
            figure = text(measure.words, 18, ACCENT, bold=True)
            figure.GetTextProperty().SetBackgroundColor(1, 1, 1)
            figure.GetTextProperty().SetBackgroundOpacity(0.8)
            figure.GetPositionCoordinate().SetCoordinateSystemToWorld()
            figure.GetPositionCoordinate().SetValue(*_middle(measure.points))
            self._add(figure)
        if state.pending:
            self._draw(state.pending)

    def _draw(self, points: tuple[Point, ...]) -> None:
        balls = vedo.Points(list(points), r=_POINT_PIXELS, c=ACCENT)
        balls.properties.RenderPointsAsSpheresOn()
        parts = [balls] + ([vedo.Line(list(points), c=ACCENT, lw=3)] if len(points) > 1 else [])
        for part in parts:
            part.properties.LightingOff()
            part.actor.PickableOff()
            mapper = part.mapper
            # In front of everything: a measurement inside a bone is to be seen.
            mapper.SetResolveCoincidentTopologyToPolygonOffset()
            mapper.SetRelativeCoincidentTopologyLineOffsetParameters(0.0, -1e6)
            mapper.SetRelativeCoincidentTopologyPointOffsetParameter(-1e6)
            self._add(part.actor)

    def _add(self, prop: vtkProp) -> None:
        self._renderer.AddViewProp(prop)
        self._props.append(prop)


def _middle(points: tuple[Point, ...]) -> Point:
    if len(points) == 3:
        return points[1]
    x, y, z = ((a + b) / 2 for a, b in zip(*points, strict=True))
    return x, y, z


def _left(words: str, points: int, *, bold: bool = False) -> vtkTextActor:
    actor = text(words, points, INK, bold=bold)
    look = actor.GetTextProperty()
    look.SetJustificationToLeft()
    look.SetBackgroundColor(1, 1, 1)
    look.SetBackgroundOpacity(0.55)
    return actor


def _swatch() -> vtkTextActor:
    """A block of colour: a letter on a ground of its own colour."""
    actor = _left("M", 13, bold=True)
    actor.GetTextProperty().SetBackgroundOpacity(1.0)
    return actor
