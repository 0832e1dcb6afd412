"""Two lungs, one airway, one skin: told apart in the patient's own axes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scenes import Shape, ball, box, ct, grid, torso, truth

from medrecon.core import Geometry, Segmentation, Volume
from medrecon.errors import UsageError
from medrecon.segmentation.tissues import TissueSegmenter

GRID = grid((88, 72, 80), (2.0, 2.0, 2.0))
LEFT, RIGHT = ball((40, 0, -15), 28), ball((-40, 0, -15), 24)


def capsule(a: tuple[float, float, float], b: tuple[float, float, float], r: float) -> Shape:
    start, along = np.array(a), np.array(b) - np.array(a)

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        d = np.stack([x - start[0], y - start[1], z - start[2]], -1)
        t = np.clip(d @ along / (along @ along), 0, 1)
        return r - np.linalg.norm(d - t[..., None] * along, axis=-1)

    return distance


TRACHEA = capsule((0, 10, 70), (0, 10, 10), 8)
BRONCHI = [capsule((0, 10, 10), (s * 24, 5, -12), 6) for s in (1, -1)]


def chest(geometry: Geometry = GRID) -> Volume:
    walls = [(lambda x, y, z, s=s: s(x, y, z) + 2.5, 40.0) for s in (TRACHEA, *BRONCHI)]
    layers = [*torso(82, 66), (LEFT, -850.0), (RIGHT, -850.0), *walls]
    return ct(geometry, [*layers, *((s, -1000.0) for s in (TRACHEA, *BRONCHI))], noise_hu=20)


@pytest.fixture(scope="module")
def found() -> Segmentation:
    return TissueSegmenter(["lungs", "airway", "skin"]).segment(chest())


def mask_of(found: Segmentation, name: str) -> npt.NDArray[np.bool_]:
    (field,) = (f for f in found.fields if f.label.name == name)
    out = np.zeros(field.grid.shape, dtype=bool)
    out[field.slices] = field.values > 0
    return out


def test_lungs_names_both(found: Segmentation) -> None:
    names = [f.label.name for f in found.fields]
    assert names == ["skin", "lung_left", "lung_right", "airway"]


def test_the_left_lung_is_on_the_patients_left(found: Segmentation) -> None:
    # In LPS, x grows to the left; on this grid i does too.
    left, right = mask_of(found, "lung_left"), mask_of(found, "lung_right")
    assert np.nonzero(left)[0].mean() > GRID.shape[0] / 2 > np.nonzero(right)[0].mean()
    # The left one is larger here: 28³ to 24³, so swapped sides would not pass.
    assert left.sum() > 1.2 * right.sum()


def test_sides_are_the_patients_on_any_orientation_of_the_grid() -> None:
    i, j, k = GRID.shape
    x, y, z = (s * (n - 1) / 2 for n, s in zip(GRID.shape, GRID.spacing_mm, strict=True))
    # Array axes: to the front, downwards, to the right.
    direction = ((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
    turned = Geometry((j, k, i), GRID.spacing_mm, (x, y, z), direction)
    found = TissueSegmenter(["lungs", "airway"]).segment(chest(turned))
    left = mask_of(found, "lung_left")
    centre = turned.mm_from_index([np.mean(np.nonzero(left), axis=1)])[0]
    assert centre[0] > 30
    assert {f.label.name for f in found.fields} == {"lung_left", "lung_right", "airway"}


def test_the_airway_is_open_from_the_top_to_both_bronchi(found: Segmentation) -> None:
    airway = mask_of(found, "airway")
    assert airway[truth(GRID, capsule((0, 10, 70), (0, 10, 10), 6))].mean() > 0.98
    for side in (1, -1):
        assert airway[truth(GRID, capsule((0, 10, 10), (side * 14, 7, -3), 4))].mean() > 0.9


def test_no_voxel_is_in_the_airway_and_a_lung(found: Segmentation) -> None:
    airway = mask_of(found, "airway")
    for name in ("lung_left", "lung_right"):
        assert not (airway & mask_of(found, name)).any()


def test_lungs_that_touch_are_still_two() -> None:
    # Two balls that overlap by 6 mm in front of the heart: an opening of 25 mm.
    left, right = ball((27, 0, -10), 30), ball((-27, 0, -10), 30)
    volume = ct(GRID, [*torso(82, 66), (left, -850.0), (right, -850.0)], noise_hu=20)
    found = TissueSegmenter(["lungs"]).segment(volume)
    a, b = mask_of(found, "lung_left"), mask_of(found, "lung_right")
    assert not (a & b).any()
    assert a[truth(GRID, ball((30, 0, -10), 24))].all()
    assert b[truth(GRID, ball((-30, 0, -10), 24))].all()


def test_a_small_vessel_belongs_to_its_lung() -> None:
    vessel = capsule((20, 0, -15), (60, 0, -15), 2)
    volume = ct(GRID, [*torso(82, 66), (LEFT, -850.0), (RIGHT, -850.0), (vessel, 40.0)])
    left = mask_of(TissueSegmenter(["lung_left"]).segment(volume), "lung_left")
    assert left[truth(GRID, capsule((28, 0, -15), (52, 0, -15), 2))].mean() > 0.95


def test_bowel_gas_is_neither_lung_nor_airway() -> None:
    gas = [(ball((s * 30, -20, -40), 16), -1000.0) for s in (1, -1)]
    volume = ct(GRID, [*torso(82, 66), *gas], noise_hu=15)
    found = TissueSegmenter(["lungs", "airway"]).segment(volume)
    assert found.fields == ()
    assert set(found.findings) == {"lung_left", "lung_right", "airway"}


def test_skin_holds_the_whole_body_and_not_the_table(found: Segmentation) -> None:
    skin = mask_of(found, "skin")
    assert skin[truth(GRID, LEFT)].all()
    body = torso(82, 66)[0][0]
    # Ellipse of 82 × 66 mm over 160 mm: π·82·66·160 mm³; a voxel count is within 1 %.
    assert skin.sum() * 8 == pytest.approx(np.pi * 82 * 66 * 160, rel=0.01)
    table = box((-70, 68, -99), (70, 70.5, 99))
    with_table = ct(GRID, [(body, 20.0), (table, 100.0)])
    skin = mask_of(TissueSegmenter(["skin"]).segment(with_table), "skin")
    assert not skin[truth(GRID, box((-70, 69.5, -99), (70, 71, 99)))].any()


def test_both_legs_are_kept() -> None:
    legs = [(lambda x, y, z, s=s: 30 - np.hypot(x - s * 40, y) + 0 * z, 40.0) for s in (1, -1)]
    skin = mask_of(TissueSegmenter(["skin"]).segment(ct(GRID, legs)), "skin")
    assert skin[: GRID.shape[0] // 2].sum() == pytest.approx(skin.sum() / 2, rel=0.02)


def test_an_empty_table_has_no_patient() -> None:
    air = ct(GRID, [(box((-80, 60, -99), (80, 62, 99)), 100.0)], noise_hu=2)
    found = TissueSegmenter(["skin"]).segment  # refused before: air alone proves no HU
    with pytest.raises(Exception, match="soft tissue"):
        found(air)


def test_an_unknown_tissue_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="lung_left"):
        TissueSegmenter(["spleen"])
    with pytest.raises(UsageError):
        TissueSegmenter([])


def test_fat_and_muscle_share_no_voxel_and_fill_the_torso() -> None:
    volume = ct(grid((92, 88, 20)), torso(42, 40))
    found = TissueSegmenter(["fat", "muscle"]).segment(volume)
    fat, muscle = mask_of(found, "fat"), mask_of(found, "muscle")
    assert not (fat & muscle).any()
    # Muscle: π·36·34·20 mm³; fat: the ring of 6 mm around it less its blurred rims.
    assert muscle.sum() == pytest.approx(np.pi * 36 * 34 * 20, rel=0.03)
    assert 0.6 < fat.sum() / (np.pi * (42 * 40 - 36 * 34) * 20) < 1.0
