"""`medrecon check` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import trimesh

MEDRECON = (sys.executable, "-m", "medrecon_cli")


def medrecon(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "cli")}
    return subprocess.run(
        [*MEDRECON, *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
    )


def test_a_good_and_a_bad_mesh_in_a_table_and_exit_10(tmp_path):
    trimesh.creation.box((30, 20, 10)).export(tmp_path / "good.stl")
    trimesh.creation.box((30, 20, 0.3)).export(tmp_path / "sheet.ply")
    done = medrecon("check", "good.stl", "sheet.ply", "--process", "sla", cwd=tmp_path)
    assert done.returncode == 10
    assert "good.stl" in done.stdout.splitlines()[1]
    assert "0.30 mm" in done.stdout
    assert done.stderr.endswith("[quality]\n")


def test_json_holds_every_figure_and_nothing_else_is_on_standard_output(tmp_path):
    trimesh.creation.box((30, 20, 10)).export(tmp_path / "good.obj")
    done = medrecon("check", "good.obj", "--json", "--bed", "100,100,100", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["meshes"]
    assert row["printable"] is True
    assert row["extent_mm"] == [30, 20, 10]
    assert row["solidity"]["volume_ml"] == 6.0
    assert row["fits"] == {"bed": True}


def test_bad_files_and_bad_options_are_one_line(tmp_path):
    (tmp_path / "bad.stl").write_bytes(b"hello")
    (tmp_path / "nan.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    trimesh.creation.box().export(tmp_path / "a.stl")
    cases = (
        (("bad.stl",), 5),
        (("missing.glb",), 5),
        (("nan.obj",), 4),
        (("a.stl", "--bed", "10,20"), 2),
        (("a.stl", "--unit", "furlong"), 2),
        (("a.stl", "--process", "clay"), 2),
    )
    for words, code in cases:
        done = medrecon("check", *words, cwd=tmp_path)
        assert done.returncode == code, (words, done.stderr)
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""
