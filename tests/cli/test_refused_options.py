"""Options that cannot be obeyed are refused: never taken in silence, never a traceback."""

from __future__ import annotations

import hashlib
import json

import nibabel
import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner

from medrecon.errors import MedreconError, NoSeriesError, UsageError
from medrecon.options import LoadOptions
from medrecon.recipes.comparing import compare_with
from medrecon_cli.main import app


def refusal(*words: object) -> MedreconError:
    """The error that a verb ends with."""
    error = CliRunner().invoke(app, [str(w) for w in words]).exception
    assert isinstance(error, MedreconError), error
    return error


@pytest.fixture
def label_map(tmp_path):
    array = np.zeros((12, 11, 10), np.uint8)
    array[3:9, 3:8, 3:7] = 1
    path = tmp_path / "lab.nii.gz"
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-1.0, -1.0, 1.0, 1.0])), path)
    return path


@pytest.fixture
def run_folder(label_map, tmp_path):
    words = ("mesh", label_map, "-o", tmp_path / "run", "--no-preview", "--accept-mm", 9, "-q")
    CliRunner().invoke(app, [str(w) for w in words])
    assert (tmp_path / "run" / "run.json").is_file()
    return tmp_path / "run"


@pytest.mark.parametrize("option", ["--ca", "--cert", "--key"])
def test_certificates_never_go_with_an_address_in_clear(tmp_path, option):
    words = ("send", tmp_path, "--to", "dicom://A@127.0.0.1:9", option, tmp_path / "x.pem")
    error = refusal(*words)
    assert isinstance(error, UsageError)
    assert "dicoms://" in str(error)


@pytest.mark.parametrize("name", ["c.nrrd", "c.gz", "c"])
def test_convert_writes_nifti_under_a_nifti_name_only(label_map, tmp_path, name):
    error = refusal("convert", label_map, "-o", tmp_path / name)
    assert error.exit_code == 2
    assert not (tmp_path / name).exists()


def test_walls_that_nobody_measured_are_named_in_the_verdict(tmp_path):
    trimesh.creation.box((30, 20, 0.1)).export(tmp_path / "sheet.stl")
    words = ["check", str(tmp_path / "sheet.stl"), "--process", "sla", "--no-walls"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert "printable, walls not measured" in done.stdout
    (row,) = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["meshes"]
    assert row["verdict"] == "printable, walls not measured"
    assert any("walls not measured" in note for note in row["notes"])


@pytest.mark.parametrize("bed", ["nan,200,200", "200,inf,200", "0,1,1"])
def test_a_bed_has_a_finite_size(tmp_path, bed):
    trimesh.creation.box((30, 20, 10)).export(tmp_path / "a.stl")
    assert refusal("check", tmp_path / "a.stl", "--bed", bed).exit_code == 2


def test_lengths_and_memory_are_numbers(label_map, run_folder, tmp_path):
    for accept_mm in (float("nan"), float("inf")):
        with pytest.raises(UsageError, match="accept_mm"):
            compare_with(run_folder, label_map, output=tmp_path / "out", accept_mm=accept_mm)
    for memory in (float("nan"), float("inf"), 0.0):
        with pytest.raises(UsageError, match="max_memory_gb"):
            LoadOptions(max_memory_gb=memory)
    assert refusal("info", label_map, "--max-memory", "inf").exit_code == 2


def test_one_of_several_volumes_has_to_be_chosen(tmp_path):
    array = np.zeros((8, 8, 8, 3), np.int16)
    for name in ("a.nii.gz", "a.nii"):
        nibabel.save(nibabel.Nifti1Image(array, np.diag([-1.0, -1.0, 1.0, 1.0])), tmp_path / name)
        error = refusal("seg", tmp_path / name, "--modality", "CT", "-o", tmp_path / "out")
        assert "--frame" in str(error)
        assert error.exit_code == 2


def test_a_report_made_again_is_the_one_that_the_record_names(run_folder):
    before = json.loads((run_folder / "run.json").read_text())
    assert CliRunner().invoke(app, ["report", str(run_folder)]).exit_code == 0
    after = json.loads((run_folder / "run.json").read_text())
    page = hashlib.sha256((run_folder / "report.html").read_bytes()).hexdigest()
    assert after["outputs"].pop("report.html") == page
    before["outputs"].pop("report.html", None)
    assert after == before


def test_a_batch_of_nothing_is_no_batch(tmp_path):
    (tmp_path / "in").mkdir()
    error = refusal("batch", tmp_path / "in", "-o", tmp_path / "out")
    assert isinstance(error, NoSeriesError)
    assert not (tmp_path / "out").exists()


def test_where_answers_in_json_and_not_in_silence(label_map, tmp_path):
    words = ("batch", label_map.parent, "-o", tmp_path / "out", "--where")
    assert refusal(*words).exit_code == 2
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "batch.key").write_text("ab" * 32)
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert list(json.loads(done.stdout)["studies"].values()) == [str(tmp_path)]
    assert refusal(*words, "-q").exit_code == 2


def test_an_empty_list_approves_nothing(run_folder):
    error = refusal("approve", run_folder, "--by", "A", "--looked", "--labels", ",")
    assert error.exit_code == 2
    assert not (run_folder / "approval.json").exists()


def test_a_table_names_the_numbers_of_a_label_map_and_nothing_else(
    label_map, run_folder, tmp_path, monkeypatch
):
    table = tmp_path / "names.tsv"
    table.write_text("index\tname\n1\tliver\n")
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "liver.nii.gz").write_bytes(label_map.read_bytes())
    for source in (run_folder, masks):
        error = refusal("mesh", source, "-o", tmp_path / "out", "--table", table)
        assert error.exit_code == 2
    # A DICOM SEG, as far as this verb can tell.
    monkeypatch.setattr("medrecon.recipes.meshing.is_segmentation", lambda path: True)
    assert "--table" in str(refusal("mesh", label_map, "-o", tmp_path / "out", "--table", table))
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_is_unreadable(label_map, run_folder, tmp_path):
    out = ("-o", tmp_path / "out")
    for words in (
        ("mesh", label_map, "--table", tmp_path / "no.tsv", *out),
        ("grow", label_map, "--clicks", tmp_path / "no.json", *out),
        ("edit", run_folder, "--apply", tmp_path / "no.json", *out),
        ("edit", run_folder, "--apply", tmp_path, *out),
    ):
        error = refusal(*words)
        assert error.exit_code == 5, words
        assert "cannot be read" in str(error)


def test_a_point_is_three_finite_numbers(label_map, tmp_path):
    for point in ("nan,0,0", "inf,0,0", "1,2"):
        error = refusal("grow", label_map, "--inside", point, "-o", tmp_path / "out")
        assert error.exit_code == 2


def test_a_phantom_is_not_written_into_a_file(tmp_path):
    (tmp_path / "notes.txt").write_text("keep")
    for more in ((), ("--force",)):
        assert refusal("phantom", "sphere", "-o", tmp_path / "notes.txt", *more).exit_code == 6
    assert (tmp_path / "notes.txt").read_text() == "keep"


def test_a_page_takes_no_keys_errors_size_or_view(run_folder, tmp_path):
    page = tmp_path / "page.html"
    for words in (("--keys", "s"), ("--errors",), ("--size", "640x480"), ("--view", "v.json")):
        error = refusal("view", run_folder, "--offscreen", page, *words)
        assert error.exit_code == 2
        assert words[0] in str(error)
    assert not page.exists()


@pytest.mark.parametrize("size", ["64x0", "0x64", "64", "64x9000"])
def test_a_picture_has_a_width_and_a_height(run_folder, tmp_path, size):
    words = ("view", run_folder, "--offscreen", tmp_path / "p.png", "--size", size)
    assert refusal(*words).exit_code == 2


def test_a_view_shows_all_that_is_named_or_refuses(run_folder, label_map, tmp_path):
    page = ("--offscreen", tmp_path / "page.png")
    mesh = next((run_folder / "meshes").glob("*.stl"))
    assert "two runs" in str(refusal("view", run_folder, run_folder, mesh, *page))
    assert "two runs" in str(refusal("view", run_folder, run_folder, label_map, *page))
    assert "--errors" in str(refusal("view", mesh, "--errors", *page))
    assert "--series" in str(refusal("view", run_folder, "--series", 2, *page))


@pytest.mark.parametrize("words", [("--source", "x"), ("--series", 42), ("--deidentify",)])
def test_an_export_without_dicom_takes_no_identity(run_folder, words):
    error = refusal("export", run_folder, "--to", "ply,glb,seg.nrrd", *words)
    assert error.exit_code == 2
    assert not (run_folder / "export").exists()


def test_a_list_fetches_nothing_and_a_web_archive_calls_nobody_back(tmp_path):
    web = ("fetch", "--from", "http://127.0.0.1:9/dicom-web", "--study", "1.2")
    for words in (("-o", tmp_path / "out"), ("--force",), ("--move-port", 11112)):
        assert refusal(*web, "--list", *words).exit_code == 2
    error = refusal(*web, "-o", tmp_path / "out", "--move-port", 11112)
    assert error.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_study_has_one_name_and_a_cluster_its_own_number_of_hands(tmp_path):
    web = ("fetch", "--from", "http://127.0.0.1:9/dicom-web", "-o", tmp_path / "out")
    assert "by one of them" in str(refusal(*web, "--study", "1.2", "--accession", "7"))
    (tmp_path / "root").mkdir()
    dask = ("batch", tmp_path / "root", "-o", tmp_path / "out", "--executor", "dask://127.0.0.1:1")
    assert "the cluster says" in str(refusal(*dask, "-j", "2"))
    assert not (tmp_path / "out").exists()
