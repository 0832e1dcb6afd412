"""The process that draws: a window to work in, or one picture.

VTK without a display, EGL or OSMesa does not raise: it takes the process down. So the
viewer is a child; if that dies, its parent says what to install.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from medrecon.errors import RenderingError
from medrecon.view.content import Content, hand_over, take_over

NO_WINDOW = (
    "the viewer could not draw: OpenGL is missing or broken, or there is no display; on "
    "Debian or Ubuntu install libegl1 and libgl1-mesa-dri, and without a display pass "
    "--offscreen FILE.png"
)
_REQUEST = "request.json"


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
    """

    view_file: str
    pictures: str
    restore: bool = False
    keys: tuple[str, ...] = ()
    offscreen: str | None = None
    size: tuple[int, int] = (1600, 1000)


def open_viewer(content: Content, request: Request) -> None:
    """Show the content in a child process, and wait until it is done.

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
        command = [sys.executable, "-m", "medrecon.view.window", str(folder)]
        done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise RenderingError(NO_WINDOW)
    if request.offscreen is not None and not Path(request.offscreen).is_file():
        raise RenderingError(NO_WINDOW)


def _child(folder: Path) -> None:
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
    _child(Path(sys.argv[1]))
