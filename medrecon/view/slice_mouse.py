"""What the mouse does on the three slices beside the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medrecon.view.state import Point

if TYPE_CHECKING:
    from medrecon.view.session import Session

# How often the window looks for what the thread has made, and for where the mouse is.
POLL_MS = 100


class SliceMouse:
    """Presses, movements and releases over the panels; the rest is the scene's.

    Parameters
    ----------
    session : Session
    interactor : vtkRenderWindowInteractor
    """

    def __init__(self, session: Session, interactor: Any) -> None:
        self._session, self._interactor = session, interactor
        self._axis: int | None = None
        self._stale = False
        interactor.AddObserver("MouseMoveEvent", lambda *_: self._move(), 1.0)
        interactor.AddObserver("LeftButtonReleaseEvent", lambda *_: self._release(), 1.0)
        interactor.AddObserver("TimerEvent", lambda *_: self._look())

    def start(self) -> None:
        """Look about ten times a second from now on."""
        self._interactor.CreateRepeatingTimer(POLL_MS)

    def press(self, x: int, y: int) -> bool:
        """Whether the press was over a panel, and so is done with."""
        axis, point = self._under(x, y)
        if axis is None:
            return False
        growing = self._session.growing
        if growing is None or not growing.now.on or growing.now.naming:
            self._session.click(x, y)
        elif point is not None:
            self._axis = axis
            growing.press(point, inside=not self._interactor.GetShiftKey())
            self._session.show(self._session.state)
        return True

    def _move(self) -> None:
        x, y = self._interactor.GetEventPosition()
        axis, point = self._under(x, y)
        self._session.cursor_at(point)
        self._stale = self._stale or axis is not None
        if self._axis is not None and axis == self._axis and point is not None:
            self._session.grow_drag(point)

    def _release(self) -> None:
        axis, self._axis = self._axis, None
        if axis is not None:
            self._session.grow_release(axis)

    def _look(self) -> None:
        changed = self._session.poll()
        if self._stale and not changed:
            self._session.drawing.render()
        self._stale = False

    def _under(self, x: int, y: int) -> tuple[int | None, Point | None]:
        """The panel's axis and the slice's point under a pixel."""
        drawing, state = self._session.drawing, self._session.state
        renderer = drawing.renderer_at(x, y)
        for panel in drawing.panels:
            if panel.renderer is renderer:
                return panel.axis, panel.point_at(x, y, state.slices[panel.axis])
        return None, None
