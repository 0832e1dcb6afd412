"""`train` and `evaluate` heed an option or refuse it, and name nobody in a card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from medrecon.core import Acquisition, Geometry, LabelMap, Modality, Volume, label
from medrecon.errors import MedreconError, UsageError
from medrecon.files import nifti
from medrecon_cli.main import app

GRID = Geometry((16, 16, 16), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))


def run(*words: object) -> str:
    """What is printed; an error is raised."""
    done = CliRunner().invoke(app, [str(w) for w in words])
    if isinstance(done.exception, MedreconError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Four images of a bright ball, in a folder and under names that are persons'."""
    folder = tmp_path / "MUELLER_ANNA"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    place = np.indices(GRID.shape) - 8
    ball = (place**2).sum(axis=0) < 20
    for name in ("BAUER_EVA", "b", "c", "d"):
        image = np.asfortranarray(1000 * ball, np.int16)
        volume = Volume(image, GRID, Acquisition(Modality.MR))
        nifti.write_volume(volume, folder / "images" / f"{name}.nii.gz")
        mask = LabelMap(np.asfortranarray(ball, np.uint8), GRID, (label("liver"),))
        nifti.write_labels(mask, folder / "labels" / f"{name}.nii.gz")
    return folder


def test_a_run_goes_on_with_its_own_cases_alone(pairs: Path, tmp_path: Path) -> None:
    short = ("--labels", "liver=1", "--features", "4,8", "--patch", "8,8,8", "--spacing", "4")
    words = ("train", pairs, *short, "--steps", "1", "--modality", "MR", "-o", tmp_path / "m")
    run(*words, "--held-out", "b")
    split, weights = ((tmp_path / "m" / n) for n in ("split.json", "weights.safetensors"))
    before = split.read_bytes(), weights.read_bytes()
    with pytest.raises(UsageError, match="other options"):
        run(*words, "--held-out", "c")
    (pairs / "labels" / "d.nii.gz").write_bytes((pairs / "labels" / "c.nii.gz").read_bytes())
    nifti.write_labels(
        LabelMap(np.ones(GRID.shape, np.uint8, order="F"), GRID, (label("liver"),)),
        pairs / "labels" / "d.nii.gz",
    )
    with pytest.raises(UsageError, match="other options"):
        run(*words, "--held-out", "b")
    assert (split.read_bytes(), weights.read_bytes()) == before


def test_sides_and_mirror_images_do_not_go_together(pairs: Path, tmp_path: Path) -> None:
    words = ("train", pairs, "--steps", "1", "--modality", "MR", "-o", tmp_path / "m")
    for path in (pairs / "labels").iterdir():
        array, grid = nifti.read_labels(path)
        both = np.array(array, order="F")
        both[0, 0, 0] = 2
        nifti.write_labels(LabelMap(both, grid, (label("liver"),)), path)
    with pytest.raises(UsageError, match="told apart by their side"):
        run(*words, "--labels", "kidney_left=1,kidney_right=2", "--mirror")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--head", "--features", "1,2"), "--features has no place with --head"),
        (("--head", "--mirror"), "--mirror has no place with --head"),
        (("--phantom-torso", "--minutes", "3"), "has no place with --phantom-torso"),
        (("--from-labels", "--modality", "CT"), "of no modality"),
        (("--minutes", "-1"), "--minutes -1: a number above 0"),
        (("--learning-rate", "nan"), "--learning-rate nan"),
        (("--spacing", "0"), "--spacing 0"),
        (("--labels", "a=1,a=2"), "a is there twice"),
        (("--labels", "a=1,b=1+2"), "a value belongs to one structure"),
        (("--labels", "a=0"), "0 is the background"),
        (("--labels", "a=77", "--steps", "1"), "none of the maps that train holds a value 77"),
        (("--from-labels", "--labels", "a=77"), "a value 77"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(pairs: Path, tmp_path: Path, words, said: str):
    data = pairs / "labels" if "--from-labels" in words else pairs
    with pytest.raises(UsageError, match=said):
        run("train", data, "-o", tmp_path / "model", *words)
    assert not (tmp_path / "model").exists()


def test_no_folder_and_no_case_is_named_in_a_card(pairs: Path, tmp_path: Path):
    model = tmp_path / "out_of_MEIER"
    run(
        *("train", pairs, "-o", model, "--steps", "1", "--features", "4,8", "--batch", "1"),
        *("--held-out", "BAUER_EVA", "--validation", "1", "--labels", "liver=1"),
    )
    texts = [p for p in model.rglob("*") if p.suffix in (".md", ".toml", ".json", ".svg", ".csv")]
    texts.remove(model / "split.json")  # which cases may be looked at must be told by name
    for path in texts:
        text = path.read_text("utf-8")
        assert not [w for w in ("MUELLER", "BAUER", "MEIER", str(tmp_path)) if w in text], path
    card = (model / "README.md").read_text("utf-8")
    again = "medrecon train DATA -o DIR --labels liver=1 --features 4,8 --steps 1 --batch 1"
    assert f"`{again} --held-out CASES --validation 1`" in card


def test_label_maps_of_another_run_are_not_taken_for_a_models(pairs: Path, tmp_path: Path):
    model, out = tmp_path / "model", tmp_path / "scores"
    few = ("--steps", "1", "--features", "4,8", "--batch", "1", "--validation", "1")
    run("train", pairs, "-o", model, *few)
    told = ("--model", model, "-o", out, "--device", "cpu")
    run("evaluate", pairs / "images", pairs / "labels", *told, "--cases", "b,c")
    run("evaluate", pairs / "images", pairs / "labels", *told, "--cases", "b,c")  # again
    with pytest.raises(UsageError, match=r"holds label maps of another run \(c\)"):
        run("evaluate", pairs / "images", pairs / "labels", *told, "--cases", "b")


def test_an_evaluation_says_what_it_cannot_see(pairs: Path):
    one = pairs / "labels" / "b.nii.gz"
    assert "liver is in no label map" in run("evaluate", one, one, "--labels", "liver=99")
    with pytest.raises(UsageError, match="for a model that runs first"):
        run("evaluate", one, one, "--modality", "CT")
    with pytest.raises(UsageError, match="these are two files"):
        run("evaluate", one, one, "--cases", "b")
