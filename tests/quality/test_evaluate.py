"""`medrecon evaluate`: two folders in, a table and a summary out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from medrecon.core import Geometry, Label, LabelMap
from medrecon.errors import GeometryError, NoSeriesError, UsageError
from medrecon.files import nifti
from medrecon.recipes.evaluate import EvaluateRequest, evaluate, write_evaluation
from medrecon_cli.main import app

GRID = Geometry((12, 12, 12), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0))


def write(path: Path, *blocks: tuple[int, slice], geometry: Geometry = GRID) -> None:
    array = np.zeros(geometry.shape, np.uint8)
    for value, part in blocks:
        array[part, 2:10, 2:10] = value
    path.parent.mkdir(exist_ok=True)
    nifti.write_labels(LabelMap(array, geometry, (Label(1, "a"), Label(2, "b"))), path)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    # Case one: a is right, b is missed. Case two: a is two of four slices short.
    write(tmp_path / "ref/one.nii.gz", (1, slice(1, 5)), (2, slice(7, 9)))
    write(tmp_path / "pred/one.nii.gz", (1, slice(1, 5)))
    write(tmp_path / "ref/two.nii.gz", (1, slice(1, 5)))
    write(tmp_path / "pred/two.nii.gz", (1, slice(1, 3)))
    write(tmp_path / "pred/three.nii.gz", (1, slice(1, 3)))
    return tmp_path


def test_each_structure_of_each_case_has_a_row(folders: Path) -> None:
    request = EvaluateRequest({"a": (1,), "b": (2,)})
    found = evaluate(folders / "pred", folders / "ref", request)
    assert found.warnings == ("1 predictions have no reference and were left out",)
    write_evaluation(found, folders / "out")
    rows = list(csv.DictReader((folders / "out/scores.csv").read_text().splitlines()))
    table = {(r["case"], r["label"]): r for r in rows}
    assert table["one", "a"]["dice"] == "1"
    assert table["one", "b"]["presence"] == "missed"
    assert table["one", "b"]["hd95_mm"] == ""
    assert table["two", "b"]["presence"] == "neither"
    assert table["two", "b"]["dice"] == ""
    # 2 of 4 slices: 2·2 / (2 + 4); half of 4·8·8 voxels of 2 mm³ is missing.
    assert float(table["two", "a"]["dice"]) == pytest.approx(2 / 3, abs=1e-5)
    assert float(table["two", "a"]["volume_error_ml"]) == pytest.approx(-0.256)
    summary = json.loads((folders / "out/summary.json").read_text())
    assert summary["labels"]["a"]["dice"]["mean"] == pytest.approx(5 / 6)
    assert summary["labels"]["b"]["cases"] == {"both": 0, "missed": 1, "invented": 0, "neither": 1}


def test_a_structure_that_the_model_does_not_find_is_not_another() -> None:
    with pytest.raises(UsageError, match="finds no Y; it finds x, y"):
        EvaluateRequest({"Y": (1,)}, {"x": (1,), "y": (2,)})


def test_values_are_found_where_none_are_named(folders: Path) -> None:
    found = evaluate(folders / "pred", folders / "ref", EvaluateRequest())
    assert {s.label for s in found.scores} == {"label_1", "label_2"}
    only = evaluate(folders / "pred", folders / "ref", EvaluateRequest(cases=["two"]))
    assert {s.case for s in only.scores} == {"two"}


def test_what_cannot_be_compared_is_refused(folders: Path) -> None:
    with pytest.raises(UsageError, match="1 of 3 references have no prediction"):
        write(folders / "ref/four.nii.gz", (1, slice(1, 3)))
        evaluate(folders / "pred", folders / "ref", EvaluateRequest())
    with pytest.raises(UsageError, match="no case is called nine"):
        evaluate(folders / "pred", folders / "ref", EvaluateRequest(cases=["nine"]))
    with pytest.raises(NoSeriesError):
        evaluate(folders, folders / "ref", EvaluateRequest())
    moved = Geometry(GRID.shape, GRID.spacing_mm, (9.0, 0.0, 0.0))
    write(folders / "pred/four.nii.gz", (1, slice(1, 3)), geometry=moved)
    with pytest.raises(GeometryError, match="different grids"):
        evaluate(folders / "pred", folders / "ref", EvaluateRequest())


def test_the_command_prints_a_table_and_json_alone(folders: Path) -> None:
    words = ["evaluate", str(folders / "pred/two.nii.gz"), str(folders / "ref/two.nii.gz")]
    table = CliRunner().invoke(app, [*words, "--labels", "a=1"]).stdout
    assert "0.6667" in table
    found = json.loads(CliRunner().invoke(app, [*words, "--labels", "a=1", "--json"]).stdout)
    assert found["labels"]["a"]["dice"]["count"] == 1
    # The end plate of the reference is two voxels away: within 2 mm, not within 1.
    wide = [*words, "--labels", "a=1", "--json", "--tolerance-mm", "2"]
    closer = json.loads(CliRunner().invoke(app, wide).stdout)
    assert closer["labels"]["a"]["nsd"]["mean"] == 1.0
    assert found["labels"]["a"]["nsd"]["mean"] < 1.0
