"""A lit scene of labelled meshes, drawn off-screen with VTK.

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
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkPolyDataNormals
from vtkmodules.vtkIOImage import vtkPNGWriter
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkActor2D,
    vtkLightKit,
    vtkPolyDataMapper,
    vtkPolyDataMapper2D,
    vtkRenderer,
    vtkRenderWindow,
    vtkTextActor,
    vtkWindowToImageFilter,
)

from medrecon.core import Mesh

BACKGROUND = (1.0, 1.0, 1.0)
INK = (0.15, 0.17, 0.2)
# Edge between facets steeper than this stays sharp in shading (degrees).
FEATURE_ANGLE = 60.0
# Labels that hide everything else unless they are seen through.
SEE_THROUGH = {"skin": 0.12, "lung_left": 0.35, "lung_right": 0.35, "fat": 0.15, "muscle": 0.25}


@dataclass(frozen=True, slots=True)
class ViewPoint:
    """Where the camera stands: which way it looks and what is up.

    Parameters
    ----------
    towards : tuple of float
        LPS direction that the camera looks in.
    up : tuple of float
        LPS direction that is up in the picture.
    left, right, top, bottom : str
        Letters of the patient's directions at the picture's edges.
    """

    towards: tuple[float, float, float]
    up: tuple[float, float, float]
    left: str
    right: str
    top: str = "S"
    bottom: str = "I"


ANTERIOR = ViewPoint((0, 1, 0), (0, 0, 1), "R", "L")
LEFT_SIDE = ViewPoint((-1, 0, 0), (0, 0, 1), "A", "P")


def draw_scene(
    meshes: Sequence[Mesh],
    path: Path,
    *,
    views: Sequence[ViewPoint] = (ANTERIOR, LEFT_SIDE),
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
        Width and height in pixels.
    caption : str
        One line at the bottom.
    """
    window = vtkRenderWindow()
    window.SetOffScreenRendering(1)
    # Depth peeling and multisampling exclude each other: edges are smoothed by FXAA instead.
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(1)
    window.SetSize(*size)
    bounds = np.array([m.bounds_mm for m in meshes])
    box = np.stack([bounds[:, 0].min(axis=0), bounds[:, 1].max(axis=0)])
    actors = [_actor(m) for m in meshes]
    parallel_scale = _parallel_scale(box, size[0] / len(views) / size[1])
    for n, view in enumerate(views):
        renderer = _renderer(actors, view, box, parallel_scale)
        renderer.SetViewport(n / len(views), 0.06, (n + 1) / len(views), 1)
        window.AddRenderer(renderer)
        pixels_per_mm = size[1] * 0.94 / (2 * parallel_scale)
        _mark_directions(renderer, view, (size[0] / len(views), size[1] * 0.94))
        if n == 0:
            _scale_bar(renderer, pixels_per_mm)
    footer = vtkRenderer()
    footer.SetViewport(0, 0, 1, 0.06)
    footer.SetBackground(*BACKGROUND)
    _legend(footer, meshes, size, caption)
    window.AddRenderer(footer)
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    writer = vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputConnection(grab.GetOutputPort())
    writer.Write()
    window.Finalize()


def polydata(mesh: Mesh) -> vtkPolyData:
    """A vtkPolyData that shares the mesh's vertices."""
    points = vtkPoints()
    points.SetData(numpy_to_vtk(mesh.vertices_mm, deep=True))
    cells = vtkCellArray()
    offsets = np.arange(0, 3 * len(mesh.faces) + 1, 3, dtype=np.int64)
    cells.SetData(
        numpy_to_vtkIdTypeArray(offsets, deep=True),
        numpy_to_vtkIdTypeArray(mesh.faces.ravel().astype(np.int64), deep=True),
    )
    surface = vtkPolyData()
    surface.SetPoints(points)
    surface.SetPolys(cells)
    return surface


def _actor(mesh: Mesh) -> vtkActor:
    normals = vtkPolyDataNormals()
    normals.SetInputData(polydata(mesh))
    normals.SetFeatureAngle(FEATURE_ANGLE)
    normals.ConsistencyOff()
    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(normals.GetOutputPort())
    mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    look = actor.GetProperty()
    look.SetColor(*(c / 255 for c in mesh.label.color))
    look.SetOpacity(SEE_THROUGH.get(mesh.label.name, 1.0))
    look.SetInterpolationToPhong()
    look.SetSpecular(0.25)
    look.SetSpecularPower(25)
    look.SetAmbient(0.08)
    if mesh.label.name in SEE_THROUGH:
        look.BackfaceCullingOn()
    return actor


def _renderer(
    actors: Sequence[vtkActor], view: ViewPoint, box: np.ndarray, parallel_scale: float
) -> vtkRenderer:
    renderer = vtkRenderer()
    renderer.SetBackground(*BACKGROUND)
    for actor in actors:
        renderer.AddActor(actor)
    lights = vtkLightKit()
    lights.SetKeyLightIntensity(0.85)
    lights.SetKeyToFillRatio(2.5)
    lights.AddLightsToRenderer(renderer)
    renderer.SetUseFXAA(True)
    renderer.SetUseDepthPeeling(True)
    renderer.SetMaximumNumberOfPeels(12)
    renderer.SetOcclusionRatio(0.02)
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    middle = box.mean(axis=0)
    distance = float(np.linalg.norm(box[1] - box[0])) * 2 + 1
    camera.SetFocalPoint(*middle)
    camera.SetPosition(*(middle - np.asarray(view.towards) * distance))
    camera.SetViewUp(*view.up)
    camera.SetParallelScale(parallel_scale)
    renderer.ResetCameraClippingRange()
    return renderer


def _parallel_scale(box: np.ndarray, aspect: float) -> float:
    """Half the height in mm that holds the box from every horizontal side, with a margin."""
    x, y, z = box[1] - box[0]
    return float(max(z / 2, max(x, y) / 2 / aspect) * 1.12)


def _text(words: str, x: float, y: float, points: int, *, bold: bool = False) -> vtkTextActor:
    text = vtkTextActor()
    text.SetInput(words)
    text.SetPosition(x, y)
    look = text.GetTextProperty()
    look.SetFontSize(points)
    look.SetColor(*INK)
    look.SetBold(bold)
    look.SetJustificationToCentered()
    look.SetVerticalJustificationToCentered()
    return text


def _mark_directions(renderer: vtkRenderer, view: ViewPoint, size: tuple[float, float]) -> None:
    width, height = size
    for letter, x, y in (
        (view.left, 24, height / 2),
        (view.right, width - 24, height / 2),
        (view.top, width / 2, height - 26),
        (view.bottom, width / 2, 22),
    ):
        renderer.AddViewProp(_text(letter, x, y, 26, bold=True))


def _scale_bar(renderer: vtkRenderer, pixels_per_mm: float) -> None:
    """A bar of a round length of 60 to 200 pixels at the lower left."""
    step = 10 ** math.floor(math.log10(200 / pixels_per_mm))
    length_mm = max(m * step for m in (1, 2, 5) if m * step * pixels_per_mm <= 200)
    _rectangle(renderer, (30, 30, length_mm * pixels_per_mm, 6), INK)
    renderer.AddViewProp(_text(f"{length_mm:g} mm", 30 + length_mm * pixels_per_mm / 2, 52, 20))


def _legend(
    renderer: vtkRenderer, meshes: Sequence[Mesh], size: tuple[int, int], caption: str
) -> None:
    width, height = size[0], size[1] * 0.06
    step = min(170.0, (width - 40) / max(len(meshes), 1))
    for n, mesh in enumerate(meshes):
        x = 24 + n * step
        r, g, b = mesh.label.color
        _rectangle(renderer, (x, height * 0.55, 16, 16), (r / 255, g / 255, b / 255))
        name = _text(mesh.label.name.replace("_", " "), x + 24, height * 0.55 + 8, 17)
        name.GetTextProperty().SetJustificationToLeft()
        renderer.AddViewProp(name)
    words = _text(caption, 24, height * 0.22, 14)
    words.GetTextProperty().SetJustificationToLeft()
    renderer.AddViewProp(words)


def _rectangle(
    renderer: vtkRenderer,
    box: tuple[float, float, float, float],
    color: tuple[float, float, float],
) -> None:
    x, y, w, h = box
    points = vtkPoints()
    for px, py in ((x, y), (x + w, y), (x + w, y + h), (x, y + h)):
        points.InsertNextPoint(px, py, 0)
    face = vtkCellArray()
    face.InsertNextCell(4, [0, 1, 2, 3])
    surface = vtkPolyData()
    surface.SetPoints(points)
    surface.SetPolys(face)
    mapper = vtkPolyDataMapper2D()
    mapper.SetInputData(surface)
    actor = vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*color)
    renderer.AddViewProp(actor)


__all__ = ["ANTERIOR", "LEFT_SIDE", "ViewPoint", "draw_scene", "polydata"]
_REGISTERED = (vtkmodules.vtkRenderingFreeType, vtkmodules.vtkRenderingOpenGL2)
