"""The short functions of `import medrecon as mr`: what they take and what they refuse."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import medrecon as mr
from medrecon.core import (
    Acquisition,
    Geometry,
    HuStatus,
    Label,
    Modality,
    Segmentation,
    SliceStack,
    SoftField,
    Volume,
)
from medrecon.dicom.write_ct import write_ct_series
from medrecon.errors import UsageError
from medrecon.files import nifti
from medrecon.options import LoadOptions, MeshOptions, Options, OutputOptions, SegmentOptions
from medrecon.pipeline import segment_study

GRID = Geometry((40, 38, 36), (1.0, 1.0, 1.0), (-20.0, -19.0, -18.0))
BONE = Options(
    LoadOptions(modality=Modality.CT),
    SegmentOptions(tissues=("bone",)),
    output=OutputOptions(preview=False, formats=("stl",)),
)
NO_LENGTHS = (math.nan, math.inf, -math.inf, -0.1)


def distance_mm() -> np.ndarray:
    i, j, k = np.ogrid[:40, :38, :36]
    return np.sqrt((i - 20) ** 2 + (j - 19) ** 2 + (k - 18) ** 2)


def scan_of_a_ball() -> Volume:
    """Bone of 9 mm in soft tissue of 15 in air."""
    r = distance_mm()
    hu = np.where(r < 9, 900, np.where(r < 15, 40, -1000)).astype(np.int16)
    return Volume(np.asfortranarray(hu), GRID, Acquisition(Modality.CT, HuStatus.VERIFIED))


def field_of_a_ball() -> Segmentation:
    values = np.asfortranarray((9.3 - distance_mm()).astype(np.float32))
    field = SoftField(Label(1, "ball"), values, GRID)
    return Segmentation(GRID, (field,), "test")


def irregular_stack() -> SliceStack:
    """x + 2 y + 3 z at slices 1, 2 and 1 mm apart, pixels of 0.8 and 1 mm."""
    heights = np.array([0.0, 1.0, 3.0, 4.0])
    i, j = np.ogrid[:6, :5]
    planes = [0.8 * i + 2.0 * j + 3.0 * z for z in heights]
    array = np.asfortranarray(np.stack(planes, axis=2).astype(np.float32))
    positions = np.stack([np.zeros(4), np.zeros(4), heights], axis=1)
    return SliceStack(array, positions, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.8, 1.0))


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_text_or_a_path(tmp_path, kind):
    nifti.write_volume(scan_of_a_ball(), tmp_path / "ct.nii.gz")
    run = mr.reconstruct(
        kind(tmp_path / "ct.nii.gz"), output=kind(tmp_path / "whole"), options=BONE
    )
    assert run.folder == tmp_path / "whole"
    assert [p.label.name for p in run.parts] == ["bone"]
    half = segment_study(kind(tmp_path / "ct.nii.gz"), output=kind(tmp_path / "half"), options=BONE)
    assert half.folder == tmp_path / "half"


@pytest.mark.parametrize("kind", [str, Path])
def test_several_paths_are_text_or_paths(tmp_path, kind):
    files = [kind(p) for p in write_ct_series(scan_of_a_ball(), tmp_path / "in")]
    (series,) = mr.scan(files).series
    assert mr.read(series).array.shape == GRID.shape
    assert mr.reconstruct(files, output=kind(tmp_path / "out"), options=BONE).parts


def test_slices_that_make_no_grid_are_resampled_from_their_true_positions():
    volume = mr.resample(irregular_stack(), spacing_mm=0.5)
    index = np.indices(volume.geometry.shape).reshape(3, -1).T
    truth = volume.geometry.mm_from_index(index) @ (1.0, 2.0, 3.0)
    measured = np.ones(len(index), bool)
    if volume.unmeasured is not None:
        measured = ~np.broadcast_to(volume.unmeasured, volume.array.shape).reshape(-1)
    # The last pixel centre along i lies at 4.0 mm: every sample is between centres.
    assert measured.mean() > 0.9
    assert np.abs(volume.array.reshape(-1) - truth)[measured].max() < 1e-4


def test_slices_that_make_no_grid_are_not_segmented_but_told_where_to_go():
    with pytest.raises(UsageError, match=r"4 slices .* medrecon\.resample\(stack, spacing_mm=0\.8"):
        mr.segment(irregular_stack(), tissues=("bone",))


@pytest.mark.parametrize("spacing_mm", [0.0, *NO_LENGTHS])
def test_a_spacing_that_is_none_is_refused(spacing_mm):
    for image in (scan_of_a_ball(), irregular_stack()):
        with pytest.raises(UsageError, match=r"spacing_mm = .*; a finite number of mm above 0"):
            mr.resample(image, spacing_mm=spacing_mm)
    with pytest.raises(UsageError, match="spacing = "):
        OutputOptions(spacing=spacing_mm)


@pytest.mark.parametrize("tolerance_mm", NO_LENGTHS)
def test_a_tolerance_that_is_none_is_refused(tolerance_mm):
    with pytest.raises(UsageError, match=r"tolerance_mm = .*; a finite number of mm from 0 up"):
        mr.extract_surfaces(field_of_a_ball(), tolerance_mm=tolerance_mm)


def test_a_tolerance_of_0_leaves_every_triangle():
    (full,) = mr.extract_surfaces(field_of_a_ball(), tolerance_mm=0)
    (fewer,) = mr.extract_surfaces(field_of_a_ball(), tolerance_mm=0.1)
    assert len(fewer.faces) < len(full.faces)


@pytest.mark.parametrize("name", ["tolerance_mm", "accept_mm"])
@pytest.mark.parametrize("value", NO_LENGTHS)
def test_lengths_of_meshing_that_are_none_are_refused(name, value):
    with pytest.raises(UsageError, match=f"{name} = "):
        MeshOptions(**{name: value})


@pytest.mark.parametrize("target", [3, -1, math.nan, math.inf])
def test_a_target_that_is_no_number_of_triangles_is_refused(target):
    with pytest.raises(UsageError, match=r"target_faces = .*; at least 4"):
        MeshOptions(target_faces=target)
    assert MeshOptions(target_faces=4, accept_mm=0, tolerance_mm=0).target_faces == 4
