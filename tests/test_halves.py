"""`seg` then `mesh` is `seg+mesh`; and meshes of label maps that others made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's own short name
import trimesh

from medrecon.core import Geometry, Label, LabelMap, Modality, Volume
from medrecon.core.volume import Acquisition, HuStatus
from medrecon.errors import DamagedInputError, GeometryError, NoSeriesError, UsageError
from medrecon.files import nifti
from medrecon.files.label_maps import read_label_map
from medrecon.options import LoadOptions, MeshOptions, Options, OutputOptions, SegmentOptions
from medrecon.pipeline import reconstruct, segment_study
from medrecon.recipes.meshing import mesh_segmented

GRID = Geometry((48, 44, 40), (1.0, 1.0, 1.2), (-20.0, 5.0, 100.0))
QUIET = OutputOptions(preview=False, formats=("stl",))


def distance_to(center: tuple[float, float, float]) -> np.ndarray:
    i, j, k = np.ogrid[:48, :44, :40]
    return np.sqrt((i - center[0]) ** 2 + (j - center[1]) ** 2 + (1.2 * (k - center[2])) ** 2)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bone of radius 10 mm in soft tissue of radius 17, in air, as NIfTI."""
    r = distance_to((24, 22, 20))
    hu = np.where(r < 10, 900, np.where(r < 17, 40, -1000)).astype(np.int16)
    path = tmp_path_factory.mktemp("scan") / "ct.nii.gz"
    nifti.write_volume(Volume(np.asfortranarray(hu), GRID, Acquisition(Modality.CT)), path)
    return path


def options(**mesh: float) -> Options:
    return Options(
        LoadOptions(modality=Modality.CT),
        SegmentOptions(tissues=("skin", "bone")),
        MeshOptions(**mesh),
        QUIET,
    )


def test_the_two_halves_give_the_bytes_of_the_whole(scan, tmp_path):
    whole = reconstruct(scan, output=tmp_path / "whole", options=options())
    segment_study(scan, output=tmp_path / "half", options=options())
    mesh_segmented(tmp_path / "half", output=tmp_path / "other", options=options())
    assert {p.label.name for p in whole.parts} == {"skin", "bone"}
    same = ["statistics.json", "quality.json", "labels.nii.gz", "volume.nii.gz", "labels.tsv"]
    same += ["meshes/skin.stl", "meshes/bone.stl", "fields/skin.nrrd", "fields/bone.nrrd"]
    for name in same:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    quality = json.loads((tmp_path / "whole" / "quality.json").read_text())["meshes"]
    assert [row["self_intersections"] for row in quality.values()] == [0, 0]


def test_the_first_half_holds_no_mesh_and_is_complete(scan, tmp_path):
    run = segment_study(scan, output=tmp_path / "half", options=options())
    assert run.parts == ()
    assert not (tmp_path / "half" / "meshes").exists()
    record = json.loads((tmp_path / "half" / "run.json").read_text())
    listed = set(record["outputs"])
    there = {
        p.relative_to(tmp_path / "half").as_posix()
        for p in (tmp_path / "half").rglob("*")
        if p.is_file() and p.name != "run.json"
    }
    assert listed == there
    assert "fields/bone.nrrd" in listed


def test_meshing_again_at_another_tolerance_needs_no_scan(scan, tmp_path):
    segment_study(scan, output=tmp_path / "half", options=options())
    fine = mesh_segmented(tmp_path / "half", output=tmp_path / "a", options=options())
    coarse = mesh_segmented(
        tmp_path / "half", output=tmp_path / "b", options=options(tolerance_mm=0.4)
    )
    assert len(coarse.parts[1].mesh.faces) < len(fine.parts[1].mesh.faces)


def test_a_label_map_becomes_one_closed_mesh_for_each_number(tmp_path):
    array = np.zeros(GRID.shape, np.uint8)
    array[distance_to((14, 20, 20)) < 8] = 3
    array[distance_to((34, 20, 20)) < 6] = 9
    labels = LabelMap(array, GRID, (Label(3, "a"), Label(9, "b")))
    nifti.write_labels(labels, tmp_path / "seg.nii.gz")
    (tmp_path / "seg.tsv").write_text("index\tname\tcolor\n3\tKidney Left\t#ff0000\n9\tstone\t\n")
    run = mesh_segmented(
        tmp_path / "seg.nii.gz", output=tmp_path / "out", options=Options(output=QUIET)
    )
    assert [p.label.name for p in run.parts] == ["kidney_left", "stone"]
    assert run.parts[0].label.color == (255, 0, 0)
    for part, index in zip(run.parts, (3, 9), strict=True):
        mesh = trimesh.load(tmp_path / "out" / "meshes" / f"{part.label.name}.stl")
        assert mesh.is_watertight
        # A mask over a millilitre keeps its volume to half a per cent before decimation.
        held = np.count_nonzero(array == index) * GRID.voxel_volume_mm3
        assert mesh.volume == pytest.approx(held, rel=0.01 if held > 1000 else 0.02)
    assert not (tmp_path / "out" / "volume.nii.gz").exists()


def test_a_folder_of_masks_is_named_by_its_files_and_may_overlap(tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    for name, radius in (("liver", 12), ("tumor", 5), ("absent", 0)):
        array = (distance_to((24, 22, 20)) < radius).astype(np.uint8)
        nifti.write_labels(LabelMap(array, GRID, (Label(1, "x"),)), folder / f"{name}.nii.gz")
    run = mesh_segmented(folder, output=tmp_path / "out", options=Options(output=QUIET))
    assert [p.label.name for p in run.parts] == ["liver", "tumor"]
    assert len({p.label.index for p in run.parts}) == 2


def test_masks_on_different_grids_and_empty_ones_are_refused(tmp_path):
    a, b, none = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    for folder in (a, b, none):
        folder.mkdir()
    ones = np.ones((4, 4, 4), np.uint8)
    here = Geometry((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    there = Geometry((4, 4, 4), (1.0, 1.0, 1.0), (9.0, 0.0, 0.0))
    nifti.write_labels(LabelMap(ones, here, (Label(1, "x"),)), a / "one.nii.gz")
    nifti.write_labels(LabelMap(ones, there, (Label(1, "x"),)), a / "two.nii.gz")
    with pytest.raises(GeometryError):
        mesh_segmented(a, output=tmp_path / "out")
    nifti.write_labels(LabelMap(ones * 0, here, ()), b / "none.nii.gz")
    with pytest.raises(NoSeriesError):
        mesh_segmented(b, output=tmp_path / "out")
    with pytest.raises(DamagedInputError):
        mesh_segmented(b / "none.nii.gz", output=tmp_path / "out")
    with pytest.raises(NoSeriesError):
        mesh_segmented(none, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_that_are_not_there_and_runs_without_fields_are_usage_errors(scan, tmp_path):
    segment_study(scan, output=tmp_path / "half", options=options())
    with pytest.raises(UsageError, match="--labels liver: no such structure"):
        mesh_segmented(
            tmp_path / "half",
            output=tmp_path / "out",
            options=Options(segment=SegmentOptions(labels=("liver",))),
        )
    bare = Options(
        LoadOptions(modality=Modality.CT),
        SegmentOptions(tissues=("bone",)),
        output=OutputOptions(preview=False, formats=(), fields=False),
    )
    reconstruct(scan, output=tmp_path / "bare", options=bare)
    assert not (tmp_path / "bare" / "fields").exists()
    with pytest.raises(UsageError, match="kept no fields"):
        mesh_segmented(tmp_path / "bare", output=tmp_path / "out")


def test_slicers_colour_table_and_nrrd_are_read(tmp_path):
    array = np.zeros((6, 5, 4), np.uint8)
    array[2:4, 2, 1] = 2
    image = sitk.GetImageFromArray(array.T)
    sitk.WriteImage(image, str(tmp_path / "x.nrrd"))
    (tmp_path / "x.ctbl").write_text("# Color table\n0 background 0 0 0 0\n2 left rib 1 2 3 255\n")
    labels = read_label_map(tmp_path / "x.nrrd")
    assert labels.labels == (Label(2, "left_rib", (1, 2, 3)),)
    assert np.array_equal(labels.array, array)


def test_values_of_a_ct_verified_in_the_first_half_are_known_in_the_second(scan, tmp_path):
    run = segment_study(scan, output=tmp_path / "half", options=options())
    assert run.parts == ()
    again = mesh_segmented(tmp_path / "half", output=tmp_path / "out", options=options())
    bone = next(p for p in again.parts if p.label.name == "bone")
    assert bone.observed.mean_hu == pytest.approx(900, abs=60)
    assert (
        HuStatus.VERIFIED.value
        == json.loads((tmp_path / "out" / "run.json").read_text())["volume"]["hu"]
    )
