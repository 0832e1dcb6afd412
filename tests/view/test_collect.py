"""What the viewer and the report take from run folders and files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

import medrecon as mr
from medrecon.core import Label, Mesh
from medrecon.errors import DamagedInputError, UsageError
from medrecon.files.stl import save_stl
from medrecon.recipes.report import render_report
from medrecon.recipes.view import collect, draw


def ball(offset_mm: float = 0.0) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=20.0)
    sphere.apply_translation((0, 0, offset_mm))
    return Mesh(sphere.vertices, sphere.faces, Label(1, "bone", (230, 200, 120)))


def make_run(folder: Path, offset_mm: float = 0.0) -> Path:
    """A run folder with one mesh and what is read of it."""
    (folder / "meshes").mkdir(parents=True)
    save_stl(ball(offset_mm), folder / "meshes" / "bone.stl")
    row = {
        "name": "bone",
        "index": 1,
        "color": "#e6c878",
        "volume_ml": 33.5,
        "area_mm2": 5026.0,
        "mean_hu": None,
        "truncated": False,
        "filled": True,
        "includes": [],
        "triangles": 1280,
    }
    verdict = {"passed": True, "verdict": "pass; faithful to the segmentation within 0.10 mm"}
    files = {
        "statistics.json": {"structures": [row]},
        "quality.json": {"meshes": {"bone": verdict}},
        "run.json": {
            "run_id": "00",
            "software": {"medrecon": "0.1.0"},
            "options": {},
            "steps": [],
            "warnings": [],
            "outputs": {},
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), "utf-8")
    return folder


def approve(folder: Path) -> None:
    sha256 = hashlib.sha256((folder / "meshes" / "bone.stl").read_bytes()).hexdigest()
    approval = {"by": "Dr Ann Example", "date": "2026-01-02", "meshes": {"bone.stl": sha256}}
    (folder / "approval.json").write_text(json.dumps(approval), "utf-8")


def test_two_runs_are_coloured_by_their_distance(tmp_path):
    content = collect([make_run(tmp_path / "a"), make_run(tmp_path / "b", 0.4)])
    assert content.facts.runs == 2
    assert content.facts.colours == ("label", "deviation")
    moved = content.runs[1]
    deviation = moved.values["deviation"]["bone"]
    height = moved.meshes[0].vertices_mm[:, 2] - 0.4
    # Moved upwards by 0.4 mm: outside at the top, inside at the bottom, on it at the side,
    # but for the flat facets: edges of 3 mm on a ball of 20 mm lie 3²/(8 · 20) = 0.06 mm inside.
    assert deviation[height.argmax()] == pytest.approx(0.4, abs=0.01)
    assert deviation[height.argmin()] == pytest.approx(-0.4, abs=0.01)
    assert np.abs(deviation[np.abs(height) < 0.01]).max() < 0.06


def test_mesh_files_are_told_apart_by_colours(tmp_path):
    paths = [tmp_path / "one.stl", tmp_path / "two.stl"]
    for path in paths:
        save_stl(ball(), path)
    content = collect(paths)
    assert content.facts.names == ("one", "two")
    assert len({m.label.color for m in content.runs[0].meshes}) == 2


def test_three_runs_are_refused(tmp_path):
    with pytest.raises(UsageError):
        collect([make_run(tmp_path / name) for name in "abc"])


def test_a_notebook_shows_the_scene_in_a_frame_of_its_own(tmp_path):
    shown = mr.notebook_scene(make_run(tmp_path / "a"))._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "medrecon scene" in shown
    assert "<script" not in shown
    assert mr.notebook_scene(str(tmp_path / "a"), height=300).height == 300


def test_a_picture_of_another_kind_is_refused(tmp_path):
    content = collect([make_run(tmp_path / "a")])
    with pytest.raises(UsageError, match="png or"):
        draw(content, tmp_path / "x.gif", view_file=tmp_path / "v.json")
    draw(content, tmp_path / "x.html", view_file=tmp_path / "v.json")
    assert (tmp_path / "x.html").stat().st_size > 500_000


def test_an_approval_is_shown_until_a_mesh_changes_and_names_nobody_unasked(tmp_path):
    run = make_run(tmp_path / "run")
    assert "Not approved." in render_report(run).read_text("utf-8")
    approve(run)
    page = render_report(run).read_text("utf-8")
    assert "Approved." in page
    assert "2026-01-02" in page
    assert "Example" not in page
    assert "Dr Ann Example" in render_report(run, with_name=True).read_text("utf-8")
    mesh = ball()
    vertices = mesh.vertices_mm.copy()
    vertices[0, 0] += 0.001
    save_stl(Mesh(vertices, mesh.faces, mesh.label), run / "meshes" / "bone.stl")
    assert "Approval void: changed since it was given: bone." in render_report(run).read_text()


def test_an_approval_that_lists_no_mesh_holds_for_nothing(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "approval.json").write_text('{"by": "x", "meshes": {}}', "utf-8")
    assert "Approval void" in render_report(run).read_text("utf-8")


def test_edits_are_listed_and_a_damaged_list_is_refused(tmp_path):
    run = make_run(tmp_path / "run")
    edits = [{"edit": "erase", "label": "bone", "radius_mm": 3.0, "volume_change_ml": -0.113}]
    (run / "edits.json").write_text(json.dumps({"edits": edits}), "utf-8")
    page = render_report(run).read_text("utf-8")
    assert "erase, bone (radius mm 3): -0.11 mL" in page
    (run / "edits.json").write_text("{", "utf-8")
    with pytest.raises(DamagedInputError):
        render_report(run)
