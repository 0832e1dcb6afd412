"""Growing a structure in the viewer: keys and presses tell, a thread grows, words answer."""

from __future__ import annotations

import math
from dataclasses import replace

from medrecon.core import Geometry
from medrecon.core.looks import in_words
from medrecon.errors import MedreconError
from medrecon.view import pointing as p
from medrecon.view.pointing import Grower, Grown, Pointing, Told, Tool
from medrecon.view.state import Point
from medrecon.view.worker import Worker

# Points of a stroke that lie nearer than this say nothing new.
STROKE_STEP_MM = 4.0
START_KEY = "r"
GROW_KEYS = (
    ("r", "grow a structure from clicks on the slices; again: leave"),
    ("click", "… inside it; with shift: not part of it"),
    ("i n", "… the same at the crossing of the slices"),
    ("k", "… click, stroke or box; enter ends a stroke by keys"),
    ("u", "… take back the last; backspace does too"),
    ("a", "… accept: mesh, judge and write it"),
)
_TELLS = {
    Tool.CLICK: "click inside, shift+click outside",
    Tool.STROKE: "draw inside, with shift outside",
    Tool.BOX: "draw a box round it",
}


class Growing:
    """The conversation with a `Grower`.

    Parameters
    ----------
    grower : Grower
    grid : Geometry
        Of the image that is shown.
    """

    def __init__(self, grower: Grower, grid: Geometry) -> None:
        self.now = Pointing()
        self.grown: Grown | None = None
        self.drawn_inside = True
        self._grower, self._grid = grower, grid
        self._worker = Worker()
        self._answer = ""

    @property
    def is_busy(self) -> bool:
        """Whether the thread is at work."""
        return self._worker.is_busy

    @property
    def words(self) -> str:
        """The line that says where one is."""
        now = self.now
        if now.naming:
            return f"name of the structure: {now.name}_   (enter: begin, escape: leave)"
        if not now.on:
            return self._answer
        name = in_words(now.name)
        volume = "" if self.grown is None else f" {self.grown.volume_ml:.1f} mL"
        busy = " …" if self.is_busy else ""
        told = _counted(now.told)
        return self._answer or f"{name}{volume}{busy} · {told}{_TELLS[now.tool]}"

    def key(self, keysym: str, crossing: Point | None) -> bool:
        """Do what a key says; False if it says nothing here."""
        if not self.now.on:
            if keysym == START_KEY:
                self._go(p.begun(self.now))
            return keysym == START_KEY
        if self.now.naming:
            left = keysym == "Escape"
            self._go(replace(self.now, on=False) if left else p.typed(self.now, keysym))
            return True
        return self._tell(keysym, crossing)

    def press(self, point: Point, inside: bool) -> None:
        """The mouse goes down on a slice."""
        self.drawn_inside = inside
        self._go(replace(self.now, path=(point,)))

    def drag(self, point: Point) -> None:
        """The mouse moves while it is down."""
        path = self.now.path
        if self.now.tool is Tool.BOX and path:
            self.now = replace(self.now, path=(path[0], point))
        elif self.now.tool is Tool.STROKE and path and math.dist(path[-1], point) > STROKE_STEP_MM:
            self.now = replace(self.now, path=(*path, point))

    def release(self, axis: int) -> None:
        """The mouse comes up: what was drawn on the slice across the axis is told."""
        path = self.now.path
        if self.now.tool is Tool.BOX:
            if len(path) == 2:
                box = p.box_on_slice(self._grid, *path, axis, self.now.told.box_mm)
                self._go(p.with_box(self.now, box))
            else:
                self._go(replace(self.now, path=()))
        elif path:
            points = path if self.now.tool is Tool.STROKE else path[:1]
            self._go(p.with_seed(self.now, points, self.drawn_inside))

    def poll(self) -> bool:
        """Take what the thread has finished; whether there was anything."""
        found = self._worker.result()
        if isinstance(found, MedreconError):
            self._answer = str(found)
        elif isinstance(found, Grown):
            self.grown = found if self.now.told.is_enough else None
        elif isinstance(found, str):
            self._answer = found
            self.now = Pointing()
        return found is not None

    def _tell(self, keysym: str, crossing: Point | None) -> bool:
        now, self._answer = self.now, ""
        if keysym in ("Escape", START_KEY):
            self._answer = "not written; r goes on" if now.told.is_enough else ""
            self._go(replace(now, on=False, path=()))
        elif keysym in ("i", "n") and crossing is not None:
            self.drawn_inside = keysym == "i"
            self._go(p.at_crossing(now, crossing, keysym == "i"))
        elif keysym == "Return":
            self._go(p.finished_stroke(now, self.drawn_inside))
        elif keysym == "k":
            self._go(p.next_tool(now))
        elif keysym in ("u", "BackSpace"):
            self._go(p.undone(now))
        elif keysym == "a":
            self._accept()
        else:
            return False
        return True

    def _accept(self) -> None:
        told, name = self.now.told, self.now.name
        if not told.is_enough:
            self._answer = "nothing to write yet; click inside the structure"
            return
        self._answer = f"writing {in_words(name)} …"
        self._worker.ask(lambda: self._grower.accept(told, name))

    def _go(self, now: Pointing) -> None:
        before, self.now = self.now.told, now
        if now.told == before:
            return
        self._answer = ""
        if now.told.is_enough:
            self._ask(now.told, now.name)
        else:
            self._worker.forget()
            self.grown = None

    def _ask(self, told: Told, name: str) -> None:
        self._worker.ask(lambda: self._grower.grow(told, name))


def _counted(told: Told) -> str:
    """How much was told: "2 inside, 1 outside, a box · "."""
    inside = sum(s.inside for s in told.seeds)
    outside = len(told.seeds) - inside
    words = [f"{inside} inside"] * bool(inside) + [f"{outside} outside"] * bool(outside)
    words += ["a box"] * (told.box_mm is not None)
    return f"{', '.join(words)} · " if words else ""
