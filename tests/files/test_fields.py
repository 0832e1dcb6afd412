"""Fields come back bit for bit, and damage is told."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's own short name

from medrecon.core import Geometry, Label, SnomedCode, SoftField
from medrecon.core.band import REACH_VOXELS, flattened
from medrecon.errors import DamagedInputError, UnreadableInputError
from medrecon.files.fields import read_field, write_field

# A rotation about z by 20°: numbers that no decimal notation holds exactly.
C, S = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
GRID = Geometry(
    (20, 18, 16),
    (0.7, 0.7, 1.3),
    (0.1, -7.3, 1e3 / 3),
    ((C, -S, 0.0), (S, C, 0.0), (0.0, 0.0, 1.0)),
)
LABEL = Label(
    7, "kidney_left", (10, 20, 30), SnomedCode("18639004", "Left kidney"), True, ("tumor",)
)


def ball(dtype: type, radius: float = 4.0) -> SoftField:
    i, j, k = np.ogrid[:12, :11, :10]
    values = (radius - np.sqrt((i - 6) ** 2 + (j - 5) ** 2 + (k - 5) ** 2)) * 100 + 0.5
    return SoftField(LABEL, np.asfortranarray(values.astype(dtype)), GRID, (3, 4, 5))


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("masked", [False, True])
def test_a_field_comes_back_bit_for_bit(tmp_path, dtype, masked):
    field = ball(dtype)
    mask = np.zeros(field.values.shape, bool)
    mask[:, :, :2] = True
    if masked:
        field = SoftField(LABEL, field.values, GRID, field.start, mask)
    write_field(field, tmp_path / "f.nrrd")
    back = read_field(tmp_path / "f.nrrd")
    assert back.values.dtype == dtype
    assert np.array_equal(back.values, field.values)
    assert (back.label, back.grid, back.start) == (LABEL, GRID, (3, 4, 5))
    assert (back.unmeasured is not None) == masked
    assert not masked or np.array_equal(back.unmeasured, mask)


def test_another_reader_finds_the_block_where_it_is(tmp_path):
    field = ball(np.int16)
    write_field(field, tmp_path / "f.nrrd")
    image = sitk.ReadImage(str(tmp_path / "f.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(image).T, field.values)
    corner = image.TransformIndexToPhysicalPoint((11, 10, 9))
    assert np.allclose(corner, GRID.mm_from_index([[14, 14, 14]])[0], atol=1e-9)


def test_the_same_field_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_field(ball(np.float32), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_field_cut_short_is_damaged_and_another_file_is_none(tmp_path):
    write_field(ball(np.int16), tmp_path / "f.nrrd")
    whole = (tmp_path / "f.nrrd").read_bytes()
    (tmp_path / "cut.nrrd").write_bytes(whole[:-40])
    with pytest.raises(DamagedInputError):
        read_field(tmp_path / "cut.nrrd")
    (tmp_path / "other.nrrd").write_bytes(b"solid cube")
    with pytest.raises(UnreadableInputError):
        read_field(tmp_path / "other.nrrd")


def test_flattening_touches_nothing_near_the_surface_and_no_sign():
    noise = np.random.default_rng(3)
    i, j, k = np.ogrid[:41, :38, :35]
    values = (15 - np.sqrt((i - 20) ** 2 + (j - 19) ** 2 + (k - 17) ** 2)) * 100
    values = values + noise.uniform(-40, 40, values.shape)
    grid = Geometry((41, 38, 35), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    odd = 2 * np.round(values).astype(np.int16) + 1
    field = SoftField(LABEL, np.asfortranarray(odd), grid)
    flat = flattened(field)
    assert np.array_equal(flat.values > 0, field.values > 0)
    changed = np.argwhere(flat.values != field.values)
    # The ball's surface lies at 15 voxels from its middle, noise moves it by less than one.
    distance = np.abs(np.linalg.norm(changed - (20, 19, 17), axis=1) - 15)
    assert distance.min() >= REACH_VOXELS - 1
    assert len(changed) > 0.15 * field.values.size
    assert len(np.unique(flat.values[tuple(changed.T)])) == 2
