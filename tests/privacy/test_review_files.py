"""What a person adds to a run, and scenes for other programs: clean ones pass, canaries do not."""

from __future__ import annotations

import json
import zipfile
from datetime import date

import pytest
import trimesh

from medrecon.core import Label, Mesh
from medrecon.files.gltf import save_gltf
from medrecon.files.usdz import save_usdz
from medrecon.files.vtp import save_vtp
from medrecon.privacy.audit import audit_folder

CANARY = "Zwitscherling"


def ball(name: str = "bone") -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=1, radius=10.0)
    return Mesh(sphere.vertices, sphere.faces, Label(1, name, (220, 200, 170)))


def approval(**changes: object) -> dict[str, object]:
    return {
        "schema_version": 1, "by": "Dr. A. Müller-Lüdenscheidt", "date": "2026-11-21",
        "run_id": "0f" * 8, "parts": 1, "volume_ml": 4.1888, "meshes": {"bone": "ab" * 32},
    } | changes  # fmt: skip


EDITS = {
    "schema_version": 1,
    "edits": [
        {"edit": "erase", "label": "bone", "points_lps_mm": [[10.0, 20.0, 123456.5]],
         "radius_mm": 3.0, "volume_change_ml": -0.113},
        {"edit": "split", "label": "bone", "points_lps_mm": [[0, 2, 3], [4, 2, 3]],
         "names": ["femur", "hip_left"]},
    ],
}  # fmt: skip
COMPARISON = {
    "schema_version": 1, "structure": "bone",
    "distances": {"mean_mm": 0.1, "p95_mm": 0.3, "max_mm": 0.4, "signed_mean_mm": -0.1},
    "registered": True, "moved_lps_mm": [0.4, 0.0, 0.0], "passed": True,
    "statement": "distance from the run's surface; how well either follows the patient is unknown",
}  # fmt: skip
CLICKS = {"schema_version": 1, "clicks": [{"lps_mm": [-20.5, 0.0, 3.25], "inside": True}]}


def test_what_a_person_adds_passes_as_it_is_written(tmp_path):
    files = {"approval": approval(), "edits": EDITS, "comparison": COMPARISON, "clicks": CLICKS}
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert audit_folder(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("approval", approval(note=f"for {CANARY}")),
        ("approval", approval(material=CANARY)),
        ("approval", approval(by="Müller 19431107")),
        ("approval", approval(date="1943-11-07")),
        ("approval", approval(case=CANARY)),
        ("approval", approval(meshes={CANARY: "ab" * 32})),
        ("approval", approval(meshes={"bone": CANARY})),
        ("approval", [CANARY]),
        ("edits", {"edits": [EDITS["edits"][0] | {"label": CANARY}]}),
        ("edits", {"edits": [EDITS["edits"][1] | {"names": ["femur", CANARY]}]}),
        ("comparison", COMPARISON | {"statement": CANARY}),
        ("comparison", COMPARISON | {CANARY: 1}),
        ("clicks", CLICKS | {"comment": CANARY}),
    ],
)
def test_a_canary_in_what_a_person_adds_is_found(tmp_path, name, content):
    (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert audit_folder(tmp_path)


def test_an_approval_made_by_the_verb_passes_with_its_report(tmp_path):
    from medrecon.core import Geometry
    from medrecon.files.nifti import write_volume
    from medrecon.options import Options, OutputOptions
    from medrecon.phantom import shapes
    from medrecon.phantom.shape_scan import scan_shape
    from medrecon.recipes.approval import Ticket, approve_run
    from medrecon.recipes.growing import grow_study
    from medrecon.recipes.report import render_report
    from medrecon.segmentation.guided import Click, Guidance

    grid = Geometry((30, 30, 30), (1.5, 1.5, 1.5), (-21.75, -21.75, -21.75))
    scan = scan_shape(shapes.make_sphere(12.0), grid, hu=(110.0, 20.0)).volume
    (tmp_path / "in").mkdir()
    write_volume(scan, tmp_path / "in" / "volume.nii.gz")
    run = tmp_path / "run"
    plain = Options(output=OutputOptions(preview=False))
    told = Guidance((Click((0.0, 0.0, 0.0)),))
    grow_study(tmp_path / "in" / "volume.nii.gz", told, output=run, options=plain)
    ticket = Ticket(material="resin", process="sla")
    approve_run(run, f"A. {CANARY}", looked=True, ticket=ticket, today=date(2026, 11, 21))
    render_report(run)
    assert audit_folder(run) == []
    render_report(run, with_name=True)
    assert {f.file for f in audit_folder(run)} == {"report.html"}


def test_scenes_for_other_programs_pass_as_they_are_written(tmp_path):
    meshes = [ball(), ball("femur")]
    save_gltf(meshes, tmp_path / "model.gltf")
    save_usdz(meshes, tmp_path / "model.usdz")
    save_vtp(ball(), tmp_path / "bone.vtp")
    assert audit_folder(tmp_path) == []


def test_a_name_in_a_scene_is_found(tmp_path):
    save_gltf([ball(CANARY)], tmp_path / "model.gltf")
    save_usdz([ball(CANARY)], tmp_path / "model.usdz")
    save_vtp(ball(CANARY), tmp_path / "bone.vtp")
    assert {f.file for f in audit_folder(tmp_path)} == {"model.gltf", "model.usdz", "bone.vtp"}


def test_bytes_among_the_numbers_and_behind_them_are_found(tmp_path):
    save_gltf([ball()], tmp_path / "model.gltf")
    save_vtp(ball(), tmp_path / "bone.vtp")
    numbers, polydata = tmp_path / "model.bin", tmp_path / "bone.vtp"
    clean, whole = numbers.read_bytes(), polydata.read_bytes()
    text = CANARY.encode().ljust(16)
    for harmed in (clean + text, text + clean[len(text) :], clean[:-16] + text):
        numbers.write_bytes(harmed)
        assert [f.file for f in audit_folder(tmp_path)] == ["model.bin"], harmed[:16]
    numbers.write_bytes(clean)
    end = b"\n</AppendedData>"
    for harmed in (whole + text, whole.replace(end, text + end)):
        polydata.write_bytes(harmed)
        assert [f.file for f in audit_folder(tmp_path)] == ["bone.vtp"]


def test_numbers_without_their_scene_are_found(tmp_path):
    (tmp_path / "loose.bin").write_bytes(CANARY.encode())
    assert audit_folder(tmp_path)


def test_what_hides_in_the_zip_of_a_usdz_is_found(tmp_path):
    save_usdz([ball()], tmp_path / "model.usdz")
    with zipfile.ZipFile(tmp_path / "model.usdz") as package:
        scene = package.read("model.usda")
    for n, harm in enumerate(("comment", "time", "more", "text", "padding")):
        entry = zipfile.ZipInfo("model.usda", (1980, 1, 1, 0, 0, 0))
        content = scene
        if harm == "time":
            entry.date_time = (1987, 11, 7, 0, 0, 0)
        if harm == "padding":
            entry.extra = b"\x86\x19" + (16).to_bytes(2, "little") + CANARY.encode().ljust(16)
        if harm == "text":
            content = scene.replace(b'"bone"', f'"{CANARY}"'.encode())
        with zipfile.ZipFile(tmp_path / f"{n}.usdz", "w") as package:
            package.writestr(entry, content)
            if harm == "more":
                package.writestr("more.txt", CANARY)
            if harm == "comment":
                package.comment = CANARY.encode()
    assert {f.file for f in audit_folder(tmp_path)} == {f"{n}.usdz" for n in range(5)}
    assert b"bone" in scene
