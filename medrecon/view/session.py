"""An open viewer: events become states, states are drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from vtkmodules.vtkIOImage import vtkPNGWriter
from vtkmodules.vtkRenderingCore import vtkCellPicker, vtkRenderer, vtkWindowToImageFilter

from medrecon.errors import MedreconError, OutputError
from medrecon.view.content import Content
from medrecon.view.drawing import Drawing
from medrecon.view.growing import Growing
from medrecon.view.keys import press
from medrecon.view.pointing import Grower
from medrecon.view.slice_mouse import SliceMouse
from medrecon.view.state import (
    Layout,
    Measuring,
    Point,
    ViewState,
    first_state,
    with_look,
    with_point,
    with_slice,
)
from medrecon.view.state_file import load_view, save_view

SIZE = (1600, 1000)
# A press and a release this close together are a click, not a turn.
_CLICK_PIXELS = 4


class Session:
    """The viewer while it is open.

    Parameters
    ----------
    content : Content
    view_file : Path
        Where `w` writes the view and `e` reads it.
    pictures : Path
        Folder for pictures.
    state : ViewState, optional
        To begin with.
    offscreen : bool
    grower : Grower, optional
        What makes structures of clicks; without it, or without an image, none are made.
    """

    def __init__(
        self,
        content: Content,
        *,
        view_file: Path,
        pictures: Path,
        state: ViewState | None = None,
        offscreen: bool = False,
        size: tuple[int, int] = SIZE,
        grower: Grower | None = None,
    ) -> None:
        self.drawing = Drawing(content, size=size, offscreen=offscreen)
        self.growing: Growing | None = None
        if grower is not None and content.volume is not None and self.drawing.panels:
            self.growing = Growing(grower, content.volume.geometry)
        self.state = state or first_state(content.facts)
        self.view_file, self._pictures = view_file, pictures
        self._pressed: tuple[int, int] | None = None
        self._down_command: Any = None
        self._sliders: list[Any] = []
        self.drawing.apply(self.state)

    def listen(self, interactor: Any) -> None:
        """Take the interactor's keys and clicks, and add the sliders."""
        plotter = self.drawing.plotter
        plotter.interactor = interactor
        # Our own keys, not vedo's: one key, one meaning.
        for event in ("KeyPressEvent", "CharEvent", "LeftButtonPressEvent"):
            interactor.RemoveObservers(event)
        style = interactor.GetInteractorStyle()
        # Setting the style again puts its own observers back, which were removed too.
        interactor.SetInteractorStyle(None)
        interactor.SetInteractorStyle(style)
        # VTK's own keys (3 for stereo, w for wire frame) end here.
        style.AddObserver("CharEvent", lambda *_: None)
        interactor.AddObserver("KeyPressEvent", lambda *_: self.key(interactor.GetKeySym()))
        # Before the style, which grabs all events until the button is released.
        down = interactor.AddObserver("LeftButtonPressEvent", lambda *_: self._down(), 1.0)
        self._down_command = interactor.GetCommand(down)
        style.AddObserver("EndInteractionEvent", lambda *_: self._up())
        interactor.AddObserver("ConfigureEvent", lambda *_: self.show(self.state))
        self._add_sliders()
        self._mouse = SliceMouse(self, interactor)
        if self.growing is not None:
            self._mouse.start()

    def key(self, keysym: str | None) -> None:
        """Do what a key says."""
        if not keysym:
            return
        state = self._now()
        if self._grow_key(keysym):
            return
        actions = {"p": self._picture, "w": self._save, "e": self._restore, "Return": self._cross}
        if keysym in ("q", "Escape"):
            self.close()
        elif keysym in actions:
            self.show(actions[keysym](state))
        else:
            self.show(press(state, self.drawing.facts, keysym))

    def press(self, keysym: str) -> None:
        """A key before anything is drawn."""
        self.state = press(self.state, self.drawing.facts, keysym)
        self.drawing.apply(self.state)

    def click(self, x: int, y: int) -> None:
        """A click on a pixel, from the window's lower left: measure, or move the slices."""
        renderer = self.drawing.renderer_at(x, y)
        point = None if renderer is None else _picked(renderer, x, y)
        if point is None:
            return
        state = replace(self.state, camera=self.drawing.camera(), message="")
        if state.measuring is not Measuring.OFF:
            self.show(with_point(state, point))
        elif any(renderer is panel.renderer for panel in self.drawing.panels):
            self.show(self._slices_through(state, point))

    def show(self, state: ViewState) -> None:
        """Draw a state."""
        if self.growing is not None and (words := self.growing.words):
            state = replace(state, message=state.message or words)
        self.state = state
        self.drawing.apply(state)
        self.cursor_at(self.drawing.slice_point(state))
        if self.growing is not None and self.drawing.grown is not None:
            at_work = self.growing
            self.drawing.grown.show(state, at_work.now, at_work.grown, inside=at_work.drawn_inside)
        self._set_sliders()
        self.drawing.render()

    def cursor_at(self, point: Point | None) -> None:
        """Write where a point of a slice is, and its value; drawn with the next picture."""
        if self.drawing.cursor is not None and point is not None:
            self.drawing.cursor.show(point)

    def grow_drag(self, point: Point) -> None:
        """The mouse draws on a slice."""
        if self.growing is not None:
            self.growing.drag(point)
            self._grow_show()

    def grow_release(self, axis: int) -> None:
        """The mouse has drawn on a slice: the slices go through what was clicked."""
        if self.growing is not None:
            drawn = self.growing.now.path
            self.growing.release(axis)
            self._grow_show()
            if len(drawn) == 1:
                self.show(self._slices_through(self._now(), drawn[0]))

    def poll(self) -> bool:
        """Show what was grown meanwhile; whether there was anything."""
        changed = self.growing is not None and self.growing.poll()
        if changed:
            self._grow_show()
        return changed

    def _grow_key(self, keysym: str) -> bool:
        if self.growing is None:
            return False
        was_on = self.growing.now.on
        if not self.growing.key(keysym, self.drawing.slice_point(self.state)):
            return False
        state = replace(self._now(), message="")
        if self.growing.now.on and not was_on:
            state = replace(state, layout=Layout.FOUR, measuring=Measuring.OFF)
        self.show(state)
        return True

    def _grow_show(self) -> None:
        self.show(replace(self._now(), message=""))

    def picture(self, path: Path) -> None:
        """Write what the window shows as PNG.

        Raises
        ------
        OutputError
            If it cannot be written; VTK itself says nothing then.
        """
        self.drawing.render()
        grab = vtkWindowToImageFilter()
        grab.SetInput(self.drawing.plotter.window)
        grab.ReadFrontBufferOff()
        writer = vtkPNGWriter()
        writer.SetCompressionLevel(9)
        writer.SetFileName(str(path))
        writer.SetInputConnection(grab.GetOutputPort())
        writer.Write()
        if writer.GetErrorCode() or not path.is_file():
            raise OutputError(f"{path.name} cannot be written; look for space and permission")

    def close(self) -> None:
        """End the event loop."""
        interactor = self.drawing.plotter.interactor
        if interactor is not None:
            interactor.ExitCallback()

    def _slices_through(self, state: ViewState, point: Point) -> ViewState:
        volume = self.drawing.content.volume
        if volume is None:
            return state
        index = volume.geometry.index_from_mm([point])[0]
        axis = state.axis
        for n in range(3):
            state = with_slice(state, self.drawing.facts, n, round(float(index[n])))
        return replace(state, axis=axis)

    def _cross(self, state: ViewState) -> ViewState:
        point = self.drawing.slice_point(state)
        if point is None or state.measuring is Measuring.OFF:
            return replace(state, message="press m to measure; enter takes the slices' crossing")
        return with_point(replace(state, message=""), point)

    def _picture(self, state: ViewState) -> ViewState:
        number = 1
        while (path := self._pictures / f"view-{number}.png").exists():
            number += 1
        try:
            self.picture(path)
        except MedreconError as error:
            return replace(state, message=str(error))
        return replace(state, message=f"written: {path.name}")

    def _save(self, state: ViewState) -> ViewState:
        try:
            save_view(state, self.view_file)
        except MedreconError as error:
            return replace(state, message=str(error))
        return replace(state, message=f"written: {self.view_file.name}")

    def _restore(self, state: ViewState) -> ViewState:
        try:
            return load_view(self.view_file, self.drawing.facts)
        except MedreconError as error:
            return replace(state, message=str(error))

    def _down(self) -> None:
        """In a panel a press is a click, and turns nothing."""
        x, y = self.drawing.plotter.interactor.GetEventPosition()
        in_panel = self._mouse.press(x, y)
        self._down_command.SetAbortFlag(in_panel)
        self._pressed = None if in_panel else (x, y)

    def _up(self) -> None:
        """A press and a release at one place are a click."""
        x, y = self.drawing.plotter.interactor.GetEventPosition()
        pressed, self._pressed = self._pressed, None
        if pressed and abs(x - pressed[0]) + abs(y - pressed[1]) <= _CLICK_PIXELS:
            self.click(x, y)

    def _add_sliders(self) -> None:
        facts, plotter = self.drawing.facts, self.drawing.plotter
        plotter.renderer = self.drawing.scenes[0].renderer
        if facts.names:
            self._slider(self._opacity_slid, 1.0, "opacity", (0.03, 0.17))
        if facts.shape is not None:
            self._slider(self._slice_slid, 1.0, "slice", (0.20, 0.34))
        self._slider(self._cut_slid, 1.0, "cut", (0.37, 0.51))
        self._set_sliders()

    def _slider(self, slid: Any, highest: float, title: str, ends: tuple[float, float]) -> None:
        places = [(end, 0.045) for end in ends]
        slider = self.drawing.plotter.add_slider(
            slid, 0.0, highest, value=0.0, pos=places, title=title, show_value=False,
            title_size=0.8, slider_length=0.012, slider_width=0.012, tube_width=0.004,
        )  # fmt: skip
        self._sliders.append((title, slider))

    def _set_sliders(self) -> None:
        state, shape = self.state, self.drawing.facts.shape
        at = {"cut": state.plane}
        if state.looks:
            at["opacity"] = state.looks[state.chosen].opacity
        if shape is not None:
            at["slice"] = state.slices[state.axis] / max(shape[state.axis] - 1, 1)
        for title, slider in self._sliders:
            slider.value = at[title]

    def _opacity_slid(self, widget: Any, event: str) -> None:
        self.show(with_look(self._now(), opacity=round(float(widget.value), 2)))

    def _slice_slid(self, widget: Any, event: str) -> None:
        shape, axis = self.drawing.facts.shape, self.state.axis
        if shape is not None:
            index = round(float(widget.value) * (shape[axis] - 1))
            state = self._now()
            if state.layout is Layout.SCENE:
                state = replace(state, slices_shown=True)
            self.show(with_slice(state, self.drawing.facts, axis, index))

    def _cut_slid(self, widget: Any, event: str) -> None:
        self.show(replace(self._now(), plane=round(float(widget.value), 3)))

    def _now(self) -> ViewState:
        return replace(self.state, camera=self.drawing.camera())


def _picked(renderer: vtkRenderer, x: int, y: int) -> Point | None:
    """The nearest point of a surface or a slice under a pixel, LPS mm."""
    picker = vtkCellPicker()
    picker.SetTolerance(0.0005)
    # A pixel's middle, not its corner.
    if not picker.Pick(x + 0.5, y + 0.5, 0, renderer):
        return None
    a, b, c = picker.GetPickPosition()
    return float(a), float(b), float(c)
