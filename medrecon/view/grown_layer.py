"""The structure that is being grown: its surface, its outlines, and what was told."""

from __future__ import annotations

import numpy as np
import vedo
from vtkmodules.vtkRenderingCore import vtkProp, vtkRenderer

from medrecon.core import Geometry, Volume
from medrecon.view.image_planes import Outline, slice_plane
from medrecon.view.panel import TOWARDS, Panel
from medrecon.view.part_actor import PartActor
from medrecon.view.pointing import Grown, Pointing
from medrecon.view.state import Point, ViewState

INSIDE, OUTSIDE, BOX = (0.10, 0.75, 0.20), (0.90, 0.15, 0.10), (0.10, 0.45, 0.95)
CROSSING = (0.95, 0.80, 0.25)
_SEED_PIXELS = 10
_OPACITY = 0.8
WIDTH = 2.5
_EDGES = [(a, b) for a in range(8) for b in range(a) if bin(a ^ b).count("1") == 1]


class GrownLayer:
    """Everything of a `Growing` that is drawn, over the scene and the panels.

    Parameters
    ----------
    scene : vtkRenderer
    panels : list of Panel
    volume : Volume
        The image that is shown.
    """

    def __init__(self, scene: vtkRenderer, panels: list[Panel], volume: Volume) -> None:
        self._scene, self._panels, self._volume = scene, panels, volume
        self._drawn: Grown | None = None
        self._surface: list[tuple[vtkRenderer, vtkProp]] = []
        self._outlines: list[Outline] = []
        self._marks: list[tuple[vtkRenderer, vtkProp]] = []

    def show(self, state: ViewState, now: Pointing, grown: Grown | None, *, inside: bool) -> None:
        """Draw what there is, on the slices that the state shows."""
        if grown is not self._drawn:
            self._show_surface(grown)
        for panel, outline in zip(self._panels, self._outlines, strict=False):
            axis = panel.axis
            nearer = -TOWARDS[axis] * 0.1 * self._volume.geometry.spacing_mm[axis]
            outline.cut(slice_plane(self._volume, axis, state.slices[axis]), nearer)
            outline.in_scene.SetVisibility(state.slices_shown)
        self._marks = _removed(self._marks)
        self._show_told(state, now, inside=inside)

    def _show_surface(self, grown: Grown | None) -> None:
        self._drawn, self._surface, self._outlines = grown, _removed(self._surface), []
        if grown is None or not len(grown.mesh.faces):
            return
        part = PartActor(grown.mesh, {})
        part.surface.properties.SetOpacity(_OPACITY)
        part.surface.actor.PickableOff()
        self._add(self._surface, self._scene, part.surface.actor)
        for panel in self._panels:
            outline = Outline(part.surface.dataset, part.color)
            self._add(self._surface, self._scene, outline.in_scene)
            self._add(self._surface, panel.renderer, outline.in_panel)
            self._outlines.append(outline)

    def _show_told(self, state: ViewState, now: Pointing, *, inside: bool) -> None:
        """Seeds and box, in a panel those that lie on its slice, and where the slices cross."""
        for panel in self._panels if now.on else ():
            for along in (n for n in range(3) if n != panel.axis):
                line = vedo.Line(_across(self._volume.geometry, state.slices, along))
                self._in_panel(panel, line, CROSSING, width=1.0)
        for seed in now.told.seeds:
            self._line(state, seed.points_mm, INSIDE if seed.inside else OUTSIDE)
        if now.path:
            self._line(state, now.path, INSIDE if inside else OUTSIDE)
        if now.told.box_mm is not None:
            corners = box_corners(self._volume.geometry, now.told.box_mm)
            edges = vedo.Lines([corners[a] for a, _ in _EDGES], [corners[b] for _, b in _EDGES])
            self._dress(edges, BOX)
            self._add(self._marks, self._scene, edges.actor)
            for panel in self._panels:
                drawn = _rectangle(self._volume.geometry, now.told.box_mm, panel.axis, state)
                if drawn is not None:
                    self._in_panel(panel, vedo.Line(drawn, closed=True), BOX)

    def _line(self, state: ViewState, points: tuple[Point, ...], colour: Point) -> None:
        self._add(self._marks, self._scene, self._dress(_dots(points), colour).actor)
        indices = self._volume.geometry.index_from_mm(points)
        for panel in self._panels:
            near = np.abs(indices[:, panel.axis] - state.slices[panel.axis]) < 1
            here = [q for q, is_near in zip(points, near, strict=True) if is_near]
            if here:
                self._in_panel(panel, _dots(here), colour)

    def _in_panel(
        self, panel: Panel, drawn: vedo.Points, colour: Point, width: float = WIDTH
    ) -> None:
        """Two slices nearer to the camera than its own: before the picture."""
        normal = panel.towards * -2 * self._volume.geometry.spacing_mm[panel.axis]
        self._dress(drawn, colour, width).actor.SetPosition(*normal)
        self._add(self._marks, panel.renderer, drawn.actor)

    def _dress(self, drawn: vedo.Points, colour: Point, width: float = WIDTH) -> vedo.Points:
        drawn.color(colour)
        drawn.properties.SetLineWidth(width)
        drawn.properties.LightingOff()
        drawn.actor.PickableOff()
        return drawn

    def _add(
        self, kept: list[tuple[vtkRenderer, vtkProp]], renderer: vtkRenderer, prop: vtkProp
    ) -> None:
        renderer.AddViewProp(prop)
        kept.append((renderer, prop))


def box_corners(grid: Geometry, box: tuple[Point, Point]) -> list[Point]:
    """The eight corners of a box along the grid's axes, LPS mm."""
    low, high = grid.index_from_mm(box)
    bits = [[(n >> axis) & 1 for axis in range(3)] for n in range(8)]
    corners = grid.mm_from_index([np.where(b, high, low) for b in bits])
    return [(x, y, z) for x, y, z in corners.tolist()]


def _rectangle(
    grid: Geometry, box: tuple[Point, Point], axis: int, state: ViewState
) -> list[Point] | None:
    """Where a slice cuts the box."""
    low, high = np.sort(grid.index_from_mm(box), axis=0)
    at = state.slices[axis]
    if not low[axis] - 0.5 <= at <= high[axis] + 0.5:
        return None
    a, b = (n for n in range(3) if n != axis)
    ring = []
    for x, y in ((low, low), (high, low), (high, high), (low, high)):
        index = np.full(3, float(at))
        index[a], index[b] = x[a], y[b]
        ring.append(index)
    return [(x, y, z) for x, y, z in grid.mm_from_index(ring).tolist()]


def _across(grid: Geometry, slices: tuple[int, int, int], along: int) -> list[Point]:
    """The line through the slices' crossing along an axis, from end to end."""
    ends = np.array([slices, slices], float)
    ends[:, along] = (-0.5, grid.shape[along] - 0.5)
    return [(x, y, z) for x, y, z in grid.mm_from_index(ends).tolist()]


def _dots(points: tuple[Point, ...] | list[Point]) -> vedo.Points:
    dots = vedo.Points(list(points), r=_SEED_PIXELS)
    dots.properties.RenderPointsAsSpheresOn()
    return dots


def _removed(props: list[tuple[vtkRenderer, vtkProp]]) -> list[tuple[vtkRenderer, vtkProp]]:
    for renderer, prop in props:
        renderer.RemoveViewProp(prop)
    return []
