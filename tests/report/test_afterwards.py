"""What a report says of an approval, of a changed mesh, and of small figures."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import pytest
import trimesh

from medrecon.core import Label, Mesh
from medrecon.errors import QualityGateError, UsageError
from medrecon.files.stl import save_stl
from medrecon.recipes.approval import approve_run
from medrecon.recipes.report import render_report
from medrecon.report.words import rounded_up, structure_rows, summary


def ball(name: str, radius_mm: float) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=1, radius=radius_mm)
    return Mesh(sphere.vertices, sphere.faces, Label(1, name, (230, 200, 120)))


def make_run(folder: Path, names: tuple[str, ...] = ("bone", "tumor_v1.2", "tumor_v1")) -> Path:
    """A run of a few balls, each judged and passed."""
    (folder / "meshes").mkdir(parents=True)
    rows, outputs = [], {}
    for n, name in enumerate(names, 1):
        path = folder / "meshes" / f"{name}.stl"
        save_stl(ball(name, 10.0 + n), path)
        outputs[f"meshes/{name}.stl"] = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append(
            {"name": name, "index": n, "color": "#e6c878", "volume_ml": 4.0, "area_mm2": 1200.0}
            | {"mean_hu": None, "truncated": False, "filled": True, "includes": []}
            | {"triangles": 80, "mesh_volume_ml": 4.0}
        )
    verdict = {"passed": True, "verdict": "pass; faithful to the segmentation within 0.10 mm"}
    files = {
        "statistics.json": {"structures": rows},
        "quality.json": {"meshes": dict.fromkeys(names, verdict)},
        "run.json": {"run_id": "0f" * 8, "software": {"medrecon": "0.1.0"}, "options": {}}
        | {"steps": [], "warnings": [], "outputs": outputs},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), "utf-8")
    return folder


def test_an_approval_of_some_structures_is_not_one_of_all(tmp_path):
    run = make_run(tmp_path / "run")
    approve_run(run, "A. Reviewer", looked=True, structures=("bone",), today=date(2026, 1, 2))
    page = render_report(run).read_text("utf-8")
    assert "Approved: bone. Not approved: tumor v1.2, tumor v1." in page
    approve_run(run, "A. Reviewer", looked=True, today=date(2026, 1, 2))
    assert "<strong>Approved.</strong>" in render_report(run).read_text("utf-8")


def test_a_point_in_a_name_belongs_to_it(tmp_path):
    """`tumor_v1.2` is not `tumor_v1`, whose file has other bytes."""
    run = make_run(tmp_path / "run")
    approve_run(run, "A", looked=True, structures=("tumor_v1.2",), today=date(2026, 1, 2))
    page = render_report(run).read_text("utf-8")
    assert "Approval void" not in page
    assert "Approved: tumor v1.2." in page


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_only_the_mesh_that_was_judged_can_be_approved(tmp_path, harm):
    run = make_run(tmp_path / "run")
    if harm == "changed":
        save_stl(ball("bone", 30.0), run / "meshes" / "bone.stl")
    else:
        (run / "meshes" / "bone.stl").unlink()
    with pytest.raises(QualityGateError, match=r"judged.*bone"):
        approve_run(run, "A", looked=True)
    assert not (run / "approval.json").exists()
    approve_run(run, "A", looked=True, structures=("tumor_v1",))


def test_a_page_says_that_a_mesh_is_not_the_one_its_figures_are_of(tmp_path):
    run = make_run(tmp_path / "run")
    assert "changed after it was judged" not in render_report(run).read_text("utf-8")
    save_stl(ball("bone", 30.0), run / "meshes" / "bone.stl")
    assert "bone: its file was changed after it was judged" in render_report(run).read_text("utf-8")


def test_a_page_with_a_day_on_it_does_not_say_that_it_has_none(tmp_path):
    run = make_run(tmp_path / "run")
    whole = "This page holds no name, date or identifier"
    assert whole in render_report(run).read_text("utf-8")
    approve_run(run, "A. Reviewer", looked=True, today=date(2026, 1, 2))
    for with_name in (False, True):
        page = render_report(run, with_name=with_name).read_text("utf-8")
        assert "2026-01-02" in page
        assert whole not in page
        assert "But for the approval, this page holds no name" in page


@pytest.mark.parametrize("name", ["run.json", "quality.json", "preview.png", "page"])
def test_a_report_is_not_written_over_another_kind_of_file(tmp_path, name):
    run = make_run(tmp_path / "run")
    before = (run / "run.json").read_bytes()
    with pytest.raises(UsageError, match=r"\.html"):
        render_report(run, run / name)
    assert (run / "run.json").read_bytes() == before


def test_a_run_without_a_mesh_passed_nothing(tmp_path):
    assert "passed" not in summary({}).headline
    run = make_run(tmp_path / "run", ())
    page = render_report(run).read_text("utf-8")
    assert "Nothing was meshed" in page
    assert 'class="summary bad"' in page


@pytest.mark.parametrize(
    ("measured_mm", "shown_mm"),
    [(0.0, 0.0), (0.001, 0.01), (0.10, 0.10), (0.104, 0.11), (1.5, 1.5)],
)
def test_an_error_is_never_shown_smaller_than_it_is(measured_mm, shown_mm):
    assert rounded_up(measured_mm) == pytest.approx(shown_mm, abs=1e-12)
    side = {"max_mm": measured_mm, "p95_mm": measured_mm}
    quality = {"passed": True, "verdict": "pass"}
    row = {"name": "bone", "color": "#fff", "volume_ml": 1.0, "area_mm2": 1.0, "triangles": 1}
    (shown,) = structure_rows(
        [row | {"truncated": False}],
        {"bone": quality | {"error_budget_mm": {"mesh_to_field": side}}},
    )
    assert (shown["largest"], shown["usual"]) == (f"{shown_mm:.2f}",) * 2


@pytest.mark.parametrize(
    ("volume_ml", "area_mm2", "words"),
    [
        (20933.18, 418218.96, ("20,933.2 mL", "4,182 cm²")),
        (4.1888, 1256.6, ("4.19 mL", "13 cm²")),
        # A ball of 2 mm radius: 33.5 mm³ and 50.3 mm².
        (0.0335, 50.27, ("0.0335 mL", "0.503 cm²")),
        (0.0, 0.0, ("0.0 mL", "0 cm²")),
    ],
)
def test_a_small_lesion_is_not_nothing(volume_ml, area_mm2, words):
    row = {"name": "tumor", "color": "#fff", "volume_ml": volume_ml, "area_mm2": area_mm2}
    more = {"triangles": 1, "truncated": False}
    (shown,) = structure_rows([row | more], {"tumor": {"passed": True, "verdict": "pass"}})
    assert (shown["volume"], shown["area"]) == words
