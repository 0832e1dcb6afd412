"""The report: one file, nothing fetched, every value escaped, the same bytes each time."""

from __future__ import annotations

import hashlib
import json
import re
from importlib import resources

import numpy as np
import pytest
import trimesh

from medrecon.core import Acquisition, Geometry, HuStatus, Label, Mesh, Modality, Volume
from medrecon.report.page import write_report
from medrecon.report.scripts import THREE_SHA256

NAME = "<b>bone</b>"
RUN = {
    "run_id": "00ff",
    "software": {"medrecon": "0.1.0"},
    "volume": {
        "modality": "CT",
        "shape": [3, 4, 5],
        "spacing_mm": [0.5, 0.5, 2.0],
        "hu": "verified",
        "hu_reason": "",
    },
    "options": {"mesh": {"tolerance_mm": 0.25, "target_faces": None}},
    "segmenters": ["tissue"],
    "steps": [{"name": "read", "seconds": 0.5, "figures": {"series": 1}}],
    "warnings": ["bone: <script>alert(1)</script>"],
}
ROW = {
    "name": NAME,
    "color": "#112233",
    "volume_ml": 12.34,
    "area_mm2": 5600.0,
    "mean_hu": None,
    "triangles": 1234567,
    "truncated": True,
}
FAILED = {"passed": False, "verdict": "not for print; faithful within 2.00 mm; 1 mm accepted"}


def ball() -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=2, radius=6.0)
    return Mesh(sphere.vertices, sphere.faces, Label(1, NAME, (17, 34, 51)))


def scan() -> Volume:
    geometry = Geometry((16, 14, 12), (1.0, 1.0, 1.5), (-8.0, -7.0, -9.0))
    array = np.arange(16 * 14 * 12, dtype=np.int16).reshape(16, 14, 12)
    return Volume(array, geometry, Acquisition(Modality.CT, HuStatus.VERIFIED))


def write(tmp_path, **more) -> str:
    path = tmp_path / "report.html"
    write_report(
        path,
        run=RUN,
        statistics={"structures": [ROW]},
        quality={"meshes": {NAME: FAILED}},
        **more,
    )
    return path.read_text("utf-8")


def test_values_are_shown_and_escaped(tmp_path):
    page = write(tmp_path, meshes=[ball()])
    assert "<script>alert" not in page
    assert "<b>bone" not in page
    assert "&lt;b&gt;bone&lt;/b&gt;" in page
    for words in ("12.3 mL", "1,234,567", "not for print", "1 mm accepted", "Research use"):
        assert words in page
    assert "mesh · tolerance mm</dt><dd>0.25" in page
    assert "Not approved." in page


def test_nothing_is_fetched_and_no_other_script_may_run(tmp_path):
    picture = tmp_path / "p.png"
    picture.write_bytes(b"\x89PNG")
    page = write(tmp_path, preview=picture, meshes=[ball()], volume=scan())
    assert "data:image/png;base64,iVBORw==" in page
    assert not re.search(r"<[^>]+(src|href)=\"(?!data:|#)", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1)
    assert "default-src &#39;none&#39;" in policy
    assert len(re.findall("sha256-", policy)) == 2
    assert "unsafe-inline" not in policy.partition("style-src")[0]


def test_the_same_run_gives_the_same_bytes(tmp_path):
    one = write(tmp_path, meshes=[ball()], volume=scan())
    assert one == write(tmp_path, meshes=[ball()], volume=scan())


def test_an_approval_and_edits_are_shown(tmp_path):
    approval = {"valid": False, "headline": "Approval void.", "rows": [("Since", "a change")]}
    edits = [{"what": "erase in skin", "change": "−1.2 mL"}]
    page = write(tmp_path, approval=approval, edits=edits)
    assert "Approval void." in page
    assert "erase in skin: −1.2 mL" in page
    assert "Not approved." not in page


def test_a_model_stands_with_its_licence_and_a_face_is_announced(tmp_path):
    figures = {"model": "organs 2", "licence": "CC-BY-4.0", "use": "research", "voxels": 1234567}
    run = {
        **RUN,
        "steps": [{"name": "network organs", "seconds": 1.0, "figures": figures}],
        "identifiable": {"state": "yes", "reason": "the skin of a head"},
    }
    path = tmp_path / "report.html"
    records = {"statistics": {"structures": [ROW]}, "quality": {"meshes": {NAME: FAILED}}}
    write_report(path, run=run, **records)
    page = path.read_text("utf-8")
    assert "organs 2; licence CC-BY-4.0; for research" in page
    assert "voxels 1,234,567" in page
    assert "A person can be recognised." in page
    assert "A person can be recognised." not in write(tmp_path)


@pytest.mark.parametrize("passed", [True, False])
def test_the_first_sentence_says_whether_all_passed(tmp_path, passed):
    row = {"passed": passed, "verdict": "pass; faithful to the segmentation within 0.1 mm"}
    path = tmp_path / "report.html"
    write_report(path, run=RUN, statistics={"structures": [ROW]}, quality={"meshes": {NAME: row}})
    assert ("The structure passed." in path.read_text("utf-8")) == passed


def test_the_vendored_library_is_the_one_that_was_recorded():
    room = resources.files("medrecon.report").joinpath("vendor")
    assert hashlib.sha256(room.joinpath("three.min.js").read_bytes()).hexdigest() == THREE_SHA256
    assert "MIT" in room.joinpath("LICENSE-three.txt").read_text("utf-8")


def test_the_pages_content_is_json_that_cannot_end_its_element(tmp_path):
    page = write(tmp_path, meshes=[ball()])
    text = re.search(r'id="content">(.*?)</script>', page, re.DOTALL).group(1)
    assert "<" not in text
    assert json.loads(text)["parts"][0]["name"] == NAME
