"""One slice in a panel of its own, looked at squarely, outlines on it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkRenderingCore import vtkImageProperty, vtkRenderer

from medrecon.core import Volume
from medrecon.view.image_planes import image_slice
from medrecon.view.marks import Marks, paper_for, plate, text
from medrecon.view.state import Point
from medrecon.view.style import PALE

NAMES = ("sagittal", "coronal", "axial")
# Which way the camera looks, along which index axis and sign, and what is up: as on a
# radiologist's screen, the patient's right on the left, front or head up.
TOWARDS = (-1.0, 1.0, 1.0)
_UP = ((2, 1.0), (2, 1.0), (1, -1.0))


class Panel:
    """A renderer with one slice of the image.

    Parameters
    ----------
    renderer : vtkRenderer
    axis : int
        0 sagittal, 1 coronal, 2 axial.
    """

    def __init__(
        self,
        renderer: vtkRenderer,
        axis: int,
        data: vtkImageData,
        volume: Volume,
        look: vtkImageProperty,
    ) -> None:
        self.renderer, self.axis = renderer, axis
        self._volume = volume
        renderer.GradientBackgroundOff()
        renderer.SetBackground(0, 0, 0)
        renderer.SetUseFXAA(True)
        self.picture = image_slice(data, volume, axis, look)
        renderer.AddViewProp(self.picture)
        self._aim()
        self._marks = Marks(renderer, PALE, 18)
        self._title = text("", 15, PALE)
        self._title.GetTextProperty().SetJustificationToLeft()
        plate(self._title, paper_for(PALE))
        renderer.AddViewProp(self._title)

    @property
    def towards(self) -> npt.NDArray[np.float64]:
        """Unit vector along which the camera looks, LPS."""
        axes = np.asarray(self._volume.geometry.direction)
        return np.asarray(axes[:, self.axis] * TOWARDS[self.axis])

    def point_at(self, x: float, y: float, index: int) -> Point | None:
        """The point of a slice under a pixel of the window, LPS mm; None beside the image."""
        self.renderer.SetDisplayPoint(x + 0.5, y + 0.5, 0.0)
        self.renderer.DisplayToWorld()
        seen = np.asarray(self.renderer.GetWorldPoint()[:3])
        geometry = self._volume.geometry
        place = geometry.index_from_mm([seen])[0]
        # The camera looks along an axis of the grid: the others stay as they are.
        place[self.axis] = index
        if (place < -0.5).any() or (place > np.asarray(geometry.shape) - 0.5).any():
            return None
        a, b, c = geometry.mm_from_index([place])[0].tolist()
        return a, b, c

    def go(self, index: int, chosen: bool) -> None:
        """Show a slice; the one that keys move is marked."""
        self.picture.GetMapper().SetSliceNumber(index)
        of = self._volume.geometry.shape[self.axis]
        mark = "▸ " if chosen else ""
        self._title.SetInput(f"{mark}{NAMES[self.axis]} {index + 1} / {of}")
        self._aim()
        _, height = self.renderer.GetSize()
        self._title.SetPosition(12, height - 16)
        self._marks.refresh()

    def _aim(self) -> None:
        geometry = self._volume.geometry
        axes = np.asarray(geometry.direction)
        towards = self.towards
        up_axis, sign = _UP[self.axis]
        up = axes[:, up_axis] * sign
        middle = geometry.mm_from_index([(np.asarray(geometry.shape) - 1) / 2])[0]
        span = [(n * s) for n, s in zip(geometry.shape, geometry.spacing_mm, strict=True)]
        across = span[3 - self.axis - up_axis]
        width, height = self.renderer.GetSize()
        aspect = width / height if height else 1.0
        camera = self.renderer.GetActiveCamera()
        camera.ParallelProjectionOn()
        distance = 2 * max(span) + 10
        camera.SetFocalPoint(*middle)
        camera.SetPosition(*(middle - towards * distance))
        camera.SetViewUp(*up)
        camera.SetParallelScale(max(span[up_axis], across / max(aspect, 1e-3)) / 2 * 1.02)
        camera.SetClippingRange(0.1, 2 * distance)
