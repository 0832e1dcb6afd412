"""Bone: solid, every fragment, nothing joined, no vessel, no table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scenes import Shape, ball, box, ct, grid, rod, shell, torso, truth
from scipy import ndimage

from medrecon.core import Geometry, Segmentation, Volume
from medrecon.segmentation.tissues import TissueSegmenter

GRID = grid((104, 100, 48))
BODY = torso(48, 44)


def bone_of(volume: Volume) -> Segmentation:
    return TissueSegmenter(["bone"]).segment(volume)


def mask_of(found: Segmentation) -> npt.NDArray[np.bool_]:
    (field,) = found.fields
    out = np.zeros(field.grid.shape, dtype=bool)
    out[field.slices] = field.values > 0
    return out


def pieces(mask: npt.NDArray[np.bool_]) -> int:
    return int(ndimage.label(mask, np.ones((3, 3, 3)))[1])


def walled(solid: Shape, marrow_hu: float, thickness: float = 3.0) -> list[tuple[Shape, float]]:
    outer, inner = shell(solid, thickness)
    return [(outer, 1200.0), (inner, marrow_hu)]


@pytest.mark.parametrize("marrow_hu", [-80.0, 120.0])
def test_the_marrow_of_a_shaft_that_leaves_the_scan_is_filled(marrow_hu: float) -> None:
    shaft = rod(5, 3, 13)
    found = mask_of(bone_of(ct(GRID, [*BODY, *walled(shaft, marrow_hu, 4)])))
    middle = truth(GRID, rod(5, 3, 12))
    assert found[middle].mean() > 0.999


def test_the_marrow_of_a_closed_bone_is_filled_whatever_its_value() -> None:
    head = ball((0, 0, 0), 15)
    found = mask_of(bone_of(ct(GRID, [*BODY, *walled(head, 30.0)])))
    assert found[truth(GRID, ball((0, 0, 0), 14))].all()


def test_a_canal_that_leaves_a_column_of_bone_stays_open() -> None:
    # A vertebra: a body in front, a canal of 16 mm behind it in a ring, processes aside.
    column: list[tuple[Shape, float]] = [
        (rod(0, -12, 14), 1100.0),
        (rod(0, -12, 11), 180.0),
        (rod(0, 9, 13), 1100.0),
        (box((-32, 6, -99), (32, 12, 99)), 1100.0),
        (rod(0, 9, 8), 30.0),
    ]
    found = mask_of(bone_of(ct(GRID, [*BODY, *column])))
    assert not found[truth(GRID, rod(0, 9, 6))].any()
    assert found[truth(GRID, rod(0, -12, 13))].mean() > 0.999


def test_air_in_a_sinus_is_not_filled() -> None:
    sinus = ball((0, 0, 0), 15)
    found = mask_of(bone_of(ct(GRID, [*BODY, *walled(sinus, -1000.0)])))
    assert not found[truth(GRID, ball((0, 0, 0), 10))].any()


def test_a_fracture_stays_open_and_both_fragments_are_kept() -> None:
    # A hollow shaft along z, cut by a gap of 3 mm filled with blood.
    shaft = rod(0, 0, 13)
    gap = box((-20, -20, -1.5), (20, 20, 1.5))
    scene = [*BODY, *walled(shaft, 60.0, 4), (gap, 55.0)]
    found = mask_of(bone_of(ct(GRID, scene)))
    assert pieces(found) == 2
    assert not found[:, :, 23:25].any()


def test_two_bones_beside_each_other_stay_two() -> None:
    # Two balls with 3 mm between them: a joint.
    left, right = ball((-16, 0, 0), 14), ball((15, 0, 0), 14)
    scene = [*BODY, *walled(left, 100.0), *walled(right, 100.0)]
    found = mask_of(bone_of(ct(GRID, scene)))
    assert pieces(found) == 2
    for one in (left, right):
        assert found[truth(GRID, lambda x, y, z, one=one: one(x, y, z) - 1)].all()


def test_a_disc_between_two_vertebrae_is_not_bone() -> None:
    # Two drums with a disc of 6 mm and 85 HU between them, joined by an arch behind.
    def drum(z0: float, z1: float) -> Shape:
        ends = box((-99, -99, z0), (99, 99, z1))
        return lambda x, y, z: np.minimum(rod(0, -5, 18)(x, y, z), ends(x, y, z))

    arch = box((-5, 12, -25), (5, 18, 25))
    scene = [*BODY, (rod(0, -5, 17), 85.0), (box((-99, -99, 25), (99, 99, 99)), 50.0)]
    scene += [(box((-99, -99, -99), (99, 99, -25)), 50.0)]
    body = [(s, h) for s, h in scene if h != 50.0] + [*walled(drum(3, 25), 150.0, 2)]
    body += [*walled(drum(-25, -3), 150.0, 2), (arch, 1100.0)]
    found = mask_of(bone_of(ct(GRID, body)))
    disc = truth(GRID, box((-9, -14, -1.2), (9, 4, 1.2)))
    assert not found[disc].any()


@pytest.mark.parametrize("contrast_hu", [250.0, 320.0, 450.0])
def test_a_contrast_filled_aorta_against_the_spine_is_left_out(contrast_hu: float) -> None:
    spine, aorta = rod(0, 12, 16), rod(0, -17, 12)  # 1 mm apart: they touch in the image
    scene = [*BODY, (aorta, contrast_hu), *walled(spine, 180.0)]
    found = bone_of(ct(GRID, scene))
    mask = mask_of(found)
    assert mask[truth(GRID, rod(0, -17, 10))].mean() < 0.01
    assert mask[truth(GRID, rod(0, 12, 15))].mean() > 0.995
    if contrast_hu > 300:
        # π·12²·60 mm³ = 27 mL, less its blurred rim
        assert any("contrast" in word for word in found.findings["bone"])


def test_the_table_is_not_bone() -> None:
    table = box((-54, 49, -99), (54, 52, 99))
    scene = [*BODY, (table, 600.0), *walled(rod(0, 0, 12), 100.0)]
    found = mask_of(bone_of(ct(GRID, scene)))
    assert not found[truth(GRID, table)].any()
    assert pieces(found) == 1


def test_small_specks_are_dropped_and_listed_in_cubic_millimetres() -> None:
    # Above 180 HU the blurred ball is 1.3 mm in radius, 10 mm³; bone starts at 30 mm³.
    scene = [*BODY, *walled(rod(0, 0, 12), 100.0), (ball((28, 0, 0), 0.4), 1500.0)]
    found = bone_of(ct(GRID, scene))
    assert pieces(mask_of(found)) == 1
    assert any("specks" in word and "mm³" in word for word in found.findings["bone"])


def test_a_small_fragment_is_kept() -> None:
    # 4 mm in radius: 268 mm³.
    scene = [*BODY, *walled(rod(0, 0, 12), 100.0), (ball((28, 0, 0), 4), 900.0)]
    assert pieces(mask_of(bone_of(ct(GRID, scene)))) == 2


def test_an_image_without_bone_has_no_field_and_says_so() -> None:
    found = bone_of(ct(GRID, BODY))
    assert found.fields == ()
    assert found.findings["bone"] == ("no bone",)


def test_a_block_keeps_two_voxels_of_background_around_the_bone() -> None:
    found = bone_of(ct(GRID, [*BODY, *walled(ball((0, 0, 0), 15), 100.0)]))
    (field,) = found.fields
    inside = field.values > 0
    for axis in range(3):
        along = np.moveaxis(inside, axis, 0)
        assert not along[:2].any()
        assert not along[-2:].any()


def test_a_bone_at_the_border_of_the_grid_reaches_the_blocks_face() -> None:
    (field,) = bone_of(ct(GRID, [*BODY, *walled(rod(0, 0, 12), 100.0)])).fields
    assert field.start[2] == 0
    assert field.values.shape[2] == GRID.shape[2]
    assert (field.values[:, :, 0] > 0).any()


def test_the_same_bone_is_found_on_a_flipped_and_turned_grid() -> None:
    scene = [*BODY, *walled(ball((9, 4, -3), 14), 100.0)]
    plain = mask_of(bone_of(ct(GRID, scene, noise_hu=0)))
    i, j, k = GRID.shape
    x, y, z = GRID.origin_mm
    # i to the right, j to the front, k downwards
    turned = Geometry((i, j, k), (1, 1, 1), (-x, -y, -z), ((-1, 0, 0), (0, -1, 0), (0, 0, -1)))
    other = mask_of(bone_of(ct(turned, scene, noise_hu=0)))
    assert np.mean(plain != other[::-1, ::-1, ::-1]) < 1e-3


def test_no_value_of_the_field_is_zero() -> None:
    (field,) = bone_of(ct(GRID, [*BODY, *walled(rod(0, 0, 12), 100.0)])).fields
    assert (field.values % 2 != 0).all()
