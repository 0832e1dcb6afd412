"""A vedo plotter that shows what a `ViewState` says."""

from __future__ import annotations

import numpy as np
import vedo
from vtkmodules.vtkCommonCore import vtkLookupTable
from vtkmodules.vtkRenderingAnnotation import vtkScalarBarActor
from vtkmodules.vtkRenderingCore import vtkImageProperty, vtkImageSlice, vtkRenderer

from medrecon.core import Volume
from medrecon.view.clipping import clipping_planes
from medrecon.view.content import Content, Shown
from medrecon.view.cursor import Cursor
from medrecon.view.grown_layer import GrownLayer
from medrecon.view.image_planes import Outline, image_data, image_slice, slice_plane
from medrecon.view.keys import camera_from
from medrecon.view.marks import Marks
from medrecon.view.panel import TOWARDS, Panel
from medrecon.view.part_actor import PartActor
from medrecon.view.scales import colour_scale, colour_table
from medrecon.view.state import Camera, Layout, Point, ViewState
from medrecon.view.style import INK, ground, light, see_through
from medrecon.view.words import Help, Legend, Measurements, Status

# Pixels at the bottom that the sliders take.
SLIDERS = 76
RESEARCH = "research use, not a medical device"
Box = tuple[float, float, float, float]
_NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)
# Where the panels stand in the layout of four: axial, coronal and sagittal at the right.
_FOUR: dict[int, Box] = {2: (0.68, 2 / 3, 1, 1), 1: (0.68, 1 / 3, 1, 2 / 3), 0: (0.68, 0, 1, 1 / 3)}


class Scene:
    """One run in one renderer, with everything written over it."""

    def __init__(self, renderer: vtkRenderer, run: Shown, *, first: bool, still: bool) -> None:
        self.renderer, self.run = renderer, run
        self._hint = RESEARCH if still else f"h help · {RESEARCH}"
        ground(renderer)
        light(renderer)
        see_through(renderer)
        self.parts = [
            PartActor(m, {k: v[m.label.name] for k, v in run.values.items() if m.label.name in v})
            for m in run.meshes
        ]
        for part in self.parts:
            renderer.AddViewProp(part.surface.actor)
        colours = {part.name: part.color for part in self.parts}
        self.legend = Legend(renderer, colours, run.title)
        self.marks = Marks(renderer, INK, 24, bottom=0 if still else SLIDERS)
        self.measurements = Measurements(renderer)
        self.status = Status(renderer) if first else None
        self.help = Help(renderer) if first else None
        self.bars: dict[str, vtkScalarBarActor] = {}

    def refresh_words(self, state: ViewState) -> None:
        """Everything written, where it belongs in a window of this size."""
        self.legend.refresh(state)
        self.marks.refresh()
        self.measurements.refresh(state)
        if self.status is not None and self.help is not None:
            self.status.refresh(state, self._hint)
            self.help.refresh(state)


class Drawing:
    """The plotter and its actors; `apply` makes them show a state.

    Parameters
    ----------
    content : Content
    size : tuple of int
        Width and height in pixels.
    offscreen : bool
    """

    def __init__(self, content: Content, *, size: tuple[int, int], offscreen: bool) -> None:
        self.content, self.facts = content, content.facts
        panels = 3 if content.volume is not None and len(content.runs) <= 1 else 0
        runs = max(len(content.runs), 1)
        boxes = [{"bottomleft": (0, 0), "topright": (1, 1)}] * (runs + panels)
        self.plotter = vedo.Plotter(
            shape=boxes, size=size, offscreen=offscreen, title="medrecon", axes=0
        )
        self.plotter.window.SetMultiSamples(0)
        self.plotter.window.SetAlphaBitPlanes(1)
        renderers = self.plotter.renderers
        shown = content.runs or (Shown("", ()),)
        self.scenes = [
            Scene(r, run, first=n == 0, still=offscreen)
            for n, (r, run) in enumerate(zip(renderers, shown, strict=False))
        ]
        for scene in self.scenes[1:]:
            scene.renderer.SetActiveCamera(renderers[0].GetActiveCamera())
        self._tables = self._make_tables()
        self._camera: Camera | None = None
        self._look = vtkImageProperty()
        self.panels: list[Panel] = []
        self.cursor: Cursor | None = None
        self.grown: GrownLayer | None = None
        self._outlines: dict[int, list[Outline]] = {}
        self._slices: list[vtkImageSlice] = []
        if content.volume is not None:
            self._add_image(content.volume, renderers[runs:])
            first = self.scenes[0].renderer
            self.cursor = Cursor(first, content)
            self.grown = GrownLayer(first, self.panels, content.volume)
        for scene in self.scenes:
            scene.renderer.AddObserver("StartEvent", lambda *_, s=scene: s.marks.refresh())

    def apply(self, state: ViewState) -> None:
        """Make everything show the state; drawing it is `render`."""
        self._arrange(state)
        planes = clipping_planes(state, self.facts)
        looks = {look.name: look for look in state.looks}
        for scene in self.scenes:
            for part in scene.parts:
                part.show(looks[part.name], state.colours, self._tables.get(state.colours))
                part.cut(planes)
            for kind, bar in scene.bars.items():
                bar.SetVisibility(kind == state.colours)
        self._aim(state.camera or camera_from("A", self.facts))
        if self.content.volume is not None:
            self._apply_image(state, self.content.volume)
        for scene in self.scenes:
            scene.refresh_words(state)

    def render(self) -> None:
        """Draw."""
        self.plotter.window.Render()

    def camera(self) -> Camera:
        """Where the scene is looked at from now, also after the mouse turned it."""
        camera = self.scenes[0].renderer.GetActiveCamera()
        position, focus, up = (
            _point(v) for v in (camera.GetPosition(), camera.GetFocalPoint(), camera.GetViewUp())
        )
        return Camera(position, focus, up, float(camera.GetParallelScale()))

    def slice_point(self, state: ViewState) -> Point | None:
        """Where the three slices cross, LPS mm."""
        if self.content.volume is None:
            return None
        return _point(self.content.volume.geometry.mm_from_index([state.slices])[0])

    def renderer_at(self, x: int, y: int) -> vtkRenderer | None:
        """The renderer that a pixel of the window belongs to."""
        width, height = self.plotter.window.GetSize()
        renderer: vtkRenderer
        for renderer in reversed(self.plotter.renderers):
            left, bottom, right, top = renderer.GetViewport()
            inside = left <= x / width < right and bottom <= y / height < top
            if inside and renderer.GetDraw():
                return renderer
        return None

    def _make_tables(self) -> dict[str, vtkLookupTable]:
        tables = {}
        for kind in self.facts.colours[1:]:
            arrays = [a for r in self.content.runs for a in r.values.get(kind, {}).values()]
            tables[kind] = colour_table(kind, arrays)
            for scene in self.scenes:
                bar = colour_scale(kind, tables[kind])
                scene.bars[kind] = bar
                scene.renderer.AddViewProp(bar)
        return tables

    def _add_image(self, volume: Volume, renderers: list[vtkRenderer]) -> None:
        data = image_data(volume)
        self._look.SetInterpolationTypeToLinear()
        panel_look = self._look
        scene = self.scenes[0]
        for axis in range(3):
            picture = image_slice(data, volume, axis, self._look)
            scene.renderer.AddViewProp(picture)
            self._slices.append(picture)
            outlines = [Outline(p.surface.dataset, p.color) for p in scene.parts]
            for outline in outlines:
                scene.renderer.AddViewProp(outline.in_scene)
            self._outlines[axis] = outlines
        for axis, renderer in zip((2, 1, 0), renderers, strict=False):
            panel = Panel(renderer, axis, data, volume, panel_look)
            for outline in self._outlines[axis]:
                renderer.AddViewProp(outline.in_panel)
            renderer.InteractiveOff()
            self.panels.append(panel)

    def _apply_image(self, state: ViewState, volume: Volume) -> None:
        low, high = state.window
        self._look.SetColorWindow(max(high - low, 1e-6))
        self._look.SetColorLevel((low + high) / 2)
        four = state.layout is Layout.FOUR
        visible = {look.name for look in state.looks if look.visible}
        for axis in range(3):
            index = state.slices[axis]
            self._slices[axis].GetMapper().SetSliceNumber(index)
            self._slices[axis].SetVisibility(state.slices_shown)
            plane = slice_plane(volume, axis, index)
            # A tenth of a voxel towards the panel's camera.
            nearer = -TOWARDS[axis] * 0.1 * volume.geometry.spacing_mm[axis]
            for part, outline in zip(self.scenes[0].parts, self._outlines[axis], strict=True):
                drawn = state.outlines_shown and part.name in visible
                outline.in_scene.SetVisibility(drawn and state.slices_shown)
                outline.in_panel.SetVisibility(drawn and four)
                if drawn and (four or state.slices_shown):
                    outline.cut(plane, nearer)
        for panel in self.panels if four else ():
            panel.go(state.slices[panel.axis], panel.axis == state.axis)

    def _arrange(self, state: ViewState) -> None:
        four = bool(self.panels) and state.layout is Layout.FOUR
        count = len(self.scenes)
        for n, scene in enumerate(self.scenes):
            right = 0.68 if four else (n + 1) / count
            scene.renderer.SetViewport(n / count, 0, right, 1)
        for panel in self.panels:
            panel.renderer.SetViewport(*(_FOUR[panel.axis] if four else _NOWHERE))
            panel.renderer.SetDraw(four)

    def _aim(self, wanted: Camera) -> None:
        if wanted == self._camera:
            return
        self._camera = wanted
        camera = self.scenes[0].renderer.GetActiveCamera()
        camera.ParallelProjectionOn()
        camera.SetFocalPoint(*wanted.focus)
        camera.SetPosition(*wanted.position)
        camera.SetViewUp(*wanted.up)
        camera.SetParallelScale(wanted.half_height_mm)
        for scene in self.scenes:
            scene.renderer.ResetCameraClippingRange()


def _point(values: object) -> Point:
    x, y, z = (float(v) for v in np.asarray(values).ravel())
    return x, y, z
