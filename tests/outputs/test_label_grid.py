"""The label map of fields that lie on several grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medrecon.core import Geometry, Label, SoftField
from medrecon.files import nifti
from medrecon.outputs.label_map import paint_labels, write_labels

TURNED = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def cube(label: Label, grid: Geometry) -> SoftField:
    """All but the outermost voxels of a grid."""
    values = np.full(grid.shape, -1, np.float32, order="F")
    values[1:-1, 1:-1, 1:-1] = 1
    return SoftField(label, values, grid)


AXIAL = Geometry((12, 12, 12), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0))
LIVER = cube(Label(1, "liver"), AXIAL)
# Planes along x, none of it within the other's grid, before and beyond it.
CORD = cube(Label(2, "cord"), Geometry((9, 9, 9), (1.0, 1.0, 1.0), (40.0, -30.0, 2.0), TURNED))


def test_fields_beyond_the_grid_are_held_by_a_larger_one(tmp_path: Path) -> None:
    noted = write_labels((LIVER, CORD), AXIAL, tmp_path)
    array, grid = nifti.read_labels(tmp_path / "labels.nii.gz")
    assert noted["grid"] == list(grid.shape)
    assert np.count_nonzero(array == 1) == 10**3
    # 7 mm wide; between its samples of 1 mm the field is positive half-way out.
    held = np.count_nonzero(array == 2) * grid.voxel_volume_mm3
    assert 6**3 < held <= 8**3
    for number, field in ((1, LIVER), (2, CORD)):
        centre = grid.mm_from_index(np.argwhere(array == number)).mean(axis=0)
        assert np.abs(centre - field.geometry.corners_mm.mean(axis=0)).max() < 1.01


def test_fields_within_the_grid_leave_it_as_it_is(tmp_path: Path) -> None:
    inner = cube(Label(2, "cord"), AXIAL.crop((2, 2, 2), (5, 5, 5)))
    assert write_labels((LIVER, inner), AXIAL, tmp_path)["grid"] == [12, 12, 12]


def test_a_field_that_meets_the_grid_nowhere_is_left_out_of_it() -> None:
    assert set(np.unique(paint_labels((LIVER, CORD), AXIAL).array)) == {0, 1}
