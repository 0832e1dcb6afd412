"""NIfTI out and in, checked by nibabel."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from medrecon.core import Geometry, Volume
from medrecon.errors import (
    GeometryError,
    MissingSpacingError,
    PixelDataError,
    UnreadableInputError,
    UsageError,
)
from medrecon.files.nifti import read_volume, write_volume


@pytest.fixture
def volume() -> Volume:
    q, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = q * (0.7, 0.8, 2.5), (-120, 33, 900)
    array = np.random.default_rng(0).integers(-1000, 3000, (9, 8, 7)).astype(np.int16)
    return Volume(array, Geometry.from_affine(affine, array.shape))


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_an_independent_reader_finds_the_same_voxels_in_the_same_place(volume, tmp_path, name):
    write_volume(volume, tmp_path / name)
    image = nibabel.load(tmp_path / name)
    assert np.array_equal(np.asarray(image.dataobj), volume.array)
    # RAS is LPS with x and y negated; float32 in the header leaves about 1e-7 of 900 mm.
    expected = np.diag([-1, -1, 1, 1]) @ volume.geometry.affine_lps
    assert np.allclose(image.affine, expected, atol=1e-4)
    assert np.allclose(image.get_qform(), expected, atol=1e-3)


def test_reading_back_gives_the_same_volume(volume, tmp_path):
    write_volume(volume, tmp_path / "v.nii.gz")
    again = read_volume(tmp_path / "v.nii.gz")
    assert again.array.dtype == np.int16
    assert np.array_equal(again.array, volume.array)
    assert again.geometry.is_close(volume.geometry)


def test_the_same_voxels_give_the_same_bytes(volume, tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(volume, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def save(tmp_path, array=None, sform=1, qform=1, shift=0.0, units="mm", slope=None, size=2.0):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4) if array is None else array
    image = nibabel.Nifti1Image(array, np.diag([size, size, size, 1.0]))
    moved = np.diag([size, size, size, 1.0])
    moved[0, 3] = shift
    image.set_sform(np.diag([size, size, size, 1.0]), code=sform)
    image.set_qform(moved, code=qform)
    image.header.set_xyzt_units(units)
    if slope is not None:
        image.header.set_slope_inter(*slope)
    nibabel.save(image, tmp_path / "x.nii")
    return tmp_path / "x.nii"


def test_an_image_without_orientation_is_refused(tmp_path):
    with pytest.raises(GeometryError, match="left and right"):
        read_volume(save(tmp_path, sform=0, qform=0))


def test_forms_that_disagree_are_refused(tmp_path):
    with pytest.raises(GeometryError, match="differently"):
        read_volume(save(tmp_path, shift=1.0))


@pytest.mark.parametrize(("stated", "fits"), [(1.0, True), (1.25**0.5, True), (2.0, False)])
def test_a_sheared_grid_may_state_the_step_or_how_far_planes_are_apart(tmp_path, stated, fits):
    # Slices 1 mm apart, each moved by 0.5 mm: a step of √1.25 mm along the slanted axis.
    affine = np.eye(4)
    affine[0, 2] = 0.5
    image = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), None)
    image.set_sform(affine, 1)
    image.set_qform(None, 0)
    image.header["pixdim"][3] = stated
    nibabel.save(image, tmp_path / "sheared.nii")
    if fits:
        assert read_volume(tmp_path / "sheared.nii").geometry.is_sheared
    else:
        with pytest.raises(GeometryError, match="pixdim"):
            read_volume(tmp_path / "sheared.nii")


def test_metres_are_turned_into_millimetres(tmp_path):
    spacing = read_volume(save(tmp_path, units="meter", size=0.002)).geometry.spacing_mm
    assert spacing == pytest.approx((2.0, 2.0, 2.0))


def test_voxels_of_two_metres_are_in_another_unit(tmp_path):
    with pytest.raises(MissingSpacingError, match="unit of length"):
        read_volume(save(tmp_path, units="meter"))


def test_a_series_of_volumes_needs_a_choice(tmp_path):
    array = np.arange(48, dtype=np.int16).reshape(2, 3, 4, 2)
    path = save(tmp_path, array)
    with pytest.raises(UsageError, match="--frame"):
        read_volume(path)
    assert np.array_equal(read_volume(path, frame=2).array, array[..., 1])
    for frame in (0, 3):
        with pytest.raises(UsageError, match=f"frame {frame}"):
            read_volume(path, frame=frame)


def test_a_scaled_image_is_scaled(tmp_path):
    path = save(tmp_path, slope=(0.5, -1000.0))
    stored = np.asarray(nibabel.load(path).dataobj.get_unscaled())
    assert np.allclose(read_volume(path).array, stored * 0.5 - 1000)


def test_a_truncated_file_is_refused(tmp_path):
    path = save(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(PixelDataError):
        read_volume(path)


def test_something_else_is_refused(tmp_path):
    (tmp_path / "x.nii").write_bytes(b"no image" * 100)
    with pytest.raises(UnreadableInputError):
        read_volume(tmp_path / "x.nii")


@pytest.mark.parametrize(("cosine", "slices"), [(0.9e-4, 1500), (1.1e-4, 4), (0.3, 40)])
def test_a_grid_with_any_shear_is_read_back_where_it_was(tmp_path, cosine, slices):
    direction = ((1.0, 0.0, 0.0), (0.0, 1.0, cosine), (0.0, 0.0, (1 - cosine**2) ** 0.5))
    grid = Geometry((4, 4, slices), (0.5, 0.5, 2.0), (-150.0, 150.0, -150.0), direction)
    write_volume(Volume(np.zeros(grid.shape, np.int16), grid), tmp_path / "v.nii.gz")
    found = read_volume(tmp_path / "v.nii.gz").geometry
    assert np.abs(found.corners_mm - grid.corners_mm).max() < 1e-3
