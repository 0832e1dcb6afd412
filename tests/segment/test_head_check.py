"""A brain in a skull is a head; a brain of any other kind is refused, with the reason."""

from __future__ import annotations

import numpy as np
import pytest

from medrecon.core import Geometry, SoftField, away_from_zero, label
from medrecon.errors import ModelUntrustedError
from medrecon.segmentation.head_check import near_bone, require_head

GRID = Geometry((60, 60, 60), (4.0, 4.0, 4.0), (-118.0, -118.0, -118.0))


def ball(name: str, low_mm: float, high_mm: float, x_mm: float = 0.0) -> SoftField:
    """Between two radii."""
    points = GRID.mm_from_index(np.indices(GRID.shape).reshape(3, -1).T) - (x_mm, 0, 0)
    r = np.linalg.norm(points, axis=1).reshape(GRID.shape)
    depth = np.minimum(high_mm - r, r - low_mm).astype(np.float32)
    return SoftField(label(name), away_from_zero(depth), GRID)


def long_brain() -> SoftField:
    """An ellipsoid of 1,354 mL: half axes of 114, 54 and 52.5 mm."""
    points = GRID.mm_from_index(np.indices(GRID.shape).reshape(3, -1).T) / (54, 52.5, 114)
    depth = 1 - np.linalg.norm(points, axis=1).reshape(GRID.shape)
    return SoftField(label("brain"), away_from_zero(depth.astype(np.float32)), GRID)


def test_a_brain_in_a_skull_passes():
    # 4/3·π·68³ = 1317 mL, its surface 4 mm from a shell of bone.
    brain, skull = ball("brain", -1, 68), ball("skull", 72, 80)
    assert near_bone(brain, skull) == 1.0
    require_head([brain, skull, ball("ventricles", -1, 20)])


def test_a_part_of_a_brain_needs_no_ventricles():
    # 4/3·π·50³ = 524 mL: a scan that ends below them.
    require_head([ball("brain", -1, 50), ball("skull", 54, 60)])


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ([ball("skull", 72, 80)], "no brain"),
        ([ball("brain", -1, 68)], "no skull"),
        # 4/3·π·30³ = 113 mL; 4/3·π·85³ = 2572 mL.
        ([ball("brain", -1, 30), ball("skull", 34, 40)], "a brain of 11"),
        ([ball("brain", -1, 85), ball("skull", 86, 92)], "a brain of 25"),
        # Muscles around a thigh bone: 1317 mL; 4/3·π·9³ = 3 mL.
        ([ball("brain", -1, 68), ball("skull", 72, 80)], "ventricles of 0 mL in a brain of 13"),
        (
            [ball("brain", -1, 68), ball("skull", 72, 80), ball("ventricles", -1, 9)],
            "ventricles of [1-4] mL",
        ),
        # Two thighs end to end, with something dark in each.
        (
            [long_brain(), ball("skull", 72, 80), ball("ventricles", -1, 20)],
            "a brain 2[23]. mm long, 220 mm at most",
        ),
        # Muscles around a bone, which a network calls one brain.
        (
            [ball("brain", 40, 70), ball("skull", 72, 80), ball("ventricles", -1, 20)],
            "fills 70 % of its ellipsoid, at least 90 %",
        ),
        # Something dark at the edge of a muscle.
        (
            [ball("brain", -1, 68), ball("skull", 72, 80), ball("ventricles", -1, 20, 42.0)],
            "[1-6]. % of the ventricles lie in the brain's middle, at least 80 %",
        ),
        # A liver beside a spine: little of its surface has bone near.
        (
            [
                ball("brain", -1, 60, 20.0),
                ball("skull", -1, 15, -70.0),
                ball("ventricles", -1, 20, 20.0),
            ],
            "% of the brain's surface",
        ),
    ],
)
def test_anything_else_is_refused_with_the_reason(fields: list[SoftField], why: str) -> None:
    with pytest.raises(ModelUntrustedError, match=why) as caught:
        require_head(fields)
    assert "no head" in str(caught.value)
