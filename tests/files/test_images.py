"""NRRD and MetaImage in, with the traps of their headers."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's own short name

from medrecon.core import HuStatus, Modality
from medrecon.errors import GeometryError, PixelDataError, UnreadableInputError, UsageError
from medrecon.files.images import is_image_file, read_image

SUFFIXES = (".nrrd", ".mha", ".nii.gz")


def oblique_image(array: np.ndarray, *, left_handed: bool = False) -> sitk.Image:
    """An image (k, j, i) on a rotated grid; its physical space is LPS."""
    q, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    if (np.linalg.det(q) < 0) != left_handed:
        q[:, 2] *= -1
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-100.0, 20.0, 300.0))
    image.SetDirection(q.ravel().tolist())
    return image


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("left_handed", [False, True])
def test_every_format_gives_the_same_voxels_in_the_same_place(tmp_path, suffix, left_handed):
    array = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    image = oblique_image(array, left_handed=left_handed)
    path = tmp_path / f"v{suffix}"
    sitk.WriteImage(image, str(path))
    assert is_image_file(path)
    volume = read_image(path, modality=Modality.CT)
    assert np.array_equal(volume.array, array.T)
    assert volume.geometry.is_left_handed is left_handed
    # Array axes are (i, j, k) = (3, 2, 1): the corner that an independent library places.
    corner = image.TransformIndexToPhysicalPoint((3, 2, 1))
    assert np.allclose(volume.geometry.mm_from_index([[3, 2, 1]])[0], corner, atol=1e-3)


def test_what_the_image_is_must_be_said(tmp_path):
    path = tmp_path / "v.nrrd"
    sitk.WriteImage(oblique_image(np.zeros((3, 3, 3), np.int16)), str(path))
    assert read_image(path).acquisition.hu is HuStatus.NOT_CT
    assert read_image(path, modality=Modality.CT).acquisition.hu is HuStatus.VERIFIED
    assert read_image(path, modality=Modality.MR).acquisition.modality is Modality.MR


def test_a_series_of_volumes_needs_a_choice(tmp_path):
    frames = [sitk.GetImageFromArray(np.full((3, 3, 3), n, np.int16)) for n in (7, 9)]
    path = tmp_path / "v.nrrd"
    sitk.WriteImage(sitk.JoinSeries(frames), str(path))
    with pytest.raises(UsageError, match="--frame"):
        read_image(path)
    assert (read_image(path, frame=2).array == 9).all()
    for frame in (0, 3):
        with pytest.raises(UsageError, match=f"no frame {frame} of 2"):
            read_image(path, frame=frame)


def test_colour_and_undefined_values_are_refused(tmp_path):
    colour = sitk.GetImageFromArray(np.zeros((3, 3, 3, 3), np.uint8), isVector=True)
    sitk.WriteImage(colour, str(tmp_path / "c.mha"))
    with pytest.raises(GeometryError, match="colour"):
        read_image(tmp_path / "c.mha")
    undefined = np.zeros((3, 3, 3), np.float32)
    undefined[1, 1, 1] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(undefined), str(tmp_path / "n.nrrd"))
    with pytest.raises(PixelDataError, match="finite"):
        read_image(tmp_path / "n.nrrd")


def test_something_else_is_refused_without_its_name(tmp_path):
    path = tmp_path / "Doe^Jane.nrrd"
    path.write_bytes(b"no image")
    with pytest.raises(UnreadableInputError) as refusal:
        read_image(path)
    assert "Doe" not in str(refusal.value)
