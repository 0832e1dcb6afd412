"""What a viewer is asked for and cannot do is said, and not as a want of OpenGL."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner

from medrecon.core import Label, Mesh
from medrecon.errors import DamagedInputError, OutputError, UsageError
from medrecon.files.stl import save_stl
from medrecon.recipes.view import collect, draw
from medrecon.view.keys import require_known
from medrecon.view.state import first_state
from medrecon.view.state_file import load_view, save_view
from medrecon_cli.main import app


def ball(folder: Path, radius_mm: float) -> Path:
    folder.mkdir()
    sphere = trimesh.creation.icosphere(subdivisions=1, radius=radius_mm)
    path = folder / "bone.stl"
    save_stl(Mesh(sphere.vertices, sphere.faces, Label(1, "bone")), path)
    return path


def test_meshes_of_one_name_stay_two(tmp_path):
    """By its name a structure is hidden and gets its legend's colour."""
    content = collect([ball(tmp_path / "a", 5.0), ball(tmp_path / "b", 9.0)])
    (run,) = content.runs
    assert content.facts.names == ("bone", "bone_2")
    assert [round(float(np.abs(m.vertices_mm).max())) for m in run.meshes] == [5, 9]


def test_errors_of_a_run_are_not_shown_on_another_mesh_of_that_name(tmp_path):
    from medrecon.core import Geometry
    from medrecon.files.nifti import write_volume
    from medrecon.options import Options, OutputOptions
    from medrecon.phantom import shapes
    from medrecon.phantom.shape_scan import scan_shape
    from medrecon.recipes.growing import grow_study
    from medrecon.segmentation.guided import Click, Guidance

    grid = Geometry((30, 30, 30), (1.5, 1.5, 1.5), (-21.75, -21.75, -21.75))
    scan = scan_shape(shapes.make_sphere(12.0), grid, hu=(110.0, 20.0)).volume
    write_volume(scan, tmp_path / "scan.nii.gz")
    run, plain = tmp_path / "run", Options(output=OutputOptions(preview=False))
    told = Guidance((Click((0.0, 0.0, 0.0)),))
    grow_study(tmp_path / "scan.nii.gz", told, output=run, options=plain)
    (name,) = (p.stem for p in (run / "meshes").glob("*.stl"))
    other = ball(tmp_path / "other", 9.0).rename(tmp_path / "other" / f"{name}.stl")
    (shown,) = collect([run, other], errors=True).runs
    own, second = shown.meshes
    assert (own.label.name, second.label.name) == (name, f"{name}_2")
    assert set(shown.values["deviation"]) == {name}
    assert len(shown.values["deviation"][name]) == len(own.vertices_mm)


@pytest.mark.parametrize("keys", [("s", "foo"), ("p",), ("w",), ("Return",), ("tab",)])
def test_a_key_that_does_nothing_is_refused(tmp_path, keys):
    content = collect([ball(tmp_path / "a", 5.0)])
    with pytest.raises(UsageError, match="no key"):
        draw(content, tmp_path / "x.png", view_file=tmp_path / "v.json", keys=keys)
    require_known(("s", "2", "A", "Tab", "bracketleft"))


def test_a_view_that_is_not_there_or_damaged_is_said(tmp_path):
    mesh = ball(tmp_path / "a", 5.0)
    picture, view = tmp_path / "x.png", tmp_path / "v.json"
    words = ["view", str(mesh), "--offscreen", str(picture), "--view", str(view)]
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, UsageError)
    view.write_text("{", "utf-8")
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, DamagedInputError)
    assert not picture.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"slices": [float("inf"), 0, 0]},
        {"plane": float("nan")},
        {"slices": [1e999, 0, 0]},
        {"measures": [{"points": [[0, 0, 0]]}]},
        {"measures": [{"points": [[0, 0, 0]] * 4}]},
    ],
)
def test_numbers_that_no_view_can_have_are_refused(tmp_path, change):
    facts = collect([ball(tmp_path / "a", 5.0)]).facts
    path = tmp_path / "v.json"
    save_view(first_state(facts), path)
    content = json.loads(path.read_text("utf-8"))
    content["view"] |= change
    path.write_text(json.dumps(content).replace("Infinity", "1e999"), "utf-8")
    with pytest.raises(DamagedInputError):
        load_view(path, facts)


def test_a_structure_before_the_first_is_the_first(tmp_path):
    facts = collect([ball(tmp_path / "a", 5.0)]).facts
    path = tmp_path / "v.json"
    save_view(first_state(facts), path)
    content = json.loads(path.read_text("utf-8"))
    content["view"]["chosen"] = -7
    path.write_text(json.dumps(content), "utf-8")
    assert load_view(path, facts).chosen == 0


def test_a_picture_in_no_folder_is_an_output_error(tmp_path):
    content = collect([ball(tmp_path / "a", 5.0)])
    with pytest.raises(OutputError):
        draw(content, tmp_path / "nowhere" / "x.png", view_file=tmp_path / "v.json")


@pytest.mark.opengl
def test_a_picture_that_could_not_be_written_is_not_called_written(tmp_path):
    from medrecon.view.session import Session

    content = collect([ball(tmp_path / "a", 5.0)])
    session = Session(
        content, view_file=tmp_path / "v.json", pictures=tmp_path / "gone", offscreen=True
    )
    session.key("p")
    assert "cannot be written" in session.state.message
    session = Session(content, view_file=tmp_path / "v.json", pictures=tmp_path, offscreen=True)
    session.key("p")
    assert session.state.message == "written: view-1.png"
