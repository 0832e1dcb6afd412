"""Structures from clicks: analytic lumps, corrections obeyed, the same clicks the same field."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from medrecon.core import Acquisition, Geometry, Label, Modality, Volume
from medrecon.errors import DamagedInputError, GeometryError
from medrecon.segmentation.guided import Click, Following, Guidance, Guided, stroke
from medrecon.segmentation.guided.clicks import guidance_json, read_guidance
from medrecon.segmentation.guided.grow import grow, volume_ml
from medrecon.segmentation.guided.sphere import directions, smoothest

C, S = np.cos(np.deg2rad(25)), np.sin(np.deg2rad(25))
GRID = Geometry(
    (64, 60, 40),
    (1.0, 1.0, 2.0),
    (-30.0, 12.0, 55.0),
    ((C, -S, 0.0), (S, C, 0.0), (0.0, 0.0, 1.0)),
)
TUMOR = Label(1, "tumor")
MIDDLE = (30, 29, 20)


def distance_mm(center: tuple[float, float, float]) -> np.ndarray:
    i, j, k = np.ogrid[:64, :60, :40]
    return np.sqrt((i - center[0]) ** 2 + (j - center[1]) ** 2 + (2 * (k - center[2])) ** 2)


def image(*lumps: np.ndarray) -> Volume:
    """Lumps of 300 in fat of 900, noise of 30."""
    values = np.full(GRID.shape, 900.0)
    for lump in lumps:
        values[lump] = 300
    values += np.random.default_rng(5).normal(0, 30, values.shape)
    return Volume(np.asfortranarray(values.astype(np.float32)), GRID, Acquisition(Modality.MR))


def at(index: tuple[float, float, float], inside: bool = True) -> Click:
    x, y, z = GRID.mm_from_index([index])[0]
    return Click((x, y, z), inside)


def mask_of(field) -> np.ndarray:
    mask = np.zeros(GRID.shape, bool)
    mask[field.slices] = field.values > 0
    return mask


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def middle_of_the_largest_error(found: np.ndarray, truth: np.ndarray) -> Click:
    pieces = [(truth & ~found, True), (found & ~truth, False)]
    depth = [distance_transform_edt(np.pad(p, 1), sampling=(1, 1, 2)) for p, _ in pieces]
    worst = max((0, 1), key=lambda n: depth[n].max())
    i, j, k = (n - 1 for n in np.unravel_index(depth[worst].argmax(), depth[worst].shape))
    return at((i, j, k), pieces[worst][1])


@pytest.fixture(scope="module")
def ball() -> np.ndarray:
    return distance_mm(MIDDLE) < 15


def test_one_click_finds_a_ball_and_its_volume(ball):
    field = grow(image(ball), Guidance((at(MIDDLE),)), TUMOR)
    assert dice(mask_of(field), ball) > 0.95
    # 4/3 π 15³ mm³ = 14.14 mL.
    assert volume_ml(field) == pytest.approx(14.14, rel=0.05)


def test_a_click_off_the_middle_finds_the_same_ball(ball):
    field = grow(image(ball), Guidance((at((37, 25, 22)),)), TUMOR)
    assert dice(mask_of(field), ball) > 0.92


def test_a_neighbour_that_looks_the_same_is_cut_off_where_the_lump_ends(ball):
    # A muscle of the same values touches the ball from one side: no edge there at all.
    muscle = (distance_mm((52, 29, 20)) < 13) & ~ball
    session = Guided(image(ball, muscle), TUMOR)
    # 19 mL, of which 14 are the ball's: region growing takes all of both.
    both = ball | muscle
    first = mask_of(session.add(at(MIDDLE)))
    assert dice(first, ball) > dice(both, ball)
    assert dice(mask_of(session.add(at((50, 29, 20), inside=False))), ball) > 0.88


def test_a_click_outside_removes_and_a_click_inside_adds(ball):
    muscle = (distance_mm((50, 29, 20)) < 13) & ~ball
    session = Guided(image(ball, muscle), TUMOR)
    session.add(at(MIDDLE))
    without = mask_of(session.add(at((52, 29, 20), inside=False)))
    assert not without[52, 29, 20]
    assert dice(without, ball) > 0.9
    both = mask_of(session.add(at((47, 29, 20))))
    assert both[47, 29, 20]
    assert not both[52, 29, 20]


def test_corrections_of_a_wrong_first_guess_grow_towards_the_truth(ball):
    lobe = ball | (distance_mm((46, 38, 20)) < 9)
    session = Guided(image(lobe), TUMOR)
    found = mask_of(session.add(at(MIDDLE)))
    first = dice(found, lobe)
    for _ in range(3):
        found = mask_of(session.add(middle_of_the_largest_error(found, lobe)))
    assert dice(found, lobe) > first > 0.88


def test_a_click_that_says_what_is_so_already_changes_next_to_nothing(ball):
    session = Guided(image(ball), TUMOR)
    before = mask_of(session.add(at(MIDDLE)))
    after = mask_of(session.add(at((33, 31, 21))))
    assert dice(before, after) > 0.995


def test_nothing_lies_beyond_the_box(ball):
    a, b = GRID.mm_from_index([(0, 0, 0), (34, 59, 39)])
    told = Guidance((at(MIDDLE),), (tuple(a), tuple(b)))
    # The grid is turned in the plane: its own axes are those of the box.
    found = mask_of(grow(image(ball), told, TUMOR))
    assert not found[36:].any()
    assert found[20:34].any()


def test_a_box_alone_starts_from_its_middle(ball):
    a, b = GRID.mm_from_index([(12, 11, 11), (48, 47, 29)])
    found = mask_of(grow(image(ball), Guidance((), (tuple(a), tuple(b))), TUMOR))
    assert dice(found, ball) > 0.93


def test_the_same_clicks_give_the_same_bytes(ball):
    clicks = Guidance((at(MIDDLE), at((50, 29, 20), inside=False)))
    a, b = (grow(image(ball), clicks, TUMOR) for _ in range(2))
    assert a.start == b.start
    assert np.array_equal(a.values, b.values)


def test_undoing_a_click_gives_what_was_there_before_it(ball):
    muscle = (distance_mm((50, 29, 20)) < 13) & ~ball
    session = Guided(image(ball, muscle), TUMOR)
    first = session.add(at(MIDDLE))
    session.add(at((52, 29, 20), inside=False))
    undone = session.undo()
    assert undone.start == first.start
    assert np.array_equal(undone.values, first.values)
    assert session.undo() is None


def test_a_stroke_counts_as_one_click_and_covers_its_points(ball):
    muscle = (distance_mm((50, 29, 20)) < 13) & ~ball
    session = Guided(image(ball, muscle), TUMOR)
    session.add(at(MIDDLE))
    drawn = [(50, j, 20) for j in range(22, 38, 3)]
    without = mask_of(session.add(stroke([at(p).point_mm for p in drawn], inside=False)))
    assert not any(without[p] for p in drawn)
    assert mask_of(session.undo()).any()


def test_what_follows_a_changing_guidance_is_what_its_file_gives(ball):
    muscle = (distance_mm((50, 29, 20)) < 13) & ~ball
    volume = image(ball, muscle)
    first, off, more = at(MIDDLE), at((52, 29, 20), inside=False), at((47, 29, 20))
    box = tuple(tuple(p) for p in GRID.mm_from_index([(0, 0, 0), (45, 59, 39)]))
    following = Following(volume, TUMOR)
    for told in (
        Guidance((off, first)),
        Guidance((first, off, more)),
        Guidance((first, more)),
        Guidance((first, more), box),
    ):
        live, again = following.field(told), grow(volume, told, TUMOR)
        assert live.start == again.start
        assert np.array_equal(live.values, again.values)


def test_what_cannot_be_grown_is_said(ball):
    volume = image(ball)
    with pytest.raises(DamagedInputError, match="no click inside"):
        grow(volume, Guidance((at(MIDDLE, inside=False),)), TUMOR)
    with pytest.raises(DamagedInputError, match="outside the image"):
        grow(volume, Guidance((at((200, 0, 0)),)), TUMOR)
    leaning = Geometry(
        (4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1, 0, 0.6), (0, 1, 0), (0, 0, 0.8))
    )
    with pytest.raises(GeometryError):
        Guided(Volume(np.zeros((4, 4, 4), np.int16), leaning), TUMOR)


def test_clicks_come_back_from_their_file_and_nonsense_is_refused(tmp_path):
    told = Guidance(
        (Click((1.5, -2.0, 3.25)), Click((0.0, 0.0, 1.0), False)), ((0.0,) * 3, (9.0,) * 3)
    )
    (tmp_path / "c.json").write_text(json.dumps(guidance_json(told)))
    assert read_guidance(tmp_path / "c.json") == told
    drawn = {"strokes": [{"lps_mm": [[1, 2, 3], [2, 2, 3]], "inside": False}]}
    (tmp_path / "s.json").write_text(json.dumps(drawn))
    (told_drawn,) = read_guidance(tmp_path / "s.json").clicks
    assert told_drawn == stroke([(1.0, 2.0, 3.0), (2.0, 2.0, 3.0)], inside=False)
    mixed = Guidance((told_drawn, Click((0.0, 0.0, 0.0)), told_drawn))
    (tmp_path / "m.json").write_text(json.dumps(guidance_json(mixed)))
    assert read_guidance(tmp_path / "m.json") == mixed
    for bad in ("[]", "{", '{"clicks": [{"lps_mm": [1, 2]}]}', '{"points": []}'):
        (tmp_path / "bad.json").write_text(bad)
        with pytest.raises(DamagedInputError):
            read_guidance(tmp_path / "bad.json")


def test_directions_lie_on_the_unit_sphere_evenly():
    points, faces = directions()
    # A closed triangulation of a sphere: V − E + F = 2 with E = 3F/2.
    assert len(points) - len(faces) / 2 == 2
    assert np.allclose(np.linalg.norm(points, axis=1), 1)
    assert np.allclose(points.mean(axis=0), 0, atol=1e-12)


def test_smoothness_carries_directions_that_say_nothing():
    points, _ = directions()
    cost = np.zeros((len(points), 20), np.float32)
    known = points[:, 2] > 0.3
    cost[known] = (np.arange(20) - 7) ** 2
    assert set(smoothest(cost, 0.5, 30)[points[:, 2] > 0]) == {7}
