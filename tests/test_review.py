"""What a person does with a run: edit it, bring a mesh back to it, approve it."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from medrecon.core import Acquisition, Geometry, Label, LabelMap, Mesh, Modality, Volume
from medrecon.errors import QualityGateError, UsageError
from medrecon.files import nifti
from medrecon.files.stl import read_stl, save_stl
from medrecon.options import LoadOptions, MeshOptions, Options, OutputOptions, SegmentOptions
from medrecon.outputs.sameness import differing_files
from medrecon.pipeline import reconstruct
from medrecon.quality.alignment import apart, moved, rigid_motion
from medrecon.recipes.approval import Ticket, approve_run
from medrecon.recipes.comparing import compare_with
from medrecon.recipes.editing import edit_run
from medrecon.report.afterwards import approval_rows

GRID = Geometry((52, 48, 44), (1.0, 1.0, 1.0), (-20.0, 5.0, 100.0))
LOAD = LoadOptions(modality=Modality.CT)
OUT = OutputOptions(preview=False, formats=("stl",))


def radius(i: float, j: float, k: float) -> np.ndarray:
    x, y, z = np.ogrid[:52, :48, :44]
    return np.sqrt((x - i) ** 2 + (y - j) ** 2 + (z - k) ** 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lumpy bone in soft tissue in air, through the whole road."""
    bone = np.minimum(radius(24, 24, 22) / 11, radius(33, 27, 25) / 6) < 1
    hu = np.where(bone, 900, np.where(radius(25, 24, 22) < 19, 40, -1000)).astype(np.int16)
    folder = tmp_path_factory.mktemp("review")
    path = folder / "ct.nii.gz"
    nifti.write_volume(Volume(np.asfortranarray(hu), GRID, Acquisition(Modality.CT)), path)
    options = Options(LOAD, SegmentOptions(tissues=("bone",)), MeshOptions(), OUT)
    reconstruct(path, output=folder / "run", options=options)
    return folder / "run"


@pytest.fixture
def edits(tmp_path) -> Path:
    (x, y, z), (u, v, w) = GRID.mm_from_index([(24, 24, 34), (24, 24, 22)])
    rows = [
        {"edit": "add", "label": "bone", "points_lps_mm": [[x, y, z]], "radius_mm": 4},
        {"edit": "plane", "label": "bone", "point_lps_mm": [u, v, w], "normal_lps": [0, 0, -1]},
    ]
    (tmp_path / "edits.json").write_text(json.dumps({"edits": rows}))
    return tmp_path / "edits.json"


def test_edits_make_a_new_judged_run_and_the_original_stays(run, edits, tmp_path):
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    made, done = edit_run(run, edits, output=tmp_path / "out", options=Options(output=OUT))
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    assert made.parts[0].validity.valid
    # What is left is the whole and the two changes that the edits report; the part's own
    # figure is taken on finer voxels where it is thin.
    whole = json.loads((run / "statistics.json").read_text())["structures"][0]["volume_ml"]
    changes = [e.volume_change_ml for e in done]
    assert changes[0] > 0 > changes[1]
    assert made.parts[0].volume_ml == pytest.approx(whole + sum(changes), rel=0.01)
    recorded = json.loads((tmp_path / "out" / "edits.json").read_text())["edits"]
    assert [e["volume_change_ml"] for e in recorded] == changes
    assert "Edited by hand" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_replaying_edits_gives_the_same_bytes_and_undo_leaves_the_last_out(run, edits, tmp_path):
    for name in ("a", "b"):
        edit_run(run, edits, output=tmp_path / name, options=Options(output=OUT))
    assert differing_files(tmp_path / "a", tmp_path / "b") == []
    _, done = edit_run(run, edits, output=tmp_path / "c", undo=1, options=Options(output=OUT))
    assert [e.edit for e in done] == ["add"]
    with pytest.raises(UsageError):
        edit_run(run, edits, output=tmp_path / "d", undo=3)


def test_edits_of_what_is_not_there_write_nothing(run, tmp_path):
    (tmp_path / "e.json").write_text('{"edits": [{"edit": "fill", "label": "skull"}]}')
    with pytest.raises(UsageError, match="skull"):
        edit_run(run, tmp_path / "e.json", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_split_cannot_write_outside_its_output(run, tmp_path):
    low, high = GRID.mm_from_index([(20, 24, 22), (28, 24, 22)]).tolist()
    split = {"edit": "split", "label": "bone", "points_lps_mm": [low, high]}
    rows = [{**split, "names": ["../../../evil", "c"]}]
    (tmp_path / "e.json").write_text(json.dumps({"edits": rows}))
    with pytest.raises(UsageError, match="name of a file"):
        edit_run(run, tmp_path / "e.json", output=tmp_path / "a" / "b" / "out")
    assert [p.name for p in tmp_path.rglob("*")] == ["e.json"]


def bone_of(run: Path) -> Mesh:
    return Mesh(*read_stl(run / "meshes" / "bone.stl"), Label(1, "bone"))


def shifted(mesh: Mesh, by: tuple[float, float, float]) -> Mesh:
    motion = np.eye(4)
    motion[:3, 3] = by
    return moved(mesh, motion)


@pytest.mark.opengl
def test_a_known_offset_is_recovered_and_drawn_on_the_slices(run, tmp_path):
    save_stl(shifted(bone_of(run), (0.4, 0.0, 0.0)), tmp_path / "back.stl")
    found, warning = compare_with(run, tmp_path / "back.stl", output=tmp_path / "out")
    # The translation that brings it back is the opposite one.
    assert found.distances.offset_lps_mm == pytest.approx((-0.4, 0, 0), abs=0.1)
    assert found.distances.max_mm <= 0.4 + 1e-3
    assert found.passed
    assert warning is None
    assert (tmp_path / "out" / "overlay.png").stat().st_size > 10_000
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["passed"]


def test_a_turned_part_is_registered_first(run):
    ours = bone_of(run)
    turn = np.deg2rad(10)
    motion = np.eye(4)
    motion[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    centre = ours.vertices_mm.mean(axis=0)
    motion[:3, 3] = centre - motion[:3, :3] @ centre + (1.5, -1.0, 0.5)
    theirs = moved(ours, motion)
    assert apart(ours, theirs).p95_mm > 1.0
    back = moved(theirs, rigid_motion(ours, theirs))
    assert np.abs(back.vertices_mm - ours.vertices_mm).max() < 0.1


def test_a_shift_too_far_fails_its_gate_and_a_label_map_comes_back_too(run, tmp_path, monkeypatch):
    monkeypatch.setattr("medrecon.recipes.comparing._draw", lambda *more: None)
    save_stl(shifted(bone_of(run), (0.0, 1.6, 0.0)), tmp_path / "far.stl")
    far, _ = compare_with(run, tmp_path / "far.stl", output=tmp_path / "out")
    assert not far.passed
    assert far.distances.max_mm == pytest.approx(1.6, abs=0.05)
    mask, grid = nifti.read_labels(run / "labels.nii.gz")
    only = LabelMap((mask > 0).astype(np.uint8), grid, (Label(1, "bone"),))
    nifti.write_labels(only, tmp_path / "seg.nii.gz")
    same, _ = compare_with(run, tmp_path / "seg.nii.gz", output=tmp_path / "out2")
    # A mask of 1 mm voxels says where a surface is to about a tenth of them.
    assert same.distances.mean_mm < 0.2


def test_points_without_faces_are_nothing_to_compare(run, tmp_path):
    (tmp_path / "points.xyz").write_text("0 0 0\n1 0 0\n0 1 0\n")
    head = "ply\nformat ascii 1.0\nelement vertex 3\n"
    axes = "".join(f"property float {axis}\n" for axis in "xyz")
    (tmp_path / "points.ply").write_text(f"{head}{axes}end_header\n0 0 0\n1 0 0\n0 1 0\n")
    for name in ("points.xyz", "points.ply"):
        with pytest.raises(UsageError, match="no faces"):
            compare_with(run, tmp_path / name, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_changed_vertex_voids_an_approval(run, tmp_path):
    copy = tmp_path / "run"
    for path in run.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(run)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    approve_run(
        copy, "A. Reviewer", looked=True, ticket=Ticket("resin", "SLA"), today=date(2026, 1, 2)
    )
    rows = approval_rows(copy)
    assert rows is not None
    assert rows["valid"]
    assert "Reviewer" not in json.dumps(rows)
    assert "Reviewer" in json.dumps(approval_rows(copy, with_name=True))
    mesh = bone_of(copy)
    vertices = mesh.vertices_mm.copy()
    vertices[0, 0] += np.float32(1e-4)
    save_stl(dataclasses.replace(mesh, vertices_mm=vertices), copy / "meshes" / "bone.stl")
    void = approval_rows(copy)
    assert void is not None
    assert not void["valid"]
    assert "bone" in void["headline"]


def test_nobody_approves_without_looking_or_what_failed_its_gate(run, tmp_path):
    with pytest.raises(UsageError, match="looked"):
        approve_run(run, "A", looked=False)
    with pytest.raises(UsageError, match="by"):
        approve_run(run, " ", looked=True)
    with pytest.raises(UsageError, match="liver"):
        approve_run(run, "A", looked=True, structures=("liver",))
    copy = tmp_path / "failed"
    copy.mkdir()
    for name in ("run.json", "statistics.json", "quality.json"):
        (copy / name).write_bytes((run / name).read_bytes())
    quality = json.loads((copy / "quality.json").read_text())
    quality["meshes"]["bone"]["passed"] = False
    (copy / "quality.json").write_text(json.dumps(quality))
    with pytest.raises(QualityGateError):
        approve_run(copy, "A", looked=True)
    assert not (copy / "approval.json").exists()
