"""Growing in a finished run or in a scan: what the image is known by, and what was warned of."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.dicom.write_ct import write_ct_series
from medrecon.errors import UsageError
from medrecon.files import nifti
from medrecon.loading import BURNED_IN
from medrecon.options import Grid, LoadOptions, Options, OutputOptions
from medrecon.outputs.opened import open_run
from medrecon.outputs.run import acquisition_of, image_json
from medrecon.recipes.growing import grow_study
from medrecon.segmentation.guided import Click, Guidance

GRID = Geometry((40, 38, 32), (1.0, 1.0, 1.5), (-20.0, -19.0, -24.0))
INSIDE = Guidance((Click((0.0, 0.0, 0.0), True),))
QUIET = Options(output=OutputOptions(Grid.NATIVE, preview=False, formats=("stl",)))
KNOWN = Acquisition(
    Modality.CT,
    HuStatus.UNVERIFIED,
    "declared by the user",
    slice_thickness_mm=0.75,
    is_phantom=True,
    body_part="FACE",
    laterality="L",
    burned_in=True,
    defaced=True,
)


def ball() -> Volume:
    """A ball of 110 HU and 9 mm about the origin in 10 HU, noise of 8."""
    i, j, k = np.ogrid[:40, :38, :32]
    r = np.sqrt((i - 20.0) ** 2 + (j - 19.0) ** 2 + (1.5 * (k - 16.0)) ** 2)
    values = np.where(r < 9, 110.0, 10.0) + np.random.default_rng(4).normal(0, 8, GRID.shape)
    array = np.asfortranarray(np.rint(values).astype(np.int16))
    return Volume(array, GRID, Acquisition(Modality.CT, HuStatus.VERIFIED))


def series(folder: Path, **tags: str) -> Path:
    """The ball as a CT series with more in its headers."""
    for path in write_ct_series(ball(), folder):
        ds = pydicom.dcmread(path)
        for name, value in tags.items():
            setattr(ds, name, value)
        ds.save_as(path)
    return folder


def record_of(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a left face whose pixels hold annotation."""
    folder = tmp_path_factory.mktemp("run")
    source = series(
        folder / "in",
        BodyPartExamined="FACE",
        Laterality="L",
        BurnedInAnnotation="YES",
        QualityControlImage="NO",
    )
    grow_study(source, INSIDE, output=folder / "out", options=QUIET)
    return folder / "out"


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Acquisition)])
def test_a_record_gives_back_how_the_image_was_made(name):
    # The kernel and the frame of reference are never written.
    known = dataclasses.replace(ball(), acquisition=KNOWN)
    assert getattr(acquisition_of(image_json(known)), name) == getattr(KNOWN, name)


def test_what_an_older_record_lacks_is_unknown():
    image = {"modality": "CT", "hu": "verified", "hu_reason": "declared"}
    plain = Acquisition(Modality.CT, HuStatus.VERIFIED, "declared")
    assert acquisition_of({"volume": image}) == plain


def test_a_structure_grown_in_a_run_is_as_identifiable_as_the_run(run, tmp_path):
    made = grow_study(run, INSIDE, output=tmp_path / "more", options=QUIET)
    before, after = record_of(run), record_of(tmp_path / "more")
    assert before["identifiable"]["state"] == "yes"
    assert after["identifiable"] == before["identifiable"]
    assert after["volume"] == before["volume"]
    assert after["volume"]["burned_in_annotation"]
    assert BURNED_IN in made.provenance.warnings


def test_a_face_that_the_runs_grid_no_longer_shows_is_still_said(run, tmp_path):
    # As if a skull had been found in the scan: no header says it, and the ball has none.
    record = record_of(run)
    record["volume"]["body_part"] = ""
    record["identifiable"] = {"state": "yes", "reason": "a skull is in the image"}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    (tmp_path / "run" / "volume.nii.gz").write_bytes((run / "volume.nii.gz").read_bytes())
    grow_study(tmp_path / "run", INSIDE, output=tmp_path / "more", options=QUIET)
    assert record_of(tmp_path / "more")["identifiable"] == record["identifiable"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"deface": True}, "--deface:"),
        ({"series": 99}, "--series:"),
        ({"frame": 9}, "--frame:"),
        ({"modality": Modality.MR}, "--modality:"),
        ({"fill_gaps": True, "skip_bad": True}, "--fill-gaps, --skip-bad:"),
        ({"max_memory_gb": 0.1}, "--max-memory:"),
        ({"native": True}, "--native:"),
    ],
)
def test_an_option_of_loading_that_a_run_cannot_obey_is_refused(run, tmp_path, options, words):
    asked = dataclasses.replace(QUIET, load=LoadOptions(**options))
    with pytest.raises(UsageError, match=f"^{words} RUN holds an image that was read already"):
        grow_study(run, INSIDE, output=tmp_path / "more", options=asked)
    assert not (tmp_path / "more").exists()


def test_growing_in_a_scan_keeps_the_warnings_and_steps_of_loading(tmp_path):
    source = series(tmp_path / "in", BurnedInAnnotation="YES", BodyPartExamined="ABDOMEN")
    first = source / "ct_0001.dcm"
    ds = pydicom.dcmread(first)
    # The lowest slice lies half a millimetre lower: a step of 2 mm below 30 of 1.5 mm.
    assert ds.ImagePositionPatient[2] == -24.0
    ds.ImagePositionPatient[2] = -24.5
    ds.save_as(first)
    told: list[str] = []
    made = grow_study(
        source,
        INSIDE,
        output=tmp_path / "out",
        options=dataclasses.replace(QUIET, load=LoadOptions(deface=True)),
        progress=lambda stage, _: told.append(stage),
    )
    warnings = made.provenance.warnings
    assert BURNED_IN in warnings
    assert "--deface removed nothing: no skull is in the image" in warnings
    first_steps = ["scan", "read", "correct geometry"]
    assert [s.name for s in made.provenance.steps][:3] == first_steps
    assert {*first_steps, "surfaces"} <= set(told)
    record = record_of(tmp_path / "out")
    assert record["warnings"] == list(warnings)
    assert [s["name"] for s in record["steps"]][:3] == first_steps
    assert "(0028,0301)" in (tmp_path / "out" / "report.html").read_text()


def test_paths_may_be_text(tmp_path):
    nifti.write_volume(ball(), tmp_path / "ct.nii.gz")
    grow_study(str(tmp_path / "ct.nii.gz"), INSIDE, output=str(tmp_path / "out"), options=QUIET)
    assert open_run(str(tmp_path / "out")).folder == tmp_path / "out"
