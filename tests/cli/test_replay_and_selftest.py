"""The same again, what is not the same, and the self-test that would notice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.dicom.write_ct import write_ct_series
from medrecon.errors import UsageError
from medrecon.options import (
    LoadOptions,
    MeshOptions,
    Options,
    OutputOptions,
    SegmentOptions,
    as_plain,
)
from medrecon.outputs.options_json import options_of
from medrecon.phantom import shapes
from medrecon.phantom.scanner import Scanner
from medrecon.phantom.shape_scan import scan_shape
from medrecon.pipeline import reconstruct
from medrecon.recipes import selftest
from medrecon.recipes.diff import compare_runs
from medrecon.recipes.replay import replay

BONE = Options(segment=SegmentOptions(tissues=("bone",)), output=OutputOptions(preview=False))


def series(folder: Path, radius_mm: float = 12.0) -> Path:
    grid = Geometry((22, 21, 20), (1.6, 1.6, 1.6), (-16.8, -16.0, -15.2))
    ball = shapes.make_sphere(radius_mm).moved((0.3, -0.2, 0.4))
    image = scan_shape(ball, grid, scanner=Scanner(noise_hu=0.0), hu=(1000.0, -100.0)).volume
    ct = Acquisition(Modality.CT, HuStatus.VERIFIED, is_phantom=True)
    write_ct_series(Volume(image.array, grid, ct), folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("run")
    reconstruct(series(place / "in"), output=place / "run", options=BONE)
    return place


def test_a_run_repeated_from_its_record_is_byte_identical(run, tmp_path):
    found = replay(run / "run" / "run.json", run / "in", output=tmp_path / "again")
    assert found.identical
    assert found.same_input
    assert found.versions == ()


def test_another_scan_is_noticed_and_so_is_what_differs(run, tmp_path):
    other = series(tmp_path / "in", radius_mm=11.0)
    found = replay(run / "run", other, output=tmp_path / "again")
    assert not found.same_input
    assert {"meshes/bone.stl", "volume.nii.gz", "run.json"} <= set(found.differing)


def test_options_come_back_from_json_as_they_were():
    options = Options(
        LoadOptions(series=3, modality=Modality.CT, max_memory_gb=2.0),
        SegmentOptions(tissues=("bone", "skin"), labels=("bone",)),
        MeshOptions(tolerance_mm=0.0),
        OutputOptions(spacing=0.7, formats=("stl",)),
    )
    assert options_of(json.loads(json.dumps(as_plain(options)))) == options
    with pytest.raises(UsageError, match="version"):
        options_of({"mesh": {"sharpness": 11}})


def test_two_runs_are_compared_by_options_volumes_and_distances(run, tmp_path):
    finer = Options(BONE.load, BONE.segment, MeshOptions(tolerance_mm=0.0), BONE.output)
    reconstruct(series(tmp_path / "in", radius_mm=11.0), output=tmp_path / "run", options=finer)
    found = compare_runs(run / "run", tmp_path / "run")
    assert found.options == {"mesh.tolerance_mm": (0.1, 0.0)}
    assert found.software == {}
    (bone,) = found.structures
    # Concentric balls of 12 and 11 mm lie 1 mm apart everywhere, and hold 7.24 and 5.58 mL.
    assert bone.mean_mm == pytest.approx(1.0, abs=0.15)
    assert bone.max_mm < 1.5
    np.testing.assert_allclose(bone.volume_ml, (7.24, 5.58), rtol=0.04)
    assert compare_runs(run / "run", run / "run").files == ()


def test_a_model_from_a_folder_is_not_named_in_the_record(run):
    from medrecon.outputs.run import without_paths

    options = {"segment": {"models": ["phantom_torso", "/home/Mustermann/model"]}}
    assert without_paths(options) == {"segment": {"models": ["phantom_torso", "a folder"]}}


def test_the_self_test_passes_here_and_leaves_a_protocol(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "medrecon_cli", "selftest", "-o", tmp_path / "st.json", "--json"],
        capture_output=True, text=True, check=True, timeout=600,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "cli")},
    )  # fmt: skip
    said = json.loads(done.stdout)
    kept = json.loads((tmp_path / "st.json").read_text())
    assert said["passed"]
    assert kept["checks"] == said["checks"]
    assert len(kept["checks"]) >= 14
    assert kept["software"]["medrecon"]


def test_the_self_test_notices_a_mirrored_patient(tmp_path, monkeypatch):
    walk = selftest._walk

    def mirrored(shape, grid, folder):
        mesh = walk(shape, grid, folder)
        flipped = mesh.vertices_mm.copy()
        flipped[:, 0] = 2 * shape.centroid_mm[0] - flipped[:, 0]
        return type(mesh)(flipped, mesh.faces[:, ::-1].copy(), mesh.label)

    monkeypatch.setattr(selftest, "_walk", mirrored)
    failed = {c.what for c in selftest._letter(tmp_path) if not c.passed}
    assert "letter F told from its image with left for right" in failed
    assert "surface of a letter F, oblique slices, mean" in failed
