"""What is loaded when: the heavy libraries come only with the work that needs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "monai", "vtkmodules", "vedo", "SimpleITK", "scipy", "numpy")


def loaded(code: str, modules: tuple[str, ...]) -> list[str]:
    """Which of the modules are loaded after running the code in a fresh Python."""
    probe = f"import sys\n{code}\nprint(*[m for m in {modules!r} if m in sys.modules])"
    paths = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "cli")]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{probe}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.parametrize("code", ["import medrecon", "import medrecon_cli.main"])
def test_importing_loads_no_heavy_library(code):
    assert loaded(code, HEAVY) == []


def test_the_face_is_there_and_complete():
    import medrecon as mr

    for name in mr.__all__:
        assert getattr(mr, name) is not None
    assert set(mr.__all__) >= {
        "scan", "read", "resample", "segment", "extract_surfaces", "reconstruct", "write_mesh"
    }  # fmt: skip


def test_bone_needs_no_network_library(tmp_path):
    code = f"""
from pathlib import Path
from medrecon.dicom.write_ct import write_ct_series
from medrecon.phantom import make_torso
import medrecon as mr
from medrecon.options import Options, OutputOptions, SegmentOptions
folder = Path({str(tmp_path)!r})
volume = make_torso(9002, shape=(80, 64, 20), spacing_mm=(5.0, 5.0, 5.0)).volume
write_ct_series(volume, folder / "in")
options = Options(segment=SegmentOptions(tissues=("bone",)), output=OutputOptions(preview=False))
assert mr.reconstruct(folder / "in", output=folder / "out", options=options).parts
"""
    assert loaded(code, ("torch", "monai", "vedo")) == []


def test_the_faces_functions_stay_functions_after_their_rooms_were_used(tmp_path):
    code = """
import medrecon as mr, medrecon.segmentation.refine, medrecon.resampling, medrecon.dicom, types
for name in mr.__all__:
    assert not isinstance(getattr(mr, name), types.ModuleType), name
"""
    assert loaded(code, ("torch",)) == []
