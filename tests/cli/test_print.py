"""`medrecon mesh … --print` as a user runs it."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
from test_check_verb import medrecon

from medrecon.errors import UsageError
from medrecon_cli.print_options import print_options


@pytest.fixture
def ball(tmp_path):
    index = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij"), axis=-1)
    inside = np.linalg.norm(index - 19.7, axis=-1) < 14
    image = nibabel.Nifti1Image(inside.astype(np.uint8), np.diag([-1.0, -1.0, 1.0, 1.0]))
    nibabel.save(image, tmp_path / "ball.nii.gz")
    return tmp_path / "ball.nii.gz"


def test_a_label_map_becomes_parts_for_a_printer(ball, tmp_path):
    words = ["hollow=2", "cut=z:middle", "pins=3:0.25", "engrave=A-1", "letters=5"]
    steps = [word for step in words for word in ("--prepare", step)]
    done = medrecon(
        "mesh", "ball.nii.gz", "-o", "out", "--no-preview", "--print", "sla", *steps, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    copies = sorted((tmp_path / "out" / "print").glob("*.stl"))
    assert len(copies) == 2
    for copy in copies:
        assert copy.read_bytes()[:80].rstrip() == b"medrecon SPACE=PRINT UNIT=mm"
        says = json.loads(copy.with_suffix(".json").read_text())
        assert says["printable"] is True
        assert says["done"]["pins"]["clearance_mm"] == 0.25
        assert says["done"]["hollow"]["wall_mm"]["asked"] == 2
    assert "copies written to" in done.stdout


def test_steps_that_are_not_understood_are_usage_errors(tmp_path):
    for words in (
        ("--prepare", "hollow=2"),
        ("--print", "clay"),
        ("--print", "sla", "--prepare", "polish=1"),
        ("--print", "sla", "--prepare", "cut=w:3"),
    ):
        done = medrecon("mesh", "x", "-o", "out", *words, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not (tmp_path / "out").exists()


def test_every_step_changes_what_is_asked_for():
    steps = (
        "hollow=2", "drain=4:3", "cut=x:-12.5", "pins=5", "up=auto", "base=1", "engrave=A",
        "date=2026-11-21", "side", "scale-bar=20", "letters=7", "face=back", "vessel=aorta:1.5",
        "open-at=z:-120", "shrink=0.3,0.3,0.4", "gap=a:b:0.3", "margin=tumor:5,10:kidney_right",
        "boolean=both:a+b", "only=a,b", "bed=100,100,100",
    )  # fmt: skip
    # Some steps belong to another one, and are refused without it.
    needs = {
        "drain": ["hollow=2"],
        "pins": ["cut=z"],
        "open-at": ["vessel=aorta:1.5"],
        "letters": ["engrave=A"],
        "face": ["engrave=A"],
    }
    for step in steps:
        before = needs.get(step.partition("=")[0], [])
        without = print_options("sla", before, ("stl",))
        assert print_options("sla", [*before, step], ("stl",)) != without, step
    whole = print_options("sla", list(steps), ("stl",))
    assert whole.inscription.lines == ("A", "2026-11-21")
    assert whole.pins.clearance_mm == 0.5
    assert (whole.drain_mm, whole.drains) == (4, 3)
    assert whole.margins == (("tumor", (5, 10), "kidney_right"),)
    assert print_options(None, None, ("stl",)) is None
    with pytest.raises(UsageError, match="shows what it takes"):
        print_options("sla", ["shrink=1,2"], ("stl",))


@pytest.mark.parametrize("step", ["drain=4:2", "pins=4:0.2", "open-at=z:-120"])
def test_a_step_that_does_nothing_by_itself_is_refused(step):
    with pytest.raises(UsageError, match="does nothing without"):
        print_options("sla", [step], ("stl",))


@pytest.mark.parametrize(
    "step", ["hollow=nan", "cut=z:nan", "base=inf", "vessel=aorta:nan", "shrink=nan,0,0"]
)
def test_a_number_that_is_none_is_refused(step):
    with pytest.raises(UsageError, match="shows what it takes"):
        print_options("sla", [step], ("stl",))


@pytest.mark.parametrize(
    ("step", "needs"),
    [
        ("drain=-4", "hollow=2"), ("drain=4:-1", "hollow=2"), ("drain=4:21", "hollow=2"),
        ("pins=0", "cut=z"), ("pins=-4", "cut=z"), ("pins=4:-0.5", "cut=z"),
        ("scale-bar=0", "base=0"), ("scale-bar=-20", "base=0"), ("letters=0", "engrave=A"),
        ("letters=-6", "engrave=A"), ("base=-5", "side"), ("hollow=0", "side"),
        ("vessel=aorta:0", "side"), ("gap=a:b:-1", "side"), ("margin=a:-5,5", "side"),
    ],
)  # fmt: skip
def test_a_number_out_of_its_bounds_is_refused_with_its_step(step, needs):
    word = step.partition("=")[0]
    with pytest.raises(UsageError, match=f"^{word}.* expected"):
        print_options("sla", [needs, step], ("stl",))
