"""The report: one file, nothing fetched, every value escaped."""

from __future__ import annotations

import re

from medrecon.report.page import write_report

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
    "segmenters": ["tissue"],
    "steps": [{"name": "read", "seconds": 0.5, "figures": {"series": 1}}],
    "warnings": ["bone: <script>alert(1)</script>"],
}
ROW = {
    "name": "<b>bone</b>",
    "color": "#112233",
    "volume_ml": 12.34,
    "area_mm2": 5600.0,
    "mean_hu": None,
    "triangles": 1234567,
    "truncated": True,
}


def write(tmp_path, preview=None) -> str:
    quality = {"meshes": {"<b>bone</b>": {"passed": False, "verdict": "not for print"}}}
    path = tmp_path / "report.html"
    write_report(path, run=RUN, statistics={"structures": [ROW]}, quality=quality, preview=preview)
    return path.read_text("utf-8")


def test_values_are_shown_and_escaped(tmp_path):
    page = write(tmp_path)
    assert "<script" not in page
    assert "&lt;b&gt;bone&lt;/b&gt;" in page
    assert "12.3 mL" in page
    assert "1,234,567" in page
    assert "not for print" in page
    assert "Research use" in page


def test_nothing_is_fetched(tmp_path):
    picture = tmp_path / "p.png"
    picture.write_bytes(b"\x89PNG")
    page = write(tmp_path, picture)
    assert "data:image/png;base64,iVBORw==" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "http" not in page.replace("http-equiv", "")
