"""Where the mouse, or the crossing of the slices, is, and what the image holds there."""

from __future__ import annotations

import numpy as np
from vtkmodules.vtkRenderingCore import vtkRenderer

from medrecon.view.content import Content
from medrecon.view.marks import text
from medrecon.view.state import Point
from medrecon.view.style import INK


def place_words(content: Content, point: Point) -> str:
    """LPS millimetres of a point and the value of its voxel."""
    x, y, z = point
    words = f"LPS {x:.1f} {y:.1f} {z:.1f} mm"
    volume = content.volume
    if volume is None:
        return words
    index = np.rint(volume.geometry.index_from_mm([point])[0]).astype(int)
    if (index < 0).any() or (index >= volume.geometry.shape).any():
        return words
    i, j, k = index
    unit = " HU" if content.is_hounsfield else ""
    return f"{words} · {float(volume.array[i, j, k]):.0f}{unit}"


class Cursor:
    """A line at the upper right of the scene."""

    def __init__(self, renderer: vtkRenderer, content: Content) -> None:
        self._renderer, self._content = renderer, content
        self._actor = text("", 15, INK)
        look = self._actor.GetTextProperty()
        look.SetJustificationToRight()
        look.SetBackgroundColor(1, 1, 1)
        look.SetBackgroundOpacity(0.55)
        renderer.AddViewProp(self._actor)

    @property
    def words(self) -> str:
        """What stands there."""
        return str(self._actor.GetInput())

    def show(self, point: Point | None) -> None:
        """Write where that is; nothing without a point."""
        width, height = self._renderer.GetSize()
        self._actor.SetPosition(width - 14, height - 22)
        self._actor.SetInput("" if point is None else place_words(self._content, point))
