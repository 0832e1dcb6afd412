"""Letters of the patient's directions and a scale bar, for whatever a camera sees."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkRenderingCore import (
    vtkActor2D,
    vtkPolyDataMapper2D,
    vtkRenderer,
    vtkTextActor,
)

LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))
# Two letters from 22.5° off an axis: cos 67.5°.
_SECOND = 0.38
LONGEST_BAR = 200
RIM = 2
"""Pixels of the other shade round the scale bar."""


def letters_of(direction: Sequence[float]) -> str:
    """Letters of an LPS unit vector, the strongest first: "L", or "LA" between the two."""
    order = sorted(range(3), key=lambda axis: -abs(direction[axis]))
    found = [LETTERS[a][0 if direction[a] > 0 else 1] for a in order if abs(direction[a]) > _SECOND]
    return "".join(found[:2])


def round_length_mm(longest_mm: float) -> float:
    """The longest of 1, 2 or 5 times a power of ten that fits."""
    step = 10.0 ** math.floor(math.log10(max(longest_mm, 1e-6)))
    return max(m * step for m in (1, 2, 5) if m * step <= longest_mm * (1 + 1e-9))


class Marks:
    """Letters at a renderer's edges and a bar at its lower left, kept true as it turns."""

    def __init__(
        self, renderer: vtkRenderer, ink: tuple[float, float, float], size: int, *, bottom: int = 0
    ) -> None:
        self._renderer, self._bottom = renderer, bottom
        self._letters = [text("", size, ink, bold=True) for _ in range(4)]
        self._length = text("", int(size * 0.75), ink)
        paper = paper_for(ink)
        for words in (*self._letters, self._length):
            plate(words, paper)
        # A rim round the bar: it may lie over tissue of its own shade.
        self._rim, self._rim_corners = _bar(paper)
        self._bar, self._corners = _bar(ink)
        for prop in (*self._letters, self._length, self._rim, self._bar):
            renderer.AddViewProp(prop)
        self._size = size
        self._place()

    def _place(self, *_: object) -> None:
        width, height = self._renderer.GetSize()
        camera = self._renderer.GetActiveCamera()
        towards = np.array(camera.GetDirectionOfProjection())
        up = np.array(camera.GetViewUp())
        up = up - (up @ towards) * towards
        up = up / max(np.linalg.norm(up), 1e-9)
        right = np.cross(towards, up)
        inset = self._size
        places = (
            (inset, height / 2),
            (width - inset, height / 2),
            (width / 2, height - inset),
            (width / 2, self._bottom + inset),
        )
        for words, direction, place in zip(
            self._letters, (-right, right, up, -up), places, strict=True
        ):
            words.SetInput(letters_of(direction))
            words.SetPosition(*place)
        pixels_per_mm = height / (2 * max(camera.GetParallelScale(), 1e-6))
        length_mm = round_length_mm(min(LONGEST_BAR, width / 3) / pixels_per_mm)
        y0 = self._bottom + 24
        end = 24 + length_mm * pixels_per_mm
        for n, (x, y) in enumerate(((24, y0), (end, y0), (end, y0 + 5), (24, y0 + 5))):
            self._corners.SetPoint(n, x, y, 0)
            outwards = (-1 if n in (0, 3) else 1, -1 if n < 2 else 1)
            self._rim_corners.SetPoint(n, x + RIM * outwards[0], y + RIM * outwards[1], 0)
        self._corners.Modified()
        self._rim_corners.Modified()
        self._length.SetInput(f"{length_mm:g} mm")
        self._length.SetPosition((24 + end) / 2, y0 + 5 + self._size * 0.6)

    def refresh(self) -> None:
        """Fit letters and bar to the camera as it stands."""
        self._place()


def text(
    words: str, points: int, ink: tuple[float, float, float], *, bold: bool = False
) -> vtkTextActor:
    """Words centred on their position, in pixels."""
    actor = vtkTextActor()
    actor.SetInput(words)
    actor.PickableOff()
    look = actor.GetTextProperty()
    look.SetFontSize(points)
    look.SetColor(*ink)
    look.SetBold(bold)
    look.SetJustificationToCentered()
    look.SetVerticalJustificationToCentered()
    return actor


def paper_for(ink: tuple[float, float, float]) -> tuple[float, float, float]:
    """White under dark ink, black under pale ink."""
    return (1.0, 1.0, 1.0) if sum(ink) < 1.5 else (0.0, 0.0, 0.0)


def plate(words: vtkTextActor, paper: tuple[float, float, float]) -> None:
    """A translucent ground, so that words are read over tissue of any shade."""
    words.GetTextProperty().SetBackgroundColor(*paper)
    words.GetTextProperty().SetBackgroundOpacity(0.55)


def _bar(ink: tuple[float, float, float]) -> tuple[vtkActor2D, vtkPoints]:
    points = vtkPoints()
    for _ in range(4):
        points.InsertNextPoint(0, 0, 0)
    face = vtkCellArray()
    face.InsertNextCell(4, [0, 1, 2, 3])
    surface = vtkPolyData()
    surface.SetPoints(points)
    surface.SetPolys(face)
    mapper = vtkPolyDataMapper2D()
    mapper.SetInputData(surface)
    actor = vtkActor2D()
    actor.SetMapper(mapper)
    actor.PickableOff()
    actor.GetProperty().SetColor(*ink)
    return actor, points
