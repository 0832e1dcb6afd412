"""What a stopped run finished is used again if nothing that it depends on has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medrecon import judged_mesh, pipeline
from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.dicom.write_ct import write_ct_series
from medrecon.options import MeshOptions, Options, OutputOptions, SegmentOptions
from medrecon.outputs.sameness import differing_files
from medrecon.phantom import shapes
from medrecon.phantom.scanner import Scanner
from medrecon.phantom.shape_scan import scan_shape

OPTIONS = Options(
    segment=SegmentOptions(tissues=("bone",)), output=OutputOptions(preview=False, resume=True)
)


class StoppedError(BaseException):
    """Somebody pressed Ctrl-C."""


def series(folder: Path, radius_mm: float) -> Path:
    grid = Geometry((22, 21, 20), (1.6, 1.6, 1.6), (-16.8, -16.0, -15.2))
    ball = shapes.make_sphere(radius_mm).moved((0.3, -0.2, 0.4))
    image = scan_shape(ball, grid, scanner=Scanner(noise_hu=0.0), hu=(1000.0, -100.0)).volume
    ct = Acquisition(Modality.CT, HuStatus.VERIFIED, is_phantom=True)
    write_ct_series(Volume(image.array, grid, ct), folder)
    return folder


@pytest.fixture
def stopped(tmp_path, monkeypatch) -> Path:
    """A run that was stopped when its meshes were done."""

    def stop(*more):
        raise StoppedError

    with monkeypatch.context() as patch, pytest.raises(StoppedError):
        patch.setattr(pipeline, "write_labels", stop)
        pipeline.reconstruct(
            series(tmp_path / "in", 12.0), output=tmp_path / "run", options=OPTIONS
        )
    assert not (tmp_path / "run" / "run.json").exists()
    return tmp_path


@pytest.fixture
def walked(monkeypatch) -> list[str]:
    """The costly stages that are walked from now on."""
    seen: list[str] = []
    for home, name in ((pipeline, "segment_volume"), (judged_mesh, "mesh_field")):
        plain = getattr(home, name)

        def noted(*more, plain=plain, name=name):
            seen.append(name)
            return plain(*more)

        monkeypatch.setattr(home, name, noted)
    return seen


def test_nothing_is_done_twice_and_the_result_is_that_of_an_undisturbed_run(stopped, walked):
    pipeline.reconstruct(stopped / "in", output=stopped / "run", options=OPTIONS)
    assert walked == []
    pipeline.reconstruct(stopped / "in", output=stopped / "other", options=OPTIONS)
    assert differing_files(stopped / "run", stopped / "other") == []
    assert {p.name for p in (stopped / "run").iterdir()} == {
        p.name for p in (stopped / "other").iterdir()
    }


def test_another_model_under_the_same_name_does_it_again(stopped, walked, monkeypatch):
    monkeypatch.setattr(pipeline, "model_hashes", lambda *_: ("of another manifest",))
    pipeline.reconstruct(stopped / "in", output=stopped / "run", options=OPTIONS)
    assert walked == ["segment_volume", "mesh_field"]


def test_other_options_of_a_stage_do_it_again_and_what_follows_too(stopped, walked):
    finer = replace(OPTIONS, mesh=MeshOptions(tolerance_mm=0.0))
    pipeline.reconstruct(stopped / "in", output=stopped / "run", options=finer)
    assert walked == ["mesh_field"]


def test_another_scan_or_a_changed_file_is_never_mistaken_for_what_was_finished(stopped, walked):
    (field,) = (stopped / "run" / ".unfinished" / "fields").iterdir()
    field.write_bytes(field.read_bytes()[:-1] + b"x")
    pipeline.reconstruct(stopped / "in", output=stopped / "run", options=OPTIONS)
    assert walked == ["segment_volume"]
    pipeline.reconstruct(
        series(stopped / "in2", 11.0),
        output=stopped / "run",
        options=replace(OPTIONS, output=replace(OPTIONS.output, overwrite=True)),
    )
    assert walked == ["segment_volume", "segment_volume", "mesh_field"]


def test_without_resume_a_stopped_run_is_begun_from_the_beginning(stopped, walked):
    plain = replace(OPTIONS, output=replace(OPTIONS.output, resume=False))
    pipeline.reconstruct(stopped / "in", output=stopped / "run", options=plain)
    assert walked == ["segment_volume", "mesh_field"]
