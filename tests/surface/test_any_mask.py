"""A bounded sample of `benchmarks/solids.py`: files judged by trimesh and manifold3d."""

import importlib.util
import sys
from pathlib import Path

import pytest

from medrecon.surface.extract import extract_surface
from medrecon.surface.simplify import simplify

PATH = Path(__file__).parents[2] / "benchmarks" / "solids.py"


@pytest.fixture(scope="module")
def thousand():
    spec = importlib.util.spec_from_file_location("thousand_masks", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("kind", ["fine blobs", "borders", "threads", "checkerboard", "shells"])
def test_a_mask_gives_a_solid_without_crossings_at_every_setting(kind, thousand, tmp_path):
    full = extract_surface(thousand.field_of(thousand.mask_of(kind, 3), 3))
    settings = [
        {"tolerance_mm": 0},
        {},
        *({"target_faces": len(full.faces) // n} for n in (2, 4, 10)),
    ]
    for options in settings:
        mesh = simplify(full, **options)
        assert thousand.faults(mesh, tmp_path / "mesh.stl") == []
        assert len(mesh.faces) < len(full.faces) or options == {"tolerance_mm": 0}
