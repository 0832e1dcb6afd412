"""A run goes out in every format; the wrong scan, no scan and a second time are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from medrecon.core import Geometry
from medrecon.dicom.write_ct import CtSeries, write_ct_series
from medrecon.errors import DamagedInputError, OutputExistsError, UsageError
from medrecon.files.stl import read_stl
from medrecon.options import Options, OutputOptions, SegmentOptions
from medrecon.phantom.shape_scan import scan_shape
from medrecon.phantom.shapes import make_letter_f
from medrecon.pipeline import reconstruct
from medrecon.recipes.export import DICOM_FORMATS, ExportOptions, export_run
from medrecon.recipes.meshing import mesh_segmented
from medrecon_cli.main import app

CANARY = "Zweifel^Canary"
ALL = (*DICOM_FORMATS, "seg.nrrd", "3mf", "glb")


def scan(folder: Path, *, seed: str, shift_mm: float = 0.0) -> Path:
    """A letter F in CT, on slices of 2 mm."""
    grid = Geometry((46, 36, 26), (0.8, 0.9, 2.0), (-17.8 + shift_mm, -15.6, -24.9))
    volume = scan_shape(make_letter_f(), grid).volume
    series = CtSeries(uid_seed=seed, patient_name=CANARY, patient_id="CANARY-17")
    write_ct_series(volume, folder, series=series)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scan(tmp_path_factory.mktemp("scan"), seed="mine")


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    options = Options(
        segment=SegmentOptions(tissues=("bone",)), output=OutputOptions(preview=False)
    )
    reconstruct(source, output=folder, options=options)
    return folder


@pytest.fixture(scope="module")
def exported(run: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "out"
    export_run(run, ExportOptions(ALL, source), output=folder)
    return folder


def content(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def test_every_format_is_there_and_the_record_names_each_file(exported: Path) -> None:
    found = content(exported)
    record = json.loads((exported / "export.json").read_text())
    assert record["outputs"] == {k: v for k, v in found.items() if k != "export.json"}
    assert {
        "seg.dcm",
        "seg_occupancy.dcm",
        "seg_labelmap.dcm",
        "rtstruct.dcm",
        "m3d/bone.dcm",
        "m3d-obj/bone.dcm",
        "segmentation.seg.nrrd",
        "model.3mf",
        "model.glb",
    } <= set(found)


def test_fractions_hold_the_field_and_contours_say_what_they_do_not(exported: Path) -> None:
    figures = json.loads((exported / "export.json").read_text())["figures"]
    assert abs(figures["dicom-seg-occupancy"]["bone"]["difference_percent"]) < 0.5
    assert abs(figures["rtstruct"]["bone"]["difference_percent"]) < 5
    assert (
        figures["rtstruct"]["bone"]["volume_ml"] != figures["rtstruct"]["bone"]["field_volume_ml"]
    )


def test_the_encapsulated_mesh_is_the_one_that_was_judged(
    exported: Path, run: Path, tmp_path: Path
) -> None:
    ds = pydicom.dcmread(exported / "m3d" / "bone.dcm")
    model = tmp_path / "model.stl"
    model.write_bytes(ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength])
    found, faces = read_stl(model)
    judged, judged_faces = read_stl(run / "meshes" / "bone.stl")
    assert np.array_equal(found, judged)
    assert np.array_equal(faces, judged_faces)


def test_the_same_export_twice_is_the_same_bytes(
    exported: Path, run: Path, source: Path, tmp_path: Path
) -> None:
    export_run(run, ExportOptions(ALL, source), output=tmp_path / "again")
    assert content(tmp_path / "again") == content(exported)


def test_another_scan_is_recognised_and_refused(run: Path, tmp_path: Path) -> None:
    # The same letter, a tenth of a millimetre aside: another series.
    other = scan(tmp_path / "other", seed="other", shift_mm=0.1)
    with pytest.raises(DamagedInputError, match="not the series"):
        export_run(run, ExportOptions(("rtstruct",), other), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_dicom_without_the_scan_is_refused_and_meshes_need_none(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--source"):
        export_run(run, ExportOptions(("glb", "m3d")), output=tmp_path / "out")
    export_run(run, ExportOptions(("glb",)), output=tmp_path / "out")
    assert (tmp_path / "out" / "model.glb").is_file()
    with pytest.raises(OutputExistsError):
        export_run(run, ExportOptions(("glb",)), output=tmp_path / "out")


def test_a_format_asked_for_twice_is_written_once(run: Path, source: Path, tmp_path: Path) -> None:
    done = export_run(run, ExportOptions(("m3d", "m3d"), source), output=tmp_path / "out")
    assert set(done.files) == {"m3d/bone.dcm"}


def test_an_unknown_format_is_refused(run: Path) -> None:
    with pytest.raises(UsageError, match="dicom-seg"):
        export_run(run, ExportOptions(("dicom",)))


def test_under_a_pseudonym_nothing_of_the_patient_is_left(
    run: Path, source: Path, tmp_path: Path
) -> None:
    formats = tuple(f for f in ALL if f not in ("3mf", "glb"))
    export_run(run, ExportOptions(formats, source, deidentify=True), output=tmp_path / "out")
    secrets = [b"Zweifel", b"CANARY", b"Canary"]
    for path in source.glob("*.dcm"):
        ds = pydicom.dcmread(path)
        secrets += [str(ds[k].value).encode() for k in ("SOPInstanceUID", "StudyInstanceUID")]
    for path in (p for p in (tmp_path / "out").rglob("*") if p.is_file()):
        written = path.read_bytes()
        assert not any(secret in written for secret in secrets), path.name


def test_what_went_out_can_be_meshed_again(exported: Path, tmp_path: Path) -> None:
    options = Options(output=OutputOptions(preview=False))
    made = mesh_segmented(exported / "seg_occupancy.dcm", output=tmp_path / "out", options=options)
    (bone,) = made.parts
    figures = json.loads((exported / "export.json").read_text())["figures"]
    field_ml = figures["dicom-seg-occupancy"]["bone"]["field_volume_ml"]
    # As in tests/dicom/test_segmentations_in.py: the letter's edges are rounded off.
    assert bone.volume_ml == pytest.approx(field_ml, rel=0.04)


def test_the_verb_says_what_was_written(run: Path, tmp_path: Path) -> None:
    words = ["export", str(run), "--to", "ply,seg.nrrd", "-o", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["files"] == ["bone.ply", "segmentation.seg.nrrd"]


def test_formats_that_carry_nobody_pass_the_audit(run: Path, tmp_path: Path) -> None:
    export_run(run, ExportOptions(("seg.nrrd", "3mf", "glb")), output=tmp_path / "out")
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "out")])
    assert done.exit_code == 0, done.stdout
