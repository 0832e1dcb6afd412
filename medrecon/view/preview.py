"""`preview.png`, drawn in a child process.

VTK without EGL and OSMesa does not raise: it takes the process down. So the drawing
happens in a child; if that dies, the run goes on with a warning.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medrecon.core import Label, Mesh
from medrecon.files.atomic import open_atomic

# A software renderer needs about 5 s a million translucent triangles.
TIMEOUT_S = 300.0
NO_PICTURE = (
    "no picture could be drawn: off-screen OpenGL is missing or broken; on Debian or Ubuntu "
    "install libegl1 and libgl1-mesa-dri"
)


def draw_preview(meshes: Sequence[Mesh], path: Path, *, caption: str = "") -> str | None:
    """Draw the meshes from the front and from the left into a PNG.

    Parameters
    ----------
    meshes : sequence of Mesh
        LPS millimetres, at least one.
    path : Path
        Appears only when whole.
    caption : str
        One line under the picture; no patient data.

    Returns
    -------
    str or None
        A warning if there is no picture, else None.
    """
    with tempfile.TemporaryDirectory(prefix="medrecon-") as folder:
        scene = Path(folder)
        _hand_over(meshes, caption, scene)
        command = [sys.executable, "-m", "medrecon.view.preview", str(scene)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            return f"no picture could be drawn within {TIMEOUT_S:.0f} s"
        picture = scene / "picture.png"
        if done.returncode != 0 or not picture.is_file():
            return NO_PICTURE
        with open_atomic(path) as stream:
            stream.write(picture.read_bytes())
    return None


def _hand_over(meshes: Sequence[Mesh], caption: str, folder: Path) -> None:
    rows = [{"name": m.label.name, "color": m.label.color} for m in meshes]
    (folder / "scene.json").write_text(json.dumps({"caption": caption, "meshes": rows}), "utf-8")
    for n, mesh in enumerate(meshes):
        np.savez(folder / f"{n}.npz", vertices=mesh.vertices_mm, faces=mesh.faces)


def _take_over(folder: Path) -> tuple[list[Mesh], str]:
    scene = json.loads((folder / "scene.json").read_text("utf-8"))
    meshes = []
    for n, row in enumerate(scene["meshes"]):
        with np.load(folder / f"{n}.npz") as arrays:
            label = Label(n + 1, row["name"], tuple(row["color"]))
            meshes.append(Mesh(arrays["vertices"], arrays["faces"], label))
    return meshes, scene["caption"]


def _child(folder: Path) -> None:
    from medrecon.view.scene import draw_scene

    meshes, caption = _take_over(folder)
    draw_scene(meshes, folder / "picture.png", caption=caption)


if __name__ == "__main__":
    _child(Path(sys.argv[1]))
