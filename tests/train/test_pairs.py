"""Which cases there are, which of them train, and what is read off them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from medrecon.core import Geometry, Label, LabelMap, Modality, Volume
from medrecon.errors import GeometryError, NoSeriesError, UsageError
from medrecon.files import nifti
from medrecon.models.manifest import IntensityKind
from medrecon.models.networks import build_network
from medrecon.train import dataset_labels, find_cases, find_label_maps, read_pair, split_cases
from medrecon.train.plan import intensity_for, network_for, patch_for, survey

GRID = Geometry((6, 5, 4), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0))


def write_case(root: Path, name: str, folders: tuple[str, str] = ("images", "labels")) -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:4] = 3
    for folder in folders:
        (root / folder).mkdir(exist_ok=True)
    nifti.write_volume(Volume(np.full(GRID.shape, 7, np.int16), GRID), root / folders[0] / name)
    nifti.write_labels(LabelMap(labels, GRID, (Label(3, "x"),)), root / folders[1] / name)


def test_folders_of_images_and_labels_are_matched_by_name(tmp_path):
    for n in (3, 1, 2):
        write_case(tmp_path, f"case_{n}.nii.gz")
    assert [c.name for c in find_cases(tmp_path)] == ["case_1", "case_2", "case_3"]
    (tmp_path / "labels/case_2.nii.gz").unlink()
    with pytest.raises(UsageError, match=r"case_2\.nii\.gz has no label map"):
        find_cases(tmp_path)
    assert [c.name for c in find_label_maps(tmp_path)] == ["case_1", "case_3"]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"whole": [1, 2], "core": [2]}, "share a value"),
        ({"Enh A": 3, "enh-a": 4}, "two labels are called"),
        (["background", "x"], "is a list"),
        ({"x": "one"}, "no value"),
    ],
)
def test_labels_that_overlap_or_are_none_are_refused(tmp_path, labels, words):
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    with pytest.raises(UsageError, match=words):
        dataset_labels(tmp_path)


def test_the_folders_of_nnunets_second_format_are_read(tmp_path):
    write_case(tmp_path, "a_0000.nii.gz", ("imagesTr", "labelsTr"))
    (tmp_path / "labelsTr" / "a_0000.nii.gz").rename(tmp_path / "labelsTr" / "a.nii.gz")
    about = {"labels": {"background": 0, "x": 3}, "channel_names": {"0": "CT"}, "numTraining": 1}
    (tmp_path / "dataset.json").write_text(json.dumps(about))
    assert [c.name for c in find_cases(tmp_path)] == ["a"]
    assert dataset_labels(tmp_path) == {"x": (3,)}


def test_a_decathlon_list_is_read_with_its_label_names(tmp_path):
    write_case(tmp_path, "a.nii.gz", ("imagesTr", "labelsTr"))
    rows = [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}]
    labels = {"0": "background", "1": "Anterior", "2": "Posterior part"}
    listed = tmp_path / "dataset.json"
    listed.write_text(json.dumps({"training": rows, "labels": labels}))
    (case,) = find_cases(tmp_path)
    assert case.image == tmp_path / "imagesTr/a.nii.gz"
    assert dataset_labels(tmp_path) == {"anterior": (1,), "posterior_part": (2,)}
    # nnU-Net writes them the other way round, and regions as lists.
    labels = {"background": 0, "organ": [1, 2], "tumour": 3}
    listed.write_text(json.dumps({"training": rows, "labels": labels}))
    assert dataset_labels(tmp_path) == {"organ": (1, 2), "tumour": (3,)}
    listed.write_text(json.dumps({"training": [{"image": "gone.nii.gz", "label": "gone"}]}))
    with pytest.raises(UsageError, match="not there"):
        find_cases(tmp_path)


def test_an_empty_folder_is_no_training_set(tmp_path):
    with pytest.raises(NoSeriesError):
        find_cases(tmp_path)
    with pytest.raises(NoSeriesError):
        find_label_maps(tmp_path)


def test_every_fifth_case_is_held_out_and_the_three_sets_never_meet(tmp_path):
    for n in range(23):
        write_case(tmp_path, f"case_{n:02d}.nii")
    cases = find_cases(tmp_path)
    split = split_cases(cases, "every:5", 3)
    assert [c.name for c in split.held_out] == [f"case_{n:02d}" for n in (0, 5, 10, 15, 20)]
    names = [{c.name for c in part} for part in (split.train, split.validation, split.held_out)]
    assert [len(part) for part in names] == [15, 3, 5]
    assert len(set.union(*names)) == 23
    assert split_cases(list(reversed(cases)), "every:5", 3) == split
    listed = tmp_path / "held_out.txt"
    listed.write_text("case_03\ncase_04\n")
    assert [c.name for c in split_cases(cases, str(listed)).held_out] == ["case_03", "case_04"]
    with pytest.raises(UsageError, match="case_99"):
        split_cases(cases, "case_03,case_99")
    with pytest.raises(UsageError, match="cases are left"):
        split_cases(cases[:2], None, 2)


def test_values_become_labels_and_two_grids_are_refused(tmp_path):
    write_case(tmp_path, "a.nii.gz")
    (case,) = find_cases(tmp_path)
    volume, truth = read_pair(case, [Label(1, "x")], {"x": (3, 4)}, Modality.MR)
    assert volume.acquisition.modality is Modality.MR
    assert truth.array[3, 0, 0] == 1
    assert truth.array[0, 0, 0] == 0
    other = Geometry(GRID.shape, GRID.spacing_mm, (5.0, 0.0, 0.0))
    nifti.write_volume(Volume(np.zeros(GRID.shape, np.int16), other), tmp_path / "images/a.nii.gz")
    with pytest.raises(GeometryError, match="different grids"):
        read_pair(case, [Label(1, "x")], {"x": (3,)}, Modality.MR)


def test_spacing_and_patch_follow_the_images():
    # Slices along x, 3 mm: LPS axes are (k, i, j) of the file.
    sagittal = Geometry((60, 50, 20), (1.0, 1.0, 3.0), (0, 0, 0), ((0, 0, 1), (1, 0, 0), (0, 1, 0)))
    found = survey([sagittal] * 3)
    assert found.spacing_mm == (3.0, 1.0, 1.0)
    assert found.shape == (20, 60, 50)
    # Two halvings: multiples of four.
    assert patch_for(found.shape, 2) == (20, 60, 52)
    # 512 voxels a side do not fit into 64³; the longest side gives way first.
    assert patch_for((512, 64, 64), 3, 64**3) == (64, 64, 64)


def test_ct_gets_a_window_and_mr_its_own_scale():
    hu = np.linspace(-1000, 1000, 120).reshape(GRID.shape).astype(np.float32)
    window = intensity_for(Modality.CT, [Volume(hu, GRID)])
    # The outer half percent on either side is 10 HU.
    assert (window.kind, window.low) == (IntensityKind.WINDOW, pytest.approx(-990, abs=1))
    assert intensity_for(Modality.MR, []).kind is IntensityKind.ZSCORE


def test_an_unknown_network_is_refused():
    with pytest.raises(UsageError, match="UNet or DynUNet"):
        network_for("Transformer", (8, 16), 2)
    with pytest.raises(UsageError, match="at least two"):
        network_for("UNet", (8,), 2)
    with pytest.raises(UsageError, match="2 strides between 2 levels"):
        network_for("UNet", (8, 16), 2, strides=(2, 1))


def test_a_level_may_look_at_its_grid_twice():
    network = build_network(network_for("UNet", (4, 4, 8), 3, strides=(2, 1), residual_units=0))
    assert network(torch.zeros(1, 1, 8, 8, 8)).shape == (1, 3, 8, 8, 8)
