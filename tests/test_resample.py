"""Voxel centre on voxel centre: linear functions come through exactly."""

from __future__ import annotations

import numpy as np
import pytest

from medrecon.core import Acquisition, Geometry, Label, Modality, SliceStack, SoftField, Volume
from medrecon.errors import GeometryError
from medrecon.resampling import (
    Order,
    inside_slabs,
    resample_field,
    resample_volume,
    stack_geometry,
    stack_onto,
    to_isotropic,
)

SLOPE = np.array([3.0, -5.0, 7.0])


def ramp_on(geometry: Geometry) -> Volume:
    """The linear function SLOPE · position in mm."""
    index = np.indices(geometry.shape).reshape(3, -1).T
    values = geometry.mm_from_index(index) @ SLOPE
    return Volume(values.reshape(geometry.shape).astype(np.float32), geometry)


def oblique(shape=(20, 21, 22), spacing=(0.7, 0.8, 2.0)) -> Geometry:
    q, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = q * spacing, (11, -7, 5)
    return Geometry.from_affine(affine, shape)


@pytest.mark.parametrize("order", list(Order))
def test_a_linear_function_is_interpolated_exactly(order):
    source = ramp_on(oblique())
    result = to_isotropic(source, 0.9, order)
    index = np.indices(result.geometry.shape).reshape(3, -1).T
    mm = result.geometry.mm_from_index(index)
    old = source.geometry.index_from_mm(mm)
    # Catmull-Rom reproduces a line only where all four neighbours exist.
    margin = 1 if order is Order.CUBIC else 0
    inside = ((old >= margin) & (old <= np.array(source.geometry.shape) - 1 - margin)).all(axis=1)
    assert inside.mean() > 0.5
    error = np.abs(result.array.reshape(-1)[inside] - (mm @ SLOPE)[inside])
    assert error.max() < 1e-3


def test_resampling_to_ones_own_grid_changes_nothing():
    rng = np.random.default_rng(0)
    g = oblique()
    v = Volume(rng.integers(-1000, 3000, g.shape).astype(np.int16), g)
    assert np.array_equal(resample_volume(v, g).array, v.array)


def test_integers_are_rounded_to_the_nearest_not_truncated():
    g = Geometry((2, 1, 1), (1.0, 1.0, 1.0), (0, 0, 0))
    v = Volume(np.array([-3, 0], np.int16).reshape(2, 1, 1), g)
    # Half way lies −1.5; three quarters of the way −0.75, which truncation would make 0.
    result = resample_volume(v, Geometry((1, 1, 1), (1.0, 1.0, 1.0), (0.75, 0, 0)))
    assert result.array[0, 0, 0] == -1


def test_what_lies_outside_is_air_and_marked_unmeasured():
    g = Geometry((4, 4, 4), (1.0, 1.0, 1.0), (0, 0, 0))
    v = Volume(np.full(g.shape, 50, np.int16), g, Acquisition(Modality.CT))
    result = resample_volume(v, g.crop((-4, 0, 0), (8, 4, 4)))
    assert result.array[0, 0, 0] == -1000
    assert result.unmeasured is not None
    assert result.unmeasured[:2].all()
    assert not result.unmeasured[4:].any()


def test_a_field_keeps_its_zero_where_it_was():
    g = Geometry((12, 12, 12), (2.0, 2.0, 2.0), (0, 0, 0))
    x = np.indices((6, 8, 8))[0] + 3  # block starts at i = 3
    field = SoftField(Label(1, "a"), (x - 5.3).astype(np.float32), g, (3, 2, 2))
    fine = Geometry((48, 48, 48), (0.5, 0.5, 0.5), (0, 0, 0))
    values, start = resample_field(field, fine)
    # Zero at i = 5.3 voxels of 2 mm = 10.6 mm: between the samples at 10.5 and 11.0 mm.
    row = values[:, 8, 8]
    first = int(np.argmax(row > 0)) + start[0]
    assert first * 0.5 == pytest.approx(11.0)


def shifted_stack(steps_mm: list[float], shift_mm: float, dtype=np.float32) -> SliceStack:
    """Slices of the ramp with irregular steps, each shifted along j against the last."""
    z = np.concatenate([[0.0], np.cumsum(steps_mm)])
    positions = np.stack([np.zeros_like(z), np.arange(len(z)) * shift_mm, z], axis=1)
    i, j = np.meshgrid(np.arange(24) * 0.8, np.arange(30) * 0.9, indexing="ij")
    planes = [SLOPE @ p + SLOPE[0] * i + SLOPE[1] * j for p in positions]
    array = np.stack(planes, axis=2).astype(dtype)
    return SliceStack(array, positions, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.8, 0.9))


def test_a_tilted_irregular_stack_is_put_right_in_one_interpolation():
    stack = shifted_stack([2.0, 3.0, 1.5, 4.0, 2.0], shift_mm=0.7)
    volume = stack_onto(stack, stack_geometry(stack, 0.6))
    index = np.indices(volume.geometry.shape).reshape(3, -1).T
    truth = (volume.geometry.mm_from_index(index) @ SLOPE).reshape(volume.geometry.shape)
    assert volume.unmeasured is not None
    measured = ~volume.unmeasured
    # Tilt leaves two wedges without data: 3.5 mm of 29.6 mm at either end, half each.
    assert 0.8 < measured.mean() < 0.95
    # Pixels repeat their edge for half a pixel: SLOPE · 0.45 mm at the rim, exact inside.
    inner = measured.copy()
    inner[[0, -1]] = False
    error = np.abs(volume.array - truth)
    assert np.quantile(error[inner], 0.9) < 1e-3
    assert error[measured].max() < 5 * 0.45 + 3 * 0.4 + 0.1


def test_a_filled_gap_is_marked_unmeasured():
    stack = shifted_stack([1.0, 5.0, 1.0], shift_mm=0.0)
    stack = SliceStack(
        stack.array,
        stack.positions_mm,
        stack.row_direction,
        stack.column_direction,
        stack.pixel_spacing_mm,
        filled_gaps_mm=((1.0, 6.0),),
    )
    volume = stack_onto(stack, stack_geometry(stack, 1.0))
    assert volume.unmeasured is not None
    # Slices at 0, 1, 6, 7 mm: the planes at 2–5 mm lie inside the gap.
    assert volume.unmeasured.all(axis=(0, 1)).tolist() == [0, 0, 1, 1, 1, 1, 0, 0]


def test_a_stack_refuses_a_grid_in_another_frame():
    stack = shifted_stack([1.0, 1.0], shift_mm=0.0)
    with pytest.raises(GeometryError):
        stack_onto(stack, oblique())


@pytest.mark.parametrize("first_mm", [-60.0, 60.0])
def test_a_field_beside_a_grid_is_outside_all_over_it(first_mm):
    far = Geometry((6, 6, 6), (2.0, 2.0, 2.0), (first_mm, 0, 0))
    field = SoftField(Label(1, "a"), np.ones(far.shape, np.float32), far)
    grid = Geometry((8, 8, 8), (1.0, 1.0, 1.0), (0, 0, 0))
    values, start = resample_field(field, grid)
    assert (values < 0).all()
    for s, n, size in zip(start, values.shape, grid.shape, strict=True):
        assert 0 <= s < s + n <= size
    assert not any(inside.any() for _, inside in inside_slabs(field, grid))
