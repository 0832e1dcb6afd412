"""A structure that ends where the scan ends says so."""

from __future__ import annotations

import numpy as np

from medrecon.core import Geometry, Label, SoftField, Volume
from medrecon.quality.truncation import crosses_filled_gap, is_truncated

GRID = Geometry((12, 10, 8), (1.0, 1.0, 1.0), (0, 0, 0))


def block(low: tuple[int, int, int], high: tuple[int, int, int]) -> SoftField:
    """A box of voxels inside, on the whole grid."""
    values = np.full(GRID.shape, -1.0, np.float32)
    values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1.0
    return SoftField(Label(1, "a"), values, GRID)


def image(unmeasured: np.ndarray | None = None) -> Volume:
    return Volume(np.zeros(GRID.shape, np.int16), GRID, unmeasured=unmeasured)


def test_a_structure_inside_is_whole_and_one_at_any_border_is_not():
    assert not is_truncated(block((1, 1, 1), (11, 9, 7)), image())
    for axis in range(3):
        low, high = [1, 1, 1], [11, 9, 7]
        low[axis] = 0
        assert is_truncated(block(tuple(low), tuple(high)), image())
        low[axis], high[axis] = 1, GRID.shape[axis]
        assert is_truncated(block(tuple(low), tuple(high)), image())


def test_a_cropped_field_knows_that_its_block_is_not_the_border():
    inner = SoftField(Label(1, "a"), np.ones((3, 3, 3), np.float32), GRID, (4, 4, 3))
    assert not is_truncated(inner, image())
    corner = SoftField(Label(1, "a"), np.ones((3, 3, 3), np.float32), GRID, (9, 4, 3))
    assert is_truncated(corner, image())


def test_the_reconstruction_circle_truncates():
    circle = np.zeros((12, 10, 1), np.bool_)
    circle[:2] = True
    assert is_truncated(block((2, 3, 3), (5, 6, 6)), image(circle))
    assert not is_truncated(block((3, 3, 3), (5, 6, 6)), image(circle))


def test_only_a_surface_in_whole_missing_slices_crosses_a_gap():
    gap = np.zeros((1, 1, 8), np.bool_)
    gap[..., 3:5] = True
    full = np.broadcast_to(gap, GRID.shape)
    assert crosses_filled_gap(block((2, 2, 2), (5, 5, 6)), image(full))
    assert not crosses_filled_gap(block((2, 2, 5), (5, 5, 7)), image(full))
    assert not crosses_filled_gap(block((2, 2, 2), (5, 5, 6)), image())
