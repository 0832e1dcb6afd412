"""The whole road on the sample: right structures, right volumes, the same bytes twice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from medrecon.options import Options, OutputOptions
from medrecon.pipeline import reconstruct

SAMPLE = Path(__file__).parents[1] / "sample_data" / "ct_torso"
ORGANS = ("liver", "kidney_left", "kidney_right", "tumor", "aorta")
PROMISED = ("skin", "bone", "lung_left", "lung_right", *ORGANS)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("road") / "run"
    options = Options(output=OutputOptions(preview=False))
    assert reconstruct(SAMPLE, output=folder, options=options).passed
    return folder


@pytest.fixture(scope="module")
def truth() -> dict:
    return json.loads((SAMPLE / "truth.json").read_text())["structures"]


def content(folder: Path, name: str) -> dict:
    return json.loads((folder / name).read_text())


def test_every_promised_structure_is_a_closed_outward_solid_for_an_independent_reader(run_folder):
    for name in PROMISED:
        mesh = trimesh.load(run_folder / "meshes" / f"{name}.stl", process=True)
        assert mesh.is_watertight, name
        assert mesh.is_winding_consistent, name
        assert mesh.volume > 0, name


@pytest.mark.parametrize("name", PROMISED)
def test_mesh_volumes_are_those_of_the_phantom(run_folder, truth, name):
    mesh = trimesh.load(run_folder / "meshes" / f"{name}.stl", process=True)
    true_ml = truth[name]["volume_ml"]
    # The issue's own limits: 1 % from 10 mL up, 3 % below.
    limit = 0.01 if true_ml >= 10 else 0.03
    assert mesh.volume / 1000 == pytest.approx(true_ml, rel=limit)


def test_the_tumour_is_where_it_is(run_folder, truth):
    mesh = trimesh.load(run_folder / "meshes" / "tumor.stl", process=True)
    assert np.linalg.norm(mesh.center_mass - truth["tumor"]["centroid_mm"]) < 0.5


def test_there_are_two_lungs_and_nothing_else_is_taken_for_one(run_folder):
    # Half-air between the back and the mattress once was: another component, 12 cm off.
    for name in ("lung_left", "lung_right"):
        mesh = trimesh.load(run_folder / "meshes" / f"{name}.stl", process=True)
        assert mesh.body_count == 1


def test_left_is_the_patients_left(run_folder, truth):
    for left, right in (("lung_left", "lung_right"), ("kidney_left", "kidney_right")):
        x = {
            n: trimesh.load(run_folder / "meshes" / f"{n}.stl").center_mass[0]
            for n in (left, right)
        }
        # LPS: x grows to the patient's left.
        assert x[left] > x[right]


def test_statistics_agree_with_the_mesh_and_the_field(run_folder):
    for row in content(run_folder, "statistics.json")["structures"]:
        assert row["volume_ml"] == pytest.approx(row["mesh_volume_ml"], rel=0.01)
        assert row["triangles"] > 100


def test_the_record_lists_every_file_with_its_hash(run_folder):
    outputs = content(run_folder, "run.json")["outputs"]
    files = {p.relative_to(run_folder).as_posix() for p in run_folder.rglob("*") if p.is_file()}
    assert set(outputs) == files - {"run.json"}
    for name, digest in outputs.items():
        assert hashlib.sha256((run_folder / name).read_bytes()).hexdigest() == digest


def test_a_second_run_gives_the_same_meshes_and_label_map_byte_for_byte(run_folder, tmp_path):
    options = Options(output=OutputOptions(preview=False))
    reconstruct(SAMPLE, output=tmp_path / "again", options=options)
    first, second = (content(f, "run.json")["outputs"] for f in (run_folder, tmp_path / "again"))
    shaped = {n for n in first if n.startswith(("meshes/", "labels", "volume"))}
    assert len(shaped) > len(PROMISED)
    assert {n: first[n] for n in shaped} == {n: second[n] for n in shaped}


def test_the_sample_is_at_most_8_mb():
    assert sum(p.stat().st_size for p in SAMPLE.iterdir()) <= 8_000_000


@pytest.mark.data
@pytest.mark.parametrize(
    ("where", "structures"),
    [
        (
            "ct_chest_lidc/ct_chest_lidc_0314.zip",
            {"bone", "lung_left", "lung_right", "airway", "skin"},
        ),
        ("ct_mr_sarcoma/STS_001/dicom_CT/image", {"bone", "skin"}),
        ("totalseg_examples/example_ct_dicom", {"bone", "skin"}),
    ],
)
def test_real_scans_become_valid_meshes_without_options(data_dir, tmp_path, where, structures):
    run = reconstruct(
        data_dir / where,
        output=tmp_path / "run",
        options=Options(output=OutputOptions(preview=False)),
    )
    assert structures <= {p.label.name for p in run.parts}
    for part in run.parts:
        assert part.validity.valid, part.label.name
