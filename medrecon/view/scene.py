"""A lit picture of labelled meshes, drawn off-screen with VTK.

The camera is orthographic, so the scale bar holds at every depth. Axes are the
patient's: seen from the front, the patient's right is on the picture's left, as on
a radiograph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import vtkmodules.vtkRenderingFreeType  # draws text; registers itself on import
import vtkmodules.vtkRenderingOpenGL2  # the OpenGL back end; registers itself on import
from vtkmodules.vtkFiltersCore import vtkPolyDataNormals
from vtkmodules.vtkIOImage import vtkPNGWriter
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkPolyDataMapper,
    vtkRenderer,
    vtkRenderWindow,
    vtkWindowToImageFilter,
)

from medrecon.core import Mesh
from medrecon.core.looks import in_words, opacity_of
from medrecon.core.nearest import as_poly_data
from medrecon.view.marks import Marks, text
from medrecon.view.style import BOTTOM, INK, ground, light, see_through, shine

# Edge between facets steeper than this stays sharp in shading (degrees).
FEATURE_ANGLE = 60.0
# Space around the meshes, as a part of their size.
_MARGIN = 1.16
_ROW, _COLUMN, _CAPTION = 30, 220, 34


@dataclass(frozen=True, slots=True)
class ViewPoint:
    """Where the camera stands: which way it looks and what is up, LPS directions."""

    towards: tuple[float, float, float]
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)


FRONT = ViewPoint((0.0, 1.0, 0.0))
LEFT_SIDE = ViewPoint((-1.0, 0.0, 0.0))


def draw_scene(
    meshes: Sequence[Mesh],
    path: Path,
    *,
    views: Sequence[ViewPoint] = (FRONT, LEFT_SIDE),
    size: tuple[int, int] = (1600, 1000),
    caption: str = "",
) -> None:
    """Draw the meshes from each view point, side by side, into a PNG.

    Parameters
    ----------
    meshes : sequence of Mesh
        LPS millimetres; coloured by their labels, skin and lungs translucent.
    path : Path
        The PNG; written in place (the caller makes it atomic).
    views : sequence of ViewPoint
    size : tuple of int
        Width and height in pixels, legend and caption included.
    caption : str
        One line at the bottom.
    """
    window = vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(1)
    window.SetSize(*size)
    columns = max(1, (size[0] - 40) // _COLUMN)
    foot = (math.ceil(len(meshes) / columns) * _ROW + _CAPTION + 12) / size[1]
    box = _bounding_box(meshes)
    actors = [_actor(m, alone=len(meshes) == 1) for m in meshes]
    aspect = size[0] / len(views) / (size[1] * (1 - foot))
    for n, view in enumerate(views):
        renderer = vtkRenderer()
        renderer.SetViewport(n / len(views), foot, (n + 1) / len(views), 1)
        window.AddRenderer(renderer)
        _fill(renderer, actors, view, box, aspect)
    window.AddRenderer(_footer(meshes, foot, columns, caption, size))
    window.Render()
    _write(window, path)


def _bounding_box(meshes: Sequence[Mesh]) -> np.ndarray:
    bounds = np.array([m.bounds_mm for m in meshes])
    return np.stack([bounds[:, 0].min(axis=0), bounds[:, 1].max(axis=0)])


def _actor(mesh: Mesh, *, alone: bool) -> vtkActor:
    normals = vtkPolyDataNormals()
    normals.SetInputData(as_poly_data(mesh.vertices_mm, mesh.faces))
    normals.SetFeatureAngle(FEATURE_ANGLE)
    normals.ConsistencyOff()
    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(normals.GetOutputPort())
    mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    look = actor.GetProperty()
    look.SetColor(*(c / 255 for c in mesh.label.color))
    shine(look)
    opacity = opacity_of(mesh.label.name, alone=alone)
    look.SetOpacity(opacity)
    look.SetBackfaceCulling(opacity < 1)
    return actor


def _fill(
    renderer: vtkRenderer,
    actors: Sequence[vtkActor],
    view: ViewPoint,
    box: np.ndarray,
    aspect: float,
) -> None:
    ground(renderer)
    light(renderer)
    see_through(renderer)
    for actor in actors:
        renderer.AddActor(actor)
    x, y, z = box[1] - box[0]
    middle = box.mean(axis=0)
    distance = float(np.linalg.norm(box[1] - box[0])) * 2 + 1
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetFocalPoint(*middle)
    camera.SetPosition(*(middle - np.asarray(view.towards) * distance))
    camera.SetViewUp(*view.up)
    # The same scale from every horizontal side.
    camera.SetParallelScale(float(max(z, max(x, y) / aspect) / 2 * _MARGIN))
    renderer.ResetCameraClippingRange()
    Marks(renderer, INK, 26)


def _footer(
    meshes: Sequence[Mesh], height: float, columns: int, caption: str, size: tuple[int, int]
) -> vtkRenderer:
    """Names and colours, row by row; the caption below."""
    renderer = vtkRenderer()
    renderer.SetViewport(0, 0, 1, height)
    renderer.SetBackground(*BOTTOM)
    top = size[1] * height - _ROW / 2 - 6
    for n, mesh in enumerate(meshes):
        x, y = 24 + n % columns * _COLUMN, top - n // columns * _ROW
        colour = [c / 255 for c in mesh.label.color]
        swatch = text("M", 13, INK, bold=True)
        swatch.SetPosition(x + 8, y)
        look = swatch.GetTextProperty()
        look.SetColor(*colour)
        look.SetBackgroundColor(*colour)
        look.SetBackgroundOpacity(1.0)
        renderer.AddViewProp(swatch)
        _write_words(renderer, in_words(mesh.label.name), (x + 26, y), 17)
    _write_words(renderer, caption, (24, _CAPTION / 2), 15)
    return renderer


def _write_words(renderer: vtkRenderer, words: str, at: tuple[float, float], points: int) -> None:
    actor = text(words, points, INK)
    actor.GetTextProperty().SetJustificationToLeft()
    actor.SetPosition(*at)
    renderer.AddViewProp(actor)


def _write(window: vtkRenderWindow, path: Path) -> None:
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    writer = vtkPNGWriter()
    writer.SetCompressionLevel(9)
    writer.SetFileName(str(path))
    writer.SetInputConnection(grab.GetOutputPort())
    writer.Write()
    window.Finalize()


__all__ = ["FRONT", "LEFT_SIDE", "ViewPoint", "draw_scene"]
_REGISTERED = (vtkmodules.vtkRenderingFreeType, vtkmodules.vtkRenderingOpenGL2)
