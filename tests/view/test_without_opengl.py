"""On a machine without EGL and OSMesa: no crash, and words that say what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medrecon.files.stl import save_stl

# In a mount namespace of its own, a child finds an empty file where the libraries are.
HIDE = """
for name in libEGL.so.1 libOSMesa.so.8; do
  for folder in /usr/lib/*-linux-gnu /usr/lib /usr/lib64; do
    if [ -e "$folder/$name" ]; then mount --bind /dev/null "$(readlink -f "$folder/$name")"; fi
  done
done
exec "$@"
"""


def without_opengl(*command: str) -> subprocess.CompletedProcess[str]:
    hidden = ["unshare", "-m", "sh", "-ec", HIDE, "sh", *command]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/root"}
    return subprocess.run(hidden, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.root
@pytest.mark.opengl
def test_view_says_what_to_install(tmp_path, a_ball):
    save_stl(a_ball, tmp_path / "ball.stl")
    picture = tmp_path / "ball.png"
    command = ("view", str(tmp_path / "ball.stl"), "--offscreen", str(picture))
    done = without_opengl(sys.executable, "-m", "medrecon_cli", *command)
    assert done.returncode == 9
    assert "install libegl1" in done.stderr
    assert "[rendering]" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ball.stl"]


@pytest.mark.root
@pytest.mark.opengl
def test_a_run_gets_a_warning_instead_of_a_picture(tmp_path, a_ball):
    save_stl(a_ball, tmp_path / "ball.stl")
    code = (
        "from pathlib import Path\n"
        "from medrecon.core import Label, Mesh\n"
        "from medrecon.files.stl import read_stl\n"
        "from medrecon.view.preview import draw_preview\n"
        f"mesh = Mesh(*read_stl(Path({str(tmp_path / 'ball.stl')!r})), Label(1, 'ball'))\n"
        f"print(draw_preview([mesh], Path({str(tmp_path / 'preview.png')!r})))\n"
    )
    done = without_opengl(sys.executable, "-c", code)
    assert done.returncode == 0
    assert "install libegl1" in done.stdout
    assert not (tmp_path / "preview.png").exists()


def test_without_vedo_the_viewer_says_how_to_get_it(tmp_path, monkeypatch, a_ball):
    from medrecon.errors import RenderingError
    from medrecon.view import window
    from medrecon.view.content import Shown, content_of

    monkeypatch.setattr(window, "find_spec", lambda name: None)
    content = content_of((Shown("", (a_ball,)),), None)
    request = window.Request("v.json", str(tmp_path), offscreen=str(tmp_path / "o.png"))
    with pytest.raises(RenderingError, match=r"medrecon\[view\]"):
        window.open_viewer(content, request)
    assert not list(Path(tmp_path).iterdir())


@pytest.mark.root
@pytest.mark.opengl
def test_the_whole_run_completes_and_says_what_to_install(tmp_path):
    import json

    from medrecon.core import Geometry
    from medrecon.files.nifti import write_volume
    from medrecon.phantom import shapes
    from medrecon.phantom.shape_scan import scan_shape

    grid = Geometry((30, 30, 30), (1.5, 1.5, 1.5), (-21.75, -21.75, -21.75))
    scan = scan_shape(shapes.make_sphere(12.0), grid, hu=(110.0, 20.0)).volume
    write_volume(scan, tmp_path / "ct.nii.gz")
    run = tmp_path / "run"
    words = ("grow", str(tmp_path / "ct.nii.gz"), "--inside", "0,0,0", "-o", str(run))
    done = without_opengl(sys.executable, "-m", "medrecon_cli", *words)
    assert done.returncode == 0
    assert "install libegl1" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (run / "preview.png").exists()
    for name in ("run.json", "report.html", "meshes/tumor.stl"):
        assert (run / name).stat().st_size > 500
    warnings = json.loads((run / "run.json").read_text())["warnings"]
    assert any("install libegl1" in words for words in warnings)
