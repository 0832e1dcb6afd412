"""The process that draws: a window to work in, or one picture.

VTK without a display, EGL or OSMesa does not raise: it takes the process down. So the
viewer is a child; if that dies, its parent says what to install.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from medrecon.errors import RenderingError
from medrecon.view.content import Content, hand_over, take_over
from medrecon.view.pointing import Grower

NO_WINDOW = (
    "the viewer could not draw: OpenGL is missing or broken, or there is no display; on "
    "Debian or Ubuntu install libegl1 and libgl1-mesa-dri, and without a display pass "
    "--offscreen FILE.png"
)
_REQUEST = "request.json"
PROGRAM = "medrecon.view.window"
MakeGrower = Callable[[Mapping[str, Any]], Grower]


@dataclass(frozen=True, slots=True)
class Request:
    """What the child is asked to do.

    Parameters
    ----------
    view_file : str
        Where the view is saved and restored.
    pictures : str
        Folder for pictures taken.
    restore : bool
        Begin with the view in that file.
    keys : tuple of str
        Keysyms pressed before anything is shown.
    offscreen : str or None
        Write this PNG and end; None opens a window.
    size : tuple of int
    growing : mapping or None
        What the program that is run makes its `Grower` of.
    """

    view_file: str
    pictures: str
    restore: bool = False
    keys: tuple[str, ...] = ()
    offscreen: str | None = None
    size: tuple[int, int] = (1600, 1000)
    growing: Mapping[str, Any] | None = None


def open_viewer(content: Content, request: Request, *, program: str = PROGRAM) -> None:
    """Show the content in a child process, and wait until it is done.

    Parameters
    ----------
    content : Content
    request : Request
    program : str
        The module that is run: one that ends in `run_child`.

    Raises
    ------
    RenderingError
        If the child could not draw.
    """
    if find_spec("vedo") is None:
        raise RenderingError('the viewer is not installed; pip install "medrecon[view]"')
    with tempfile.TemporaryDirectory(prefix="medrecon-") as name:
        folder = Path(name)
        hand_over(content, folder)
        row = {k: getattr(request, k) for k in Request.__dataclass_fields__}
        (folder / _REQUEST).write_text(json.dumps(row), "utf-8")
        command = [sys.executable, "-m", program, str(folder)]
        done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise RenderingError(NO_WINDOW)
    if request.offscreen is not None and not Path(request.offscreen).is_file():
        raise RenderingError(NO_WINDOW)


def run_child(folder: Path, make_grower: MakeGrower | None = None) -> None:
    """Draw what `open_viewer` has put into a folder; structures are grown by that grower."""
    from medrecon.view.session import Session
    from medrecon.view.state_file import load_view

    row = json.loads((folder / _REQUEST).read_text("utf-8"))
    request = Request(**{**row, "keys": tuple(row["keys"]), "size": tuple(row["size"])})
    content = take_over(folder)
    view_file = Path(request.view_file)
    session = Session(
        content,
        view_file=view_file,
        pictures=Path(request.pictures),
        state=load_view(view_file, content.facts) if request.restore else None,
        offscreen=request.offscreen is not None,
        size=request.size,
        grower=make_grower(request.growing) if make_grower and request.growing else None,
    )
    for key in request.keys:
        session.press(key)
    if request.offscreen is not None:
        session.picture(Path(request.offscreen))
        return
    interactor = session.drawing.plotter.interactor
    session.listen(interactor)
    session.drawing.render()
    interactor.Initialize()
    interactor.Start()


if __name__ == "__main__":
    run_child(Path(sys.argv[1]))
