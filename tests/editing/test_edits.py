"""Edits on analytic bodies: volumes that formulas give, parts that part, the same bytes again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import label as components

from medrecon.core import Geometry, Label, Segmentation, SoftField
from medrecon.editing import Edit, apply_edits, edits_json, read_edits
from medrecon.errors import DamagedInputError, UsageError
from medrecon.outputs.segmented import Segmented
from medrecon.quality.observed import Observed
from medrecon.quality.volume import field_volume_ml
from medrecon.recipes.editing import edited as edited_run

GRID = Geometry((60, 50, 44), (1.0, 1.0, 1.0), (-10.0, 20.0, 5.0))


def at(i: float, j: float, k: float) -> list[float]:
    return GRID.mm_from_index([(i, j, k)])[0].tolist()


def field(distance: np.ndarray, name: str = "bone", index: int = 1) -> SoftField:
    """A field of 100 a millimetre, as HU are."""
    values = np.asfortranarray(100 * distance.astype(np.float32) + 0.5)
    return SoftField(Label(index, name), values, GRID)


def ball(i: float, j: float, k: float, radius: float) -> np.ndarray:
    x, y, z = np.ogrid[:60, :50, :44]
    return radius - np.sqrt((x - i) ** 2 + (y - j) ** 2 + (z - k) ** 2)


def ball_ml(radius: float) -> float:
    return 4 / 3 * np.pi * radius**3 / 1000


@pytest.fixture
def bone() -> SoftField:
    return field(ball(25, 25, 22, 12))


def edited(f: SoftField, edit: str, **numbers: object) -> tuple[SoftField, Edit]:
    fields, done = apply_edits([f], [Edit(edit, f.label.name, numbers)])
    return fields[0], done[0]


def test_a_ball_added_apart_adds_its_volume_and_one_within_nothing(bone):
    more, done = edited(bone, "add", points_lps_mm=[at(50, 25, 22)], radius_mm=6)
    assert done.volume_change_ml == pytest.approx(ball_ml(6), rel=0.02)
    assert field_volume_ml(more) == pytest.approx(ball_ml(12) + ball_ml(6), rel=0.01)
    _, nothing = edited(bone, "add", points_lps_mm=[at(25, 25, 22)], radius_mm=6)
    assert nothing.volume_change_ml == pytest.approx(0, abs=1e-3)


def test_a_stroke_erases_a_cylinder(bone):
    # Through the middle of a ball R a cylinder r takes 4/3 π (R³ − (R² − r²)^(3/2)).
    _, done = edited(bone, "erase", points_lps_mm=[at(25, 25, 0), at(25, 25, 43)], radius_mm=4)
    taken = 4 / 3 * np.pi * (12**3 - (12**2 - 4**2) ** 1.5) / 1000
    assert done.volume_change_ml == pytest.approx(-taken, rel=0.03)


def test_a_plane_through_the_middle_leaves_half_and_a_box_what_it_holds(bone):
    half, _ = edited(bone, "plane", point_lps_mm=at(25, 25, 22), normal_lps=[0, 0, 1])
    assert field_volume_ml(half) == pytest.approx(ball_ml(12) / 2, rel=0.01)
    assert (half.values[:, :, 24:] < 0).all()
    corner = [at(25, 25, 22), at(45, 45, 42)]
    eighth, _ = edited(bone, "box", corners_lps_mm=corner, keep="inside")
    assert field_volume_ml(eighth) == pytest.approx(ball_ml(12) / 8, rel=0.02)
    rest, _ = edited(bone, "box", corners_lps_mm=corner, keep="outside")
    assert field_volume_ml(rest) == pytest.approx(ball_ml(12) * 7 / 8, rel=0.01)


@pytest.mark.parametrize("by", [3.0, -3.0])
def test_a_ball_grown_or_shrunk_is_a_ball_of_another_radius(bone, by):
    other, _ = edited(bone, "offset", by_mm=by)
    # Between voxels of 1 mm the distance is taken as straight: 1 % at a radius of 9.
    assert field_volume_ml(other) == pytest.approx(ball_ml(12 + by), rel=0.015)


def test_two_bones_joined_by_hand_are_split_without_a_bridge():
    # Two balls of 9 mm, 1 mm apart, and a bridge of 3 mm radius painted between them.
    joined = field(np.maximum(ball(18, 25, 22, 9), ball(37, 25, 22, 9)))
    bridged, _ = edited(joined, "add", points_lps_mm=[at(22, 25, 22), at(33, 25, 22)], radius_mm=3)
    assert components(bridged.values > 0)[1] == 1
    parts, done = apply_edits(
        [bridged],
        [
            Edit(
                "split",
                "bone",
                {"points_lps_mm": [at(18, 25, 22), at(37, 25, 22)], "names": ["a", "b"]},
            )
        ],
    )
    assert [p.label.name for p in parts] == ["a", "b"]
    assert len({p.label.index for p in parts}) == 2
    whole = [np.zeros(GRID.shape, bool) for _ in parts]
    for mask, part in zip(whole, parts, strict=True):
        mask[part.slices] = part.values > 0
    assert not (whole[0] & whole[1]).any()
    # The cut lies in the joint, half way, at 27.5.
    assert not whole[0][29:].any()
    assert not whole[1][:27].any()
    for part in parts:
        assert components(part.values > 0)[1] == 1
    assert done[0].volume_change_ml == pytest.approx(0, abs=0.05)


def test_parts_are_kept_and_removed_by_a_point_in_them():
    two = field(np.maximum(ball(15, 25, 22, 9), ball(45, 25, 22, 6)))
    large, _ = edited(two, "keep")
    assert field_volume_ml(large) == pytest.approx(ball_ml(9), rel=0.02)
    small, _ = edited(two, "keep", point_lps_mm=at(45, 25, 22))
    assert field_volume_ml(small) == pytest.approx(ball_ml(6), rel=0.02)
    without, _ = edited(two, "remove", point_lps_mm=at(45, 25, 22))
    assert field_volume_ml(without) == pytest.approx(ball_ml(9), rel=0.02)


def test_cavities_are_filled():
    shell = field(np.minimum(ball(25, 25, 22, 14), -ball(25, 25, 22, 8)))
    full, done = edited(shell, "fill")
    assert field_volume_ml(full) == pytest.approx(ball_ml(14), rel=0.01)
    assert done.volume_change_ml == pytest.approx(ball_ml(8), rel=0.03)


def test_structures_are_joined_subtracted_and_intersected():
    a, b = ball(22, 25, 22, 10), ball(32, 25, 22, 10)
    # Two balls R at distance d share π (4R + d)(2R − d)² / 12.
    shared = np.pi * (40 + 10) * (20 - 10) ** 2 / 12 / 1000
    expected = {
        "union": 2 * ball_ml(10) - shared,
        "subtract": ball_ml(10) - shared,
        "intersect": shared,
    }
    for how, volume in expected.items():
        fields = [field(a, "a", 1), field(b, "b", 2)]
        result, _ = apply_edits(fields, [Edit("combine", "a", {"other": "b", "how": how})])
        assert field_volume_ml(result[0]) == pytest.approx(volume, rel=0.015)
        assert result[1] is fields[1]


def test_a_structure_of_another_grid_is_combined_where_it_lies():
    coarse = Geometry((25, 25, 22), (2.0, 2.0, 2.0), (-13.0, 17.0, 3.0))
    points = coarse.mm_from_index(np.argwhere(np.ones(coarse.shape)))
    far = np.linalg.norm(points - at(25, 25, 22), axis=1).reshape(coarse.shape)
    ours = field(ball(25, 25, 22, 12), "ours", 1)
    theirs = SoftField(Label(2, "theirs"), (10 - far).astype(np.float32) + 1e-3, coarse)
    shell = ball_ml(12) - ball_ml(10)
    for how, volume in (("intersect", ball_ml(10)), ("subtract", shell), ("union", ball_ml(12))):
        edit = Edit("combine", "ours", {"other": "theirs", "how": how})
        result, _ = apply_edits([ours, theirs], [edit])
        assert field_volume_ml(result[0]) == pytest.approx(volume, rel=0.03), how


def test_smoothing_takes_a_spike_and_leaves_what_is_far_away(bone):
    spiked, _ = edited(bone, "add", points_lps_mm=[at(25, 25, 34)], radius_mm=2)
    round_again, done = edited(
        spiked, "smooth", point_lps_mm=at(25, 25, 35), radius_mm=7, sigma_mm=2
    )
    assert done.volume_change_ml < 0
    assert np.array_equal(round_again.values[:, :, :25] > 0, spiked.values[:, :, :25] > 0)


def test_the_same_edits_give_the_same_bytes(bone):
    edits = [
        Edit("add", "bone", {"points_lps_mm": [at(40, 25, 22)], "radius_mm": 5}),
        Edit("offset", "bone", {"by_mm": 1.0}),
        Edit("smooth", "bone", {"point_lps_mm": at(25, 25, 34), "radius_mm": 8, "sigma_mm": 1}),
    ]
    one, other = (apply_edits([bone], edits)[0][0] for _ in range(2))
    assert one.start == other.start
    assert one.values.tobytes(order="F") == other.values.tobytes(order="F")


def test_edits_come_back_from_their_file_with_what_they_changed(bone, tmp_path):
    _, done = edited(bone, "add", points_lps_mm=[at(40, 25, 22)], radius_mm=5)
    (tmp_path / "edits.json").write_text(json.dumps(edits_json([done])))
    (back,) = read_edits(tmp_path / "edits.json")
    assert (back.edit, back.label, dict(back.numbers)) == ("add", "bone", dict(done.numbers))


def test_what_is_no_edit_is_said(bone, tmp_path):
    for bad in ("{}", "[", '{"edits": [{"edit": "melt", "label": "bone"}]}'):
        (tmp_path / "e.json").write_text(bad)
        with pytest.raises(DamagedInputError):
            read_edits(tmp_path / "e.json")
    with pytest.raises(UsageError, match="no structure skull"):
        apply_edits([bone], [Edit("fill", "skull", {})])
    with pytest.raises(DamagedInputError, match="edit 1"):
        apply_edits([bone], [Edit("add", "bone", {"radius_mm": 3})])
    with pytest.raises(UsageError, match="leaves nothing"):
        edited(bone, "erase", points_lps_mm=[at(25, 25, 22)], radius_mm=30)
    with pytest.raises(UsageError, match="outside the structure"):
        edited(bone, "keep", point_lps_mm=at(1, 1, 1))


def halved(*rows: dict[str, object]) -> list[Edit]:
    """A split of the bone across its middle, once for each row of further numbers."""
    across = [at(19, 25, 22), at(31, 25, 22)]
    return [Edit("split", "bone", {"points_lps_mm": across, **row}) for row in rows]


@pytest.mark.parametrize(
    "names", [["../../../evil", "c"], ["a/b", "c"], ["", "c"], [".c", "d"], ["a\nb", "c"]]
)
def test_parts_are_called_only_what_a_file_can_be(bone, names, monkeypatch):
    monkeypatch.setattr("medrecon.editing.script.in_mm", lambda f: pytest.fail("begun"))
    first = Edit("fill", "bone", {})
    with pytest.raises(UsageError, match=r"edit 2 \(split\)"):
        apply_edits([bone], [first, *halved({"names": names})])


def test_parts_names_are_two_and_new(bone):
    other = field(ball(50, 40, 35, 5), "other", 2)
    for names in (["a", "a"], ["a"], ["a", "other"]):
        with pytest.raises(UsageError, match="edit 1"):
            apply_edits([bone, other], halved({"names": names}))
    for names in ("ab", 5, [1, 2]):
        with pytest.raises(DamagedInputError, match="edit 1"):
            apply_edits([bone, other], halved({"names": names}))
    parts, _ = apply_edits([bone, other], halved({"names": ["bone", "c"]}))
    assert [(p.label.name, p.label.index) for p in parts] == [("bone", 1), ("c", 3), ("other", 2)]


@pytest.mark.parametrize("gap", [-6.0, float("nan"), 1000.0])
def test_a_gap_is_a_length(bone, gap):
    with pytest.raises(DamagedInputError, match="gap_mm"):
        apply_edits([bone], halved({"gap_mm": gap}))


def two_hips() -> Segmented:
    """Each in a segmentation of its own, as a folder of masks gives them."""
    hips = field(ball(18, 25, 22, 8), "hip_left", 1), field(ball(37, 25, 22, 8), "hip_right", 2)
    told = {"hip_left": Observed(uncertain=("the model is a draft",))}
    return Segmented(tuple(Segmentation(GRID, (f,), "label map") for f in hips), told)


def test_an_edit_sees_what_those_before_it_did_to_another_segmentation():
    edits = [
        Edit("offset", "hip_left", {"by_mm": 8.0}),
        Edit("combine", "hip_right", {"other": "hip_left", "how": "subtract"}),
    ]
    after, done = edited_run(two_hips(), edits, None)
    left, right = (s.fields[0] for s in after.segmentations)
    assert [left.label.name, right.label.name] == ["hip_left", "hip_right"]
    assert field_volume_ml(left) == pytest.approx(ball_ml(16), rel=0.02)
    # Balls R = 16 and r = 8 at d = 19 share a lens: π (R+r−d)² (d² + 2d(R+r) − 3(R−r)²) / 12d.
    lens = np.pi * 5**2 * (19**2 + 2 * 19 * 24 - 3 * 8**2) / (12 * 19) / 1000
    assert done[1].volume_change_ml == pytest.approx(-lens, rel=0.1)


def test_parts_of_two_segmentations_have_numbers_of_their_own_and_stay_at_home():
    edits = [
        Edit("split", "hip_left", {"points_lps_mm": [at(14, 25, 22), at(22, 25, 22)]}),
        Edit(
            "split",
            "hip_right",
            {"points_lps_mm": [at(33, 25, 22), at(41, 25, 22)], "names": ["c", "d"]},
        ),
        Edit("fill", "d", {}),
    ]
    after, done = edited_run(two_hips(), edits, None)
    names = [[f.label.name for f in s.fields] for s in after.segmentations]
    assert names == [["hip_left_1", "hip_left_2"], ["c", "d"]]
    assert sorted(f.label.index for f in after.fields) == [1, 2, 3, 4]
    assert [e.edit for e in done] == ["split", "split", "fill"]


def test_what_speaks_against_a_structure_speaks_against_its_parts():
    across = {"points_lps_mm": [at(14, 25, 22), at(22, 25, 22)], "names": ["front", "rear"]}
    after, _ = edited_run(two_hips(), [Edit("split", "hip_left", across)], None)
    for name in ("front", "rear"):
        assert after.observed[name].concerns == ("the model is a draft",)
