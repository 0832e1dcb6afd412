"""A kidney on the wrong side is an error, however the image's axes run."""

from __future__ import annotations

import numpy as np
import pytest

from medrecon.core import Geometry, Label, SoftField
from medrecon.errors import ModelError
from medrecon.segmentation.sides import require_sides

TO_THE_LEFT = Geometry((40, 20, 20), (2, 2, 2), (-40, 0, 0))
TO_THE_RIGHT = Geometry((40, 20, 20), (2, 2, 2), (40, 0, 0), ((-1, 0, 0), (0, 1, 0), (0, 0, 1)))


def block(name: str, grid: Geometry, first: int) -> SoftField:
    values = np.full((6, 6, 6), -1, np.float32)
    values[1:-1, 1:-1, 1:-1] = 1
    return SoftField(Label(1, name), values, grid, (first, 5, 5))


@pytest.mark.parametrize(
    ("grid", "left_at", "right_at"), [(TO_THE_LEFT, 30, 4), (TO_THE_RIGHT, 4, 30)]
)
def test_sides_are_the_patients_not_the_arrays(grid: Geometry, left_at: int, right_at: int) -> None:
    left, right = block("kidney_left", grid, left_at), block("kidney_right", grid, right_at)
    require_sides([left, right])
    swapped = [block("kidney_left", grid, right_at), block("kidney_right", grid, left_at)]
    # 26 voxels of 2 mm apart.
    with pytest.raises(
        ModelError, match="kidney_left was found 52 mm to the right of kidney_right"
    ):
        require_sides(swapped)


def test_a_single_kidney_and_unpaired_labels_pass() -> None:
    require_sides([block("kidney_left", TO_THE_LEFT, 4), block("left_out", TO_THE_LEFT, 4)])
    require_sides([])
