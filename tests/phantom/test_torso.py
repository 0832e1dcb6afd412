"""The synthetic torso: anatomy in its place, truth that agrees with the image."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from medrecon.core import Geometry, HuStatus, Modality, label
from medrecon.errors import UsageError
from medrecon.phantom import (
    Phantom,
    Scanner,
    make_torso,
    torso_geometry,
    torso_truth,
    training_pair,
)
from medrecon.phantom.anatomy import draw_anatomy
from medrecon.phantom.render import contains
from medrecon.phantom.torso import TRAINING_LABELS

SEEDS = (2026, 9000, 9001)
COARSE = torso_geometry((120, 100, 112), (3.0, 3.0, 3.0))


@pytest.fixture(scope="module")
def torso() -> Phantom:
    return make_torso(9000, shape=(112, 92, 96), spacing_mm=(3.1, 3.1, 3.6))


@pytest.mark.parametrize("seed", SEEDS)
def test_left_is_left_and_the_liver_is_on_the_right(seed: int) -> None:
    truth = torso_truth(seed, COARSE)
    x, y, z = range(3)
    names = ("liver", "lung_left", "lung_right", "kidney_left", "kidney_right")
    centre = {name: truth.structures[name].centroid_mm for name in names}
    assert centre["liver"][x] < -20
    assert centre["lung_left"][x] > 40 > -40 > centre["lung_right"][x]
    assert centre["kidney_left"][x] > 40 > -40 > centre["kidney_right"][x]
    assert centre["kidney_left"][y] > centre["liver"][y]
    assert centre["lung_left"][z] > centre["liver"][z] > centre["kidney_right"][z]
    assert truth.structures["lung_right"].volume_ml > truth.structures["lung_left"].volume_ml
    # Below the diaphragm the aorta runs left of the midline, in front of the spine.
    spine = truth.landmarks_mm["kidney_left_center"][z]
    low = Geometry((120, 100, 1), (3, 3, 3), (*COARSE.origin_mm[:2], spine))
    assert 0 < torso_truth(seed, low).structures["aorta"].centroid_mm[x] < 25


@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_structures_share_a_place(seed: int) -> None:
    solids = draw_anatomy(seed).solids
    names = [n for n in solids if n != "skin" and not n.endswith("with_tumor")]
    masks = {name: contains(solids[name], COARSE) for name in names}
    for a, b in itertools.combinations(names, 2):
        assert not (masks[a] & masks[b]).any(), (a, b)
    body = contains(solids["skin"], COARSE)
    assert all((mask <= body).all() for mask in masks.values())


def test_the_volumes_are_those_of_a_small_person() -> None:
    volumes = torso_truth(2026, COARSE).volumes_ml
    ranges = {
        "liver": (700, 1600),
        "lung_left": (1000, 2500),
        "kidney_left": (70, 200),
        "kidney_right": (70, 200),
        "tumor": (2.5, 10),
        "aorta": (100, 300),
        "bone": (700, 1600),
        "airway": (20, 60),
    }
    assert all(low < volumes[name] < high for name, (low, high) in ranges.items())


def test_a_kidney_and_its_tumour_add_up(torso: Phantom) -> None:
    side = draw_anatomy(9000).tumor_side
    other = "right" if side == "left" else "left"
    parts = {name: torso.truth.structures[name].volume_ml for name in (f"kidney_{side}", "tumor")}
    whole = torso.truth.structures[f"kidney_{side}_with_tumor"].volume_ml
    assert whole == pytest.approx(sum(parts.values()), rel=2e-4)
    healthy = torso.truth.structures
    assert healthy[f"kidney_{other}_with_tumor"] == healthy[f"kidney_{other}"]


def test_the_bone_volume_agrees_with_a_throw_of_dice() -> None:
    # 4 million points in a box of V mL, a share p inside: standard error V √(p (1 − p) / n).
    truth = torso_truth(9001, torso_geometry((100, 80, 20), (3.4, 3.4, 3.0)))
    grid = truth.geometry
    rng = np.random.default_rng(1)
    index = rng.uniform(-0.5, np.asarray(grid.shape) - 0.5, (4_000_000, 3))
    share = float((truth.solids["bone"].near(*grid.mm_from_index(index).T) > 0).mean())
    box_ml = math.prod(grid.shape) * grid.voxel_volume_mm3 / 1000
    error_ml = box_ml * math.sqrt(share * (1 - share) / len(index))
    assert truth.structures["bone"].volume_ml == pytest.approx(share * box_ml, abs=4 * error_ml)


def test_a_shorter_range_cuts_the_truth_at_the_voxel_edges() -> None:
    whole = torso_geometry((100, 80, 40), (3.4, 3.4, 3.0))
    lower, upper = whole.crop((0, 0, 0), (100, 80, 15)), whole.crop((0, 0, 15), (100, 80, 25))
    parts = [torso_truth(9000, g).structures["skin"].volume_ml for g in (lower, upper)]
    assert sum(parts) == pytest.approx(
        torso_truth(9000, whole).structures["skin"].volume_ml, rel=1e-5
    )


def test_a_structure_out_of_range_is_absent_and_one_that_reaches_out_is_marked() -> None:
    chest = torso_geometry((100, 80, 10), (3.4, 3.4, 3.0)).crop((0, 0, 35), (100, 80, 10))
    truth = torso_truth(9000, chest)
    assert "tumor" not in truth.structures
    assert "tumor" not in truth.volumes_ml
    assert truth.structures["lung_left"].truncated
    assert not torso_truth(9000, COARSE).structures["lung_left"].truncated
    with pytest.raises(UsageError, match="spleen"):
        truth.distance_mm("spleen", [[0, 0, 0]])


def test_the_image_shows_each_structure_with_its_own_hu(torso: Phantom) -> None:
    hu, solids = torso.volume.array, torso.truth.solids
    expected = {
        "lung_left": (-880, -800),
        "liver": (90, 125),
        "kidney_left": (160, 195),
        "tumor": (55, 95),
        "aorta": (280, 340),
        "airway": (-1010, -950),
    }
    for name, (low, high) in expected.items():
        deep = contains(solids[name].offset(-3.5), torso.volume.geometry)
        assert low < hu[deep].mean() < high, name
    assert hu[0, 0].mean() == pytest.approx(-1000, abs=2)


def test_the_label_map_shows_what_lies_at_each_voxel_s_centre(torso: Phantom) -> None:
    geometry, array = torso.labels.geometry, torso.labels.array
    at = torso.truth.landmarks_mm["tumor_center"]
    assert (
        array[tuple(np.rint(geometry.index_from_mm([at])[0]).astype(int))] == label("tumor").index
    )
    for name in ("liver", "lung_left", "bone"):
        share = np.count_nonzero(array == label(name).index) * geometry.voxel_volume_mm3 / 1000
        assert share == pytest.approx(torso.truth.structures[name].volume_ml, rel=0.02)


def test_the_patient_lies_on_a_table(torso: Phantom) -> None:
    geometry, hu = torso.volume.geometry, torso.volume.array.astype(float)
    back = torso.truth.solids["skin"].high_mm[1]
    lines = hu.mean(axis=(0, 2))
    y = geometry.mm_from_index([[0, j, 0] for j in range(geometry.shape[1])])[:, 1]
    # Behind the back: a carbon shell well above the foam, thin against the voxel.
    assert back > 100
    assert lines[y > 122].max() > -800
    assert lines[0] < -990


def test_the_volume_is_a_verified_phantom_ct(torso: Phantom) -> None:
    made = torso.volume.acquisition
    assert (made.modality, made.hu, made.is_phantom) == (Modality.CT, HuStatus.VERIFIED, True)
    assert made.slice_thickness_mm == 3.6


def test_one_seed_is_one_person_and_another_another() -> None:
    quick = Scanner(supersampling=1)

    def take(seed: int) -> Phantom:
        return make_torso(seed, shape=(40, 32, 20), spacing_mm=(9, 9, 16), scanner=quick)

    def tumor_ml(phantom: Phantom) -> float:
        return phantom.truth.structures["tumor"].volume_ml

    a, b, c = take(9002), take(9002), take(9003)
    assert np.array_equal(a.volume.array, b.volume.array)
    assert tumor_ml(a) == tumor_ml(b) != tumor_ml(c)
    assert not np.array_equal(a.volume.array, c.volume.array)


def test_an_oblique_grid_sees_the_same_person() -> None:
    c, s = math.cos(0.3), math.sin(0.3)
    turned = ((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0))
    middle = np.array([89, 79, 79]) * 3.5 / 2
    x, y, z = (float(v) for v in (0, 18, -4) - np.asarray(turned) @ middle)
    grid = Geometry((90, 80, 80), (3.5, 3.5, 3.5), (x, y, z), turned)
    straight, oblique = torso_truth(9000, COARSE), torso_truth(9000, grid)
    for name in ("liver", "tumor"):
        assert oblique.structures[name].volume_ml == pytest.approx(
            straight.structures[name].volume_ml, rel=1e-3
        )
    image = make_torso(9000, geometry=grid).volume
    at = grid.index_from_mm([oblique.structures["liver"].centroid_mm])[0]
    assert 60 < image.array[tuple(np.rint(at).astype(int))] < 160


def test_the_truth_is_json_with_the_range_it_holds_for(torso: Phantom) -> None:
    truth = json.loads(torso.truth.as_json())
    assert truth["grid"]["shape"] == [112, 92, 96]
    assert truth["structures"]["kidney_left"]["method"].startswith("integration")
    assert set(truth["landmarks_mm"]) >= {"carina", "tumor_center"}
    volume = truth["structures"]["liver"]["volume_ml"]
    assert volume == pytest.approx(torso.truth.volumes_ml["liver"], rel=1e-5)


def test_the_tumour_grows_on_either_side() -> None:
    assert {draw_anatomy(seed).tumor_side for seed in range(9000, 9010)} == {"left", "right"}


def test_distances_are_signed_and_in_mm() -> None:
    truth = torso_truth(9000, COARSE)
    centre = np.asarray(truth.landmarks_mm["tumor_center"])
    rays = np.random.default_rng(0).normal(size=(200, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    # Where a ray leaves the tumour, by bisection on the field's sign: the distance there is 0.
    near, far = np.zeros(200), np.full(200, 20.0)
    for _ in range(50):
        middle = (near + far) / 2
        inside = truth.distance_mm("tumor", centre + middle[:, None] * rays) > 0
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    surface = centre + near[:, None] * rays
    assert np.abs(truth.distance_mm("tumor", surface)).max() < 1e-6
    # Half a mm along the outward normal of a nearly spherical mass: −0.5 within a few percent.
    outside = truth.distance_mm("tumor", surface + 0.5 * rays)
    assert np.allclose(outside, -0.5, atol=0.03)
    assert truth.distance_mm("aorta", [[0, 0, 800]])[0] < -100


def test_a_training_pair_has_one_grid_and_the_five_organs() -> None:
    volume, labels = training_pair(7, 4.0, (84, 66, 72))
    assert volume.geometry.is_close(labels.geometry)
    assert volume.geometry.spacing_mm == (4.0, 4.0, 4.0)
    found = {x.name for x in labels.labels if (labels.array == x.index).any()}
    assert found == set(TRAINING_LABELS)
    again, _ = training_pair(7, 4.0, (84, 66, 72))
    other, _ = training_pair(8, 4.0, (84, 66, 72))
    assert np.array_equal(volume.array, again.array)
    assert volume.geometry.origin_mm != other.geometry.origin_mm
