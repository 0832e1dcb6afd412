"""The viewer without a picture: keys and clicks as functions from state to state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medrecon.errors import DamagedInputError
from medrecon.view.keys import KEYS, SESSION_KEYS, help_lines, press
from medrecon.view.state import (
    Cut,
    Facts,
    Layout,
    Measure,
    Measuring,
    first_state,
    with_point,
    with_slice,
)
from medrecon.view.state_file import load_view, save_view

FACTS = Facts(
    names=("skin", "bone", "liver"),
    opacities=(0.12, 1.0, 1.0),
    shape=(80, 60, 25),
    windows=((-160.0, 240.0), (-500.0, 1500.0)),
    colours=("label", "deviation"),
    low_mm=(-40.0, -30.0, -24.0),
    high_mm=(40.0, 30.0, 24.0),
)
START = first_state(FACTS)


def after(*keys: str, state=START, facts=FACTS):
    for key in keys:
        state = press(state, facts, key)
    return state


def test_the_chosen_structure_is_hidden_and_seen_through():
    state = after("Down", "v", "Down", "bracketleft", "bracketleft", "bracketleft")
    assert [look.visible for look in state.looks] == [True, False, True]
    assert [look.opacity for look in state.looks] == [0.12, 1.0, 0.7]
    assert after("o", "o") == replace(START, message="")
    assert [look.visible for look in after("Down", "o").looks] == [False, True, False]


def test_opacity_stays_between_nothing_and_all():
    assert after("bracketleft", "bracketleft").looks[0].opacity == 0.0
    assert after(*["bracketright"] * 12).looks[0].opacity == 1.0


def test_arrows_move_the_slice_of_the_chosen_axis_and_stop_at_the_image():
    assert START.slices == (40, 30, 12)
    assert after("Right").slices == (40, 30, 13)
    assert after("x", "Prior").slices == (50, 30, 12)
    assert after("y", "Next", "Next", "Next", "Next").slices == (40, 0, 12)
    assert after("Prior", "Prior").slices == (40, 30, 24)


def test_the_window_is_a_preset_moved_or_widened():
    assert after("2").window == (-500.0, 1500.0)
    # A tenth of 400 upwards; 0.8 of the width about the middle, 40.
    assert after("comma").window == pytest.approx((-120.0, 280.0))
    assert after("minus").window == pytest.approx((-120.0, 200.0))
    assert after("minus", "plus").window == pytest.approx(START.window)
    assert "no such window" in after("5").message


def test_the_plane_and_the_box_are_moved_by_the_same_keys():
    plane = after("c", "y", "t", "t")
    assert (plane.cut, plane.plane, plane.plane_axis) == (Cut.PLANE, 0.54, 1)
    assert after("c", "f").flipped
    box = after("c", "c", "b", "g", "g")
    assert box.cut is Cut.BOX
    assert box.box == (0.0, 0.96, 0.0, 1.0, 0.0, 1.0)
    # A side never passes the one opposite to it.
    assert after("c", "c", *["t"] * 60).box[0] == 1.0
    assert after("c", "c", "c").cut is Cut.NONE


def test_two_points_make_a_distance_and_three_an_angle():
    state = after("m")
    assert state.measuring is Measuring.DISTANCE
    state = with_point(with_point(state, (0.0, 0.0, 0.0)), (3.0, 4.0, 0.0))
    assert state.measures[-1].words == "5.0 mm"
    assert state.pending == ()
    state = after("m", state=state)
    for point in ((1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 7.0, 0.0)):
        state = with_point(state, point)
    assert state.measures[-1].words == "90.0°"
    assert len(after("BackSpace", state=state).measures) == 1
    assert with_point(START, (0.0, 0.0, 0.0)) == START
    assert Measure(((0, 0, 0), (0, 0, 0), (1, 0, 0))).words == "0.0°"


@pytest.mark.parametrize(
    ("side", "from_where"),
    [("A", (0, -1, 0)), ("L", (1, 0, 0)), ("R", (-1, 0, 0)), ("S", (0, 0, 1))],
)
def test_the_camera_stands_on_the_named_side(side, from_where):
    camera = after(side).camera
    assert camera.focus == (0.0, 0.0, 0.0)
    reach = (80**2 + 60**2 + 48**2) ** 0.5
    assert camera.position == pytest.approx([2 * reach * x for x in from_where])


def test_colours_go_round_what_there_is():
    assert after("d").colours == "deviation"
    assert after("d", "d").colours == "label"
    plain = replace(FACTS, colours=("label",))
    assert "no values" in after("d", facts=plain).message


def test_without_an_image_slices_say_so_and_nothing_breaks():
    facts = replace(FACTS, shape=None, windows=())
    for key in KEYS:
        state = press(first_state(facts), facts, key)
        assert state.layout is Layout.SCENE
        assert not state.slices_shown
    assert "no image" in after("s", state=first_state(facts), facts=facts).message
    assert with_slice(first_state(facts), facts, 0, 3).slices == (0, 0, 0)


def test_with_nothing_to_show_every_key_still_does_no_harm():
    nothing = Facts((), ())
    for key in KEYS:
        press(first_state(nothing), nothing, key)


def test_an_image_alone_opens_with_its_slices():
    state = first_state(replace(FACTS, names=(), opacities=()))
    assert state.slices_shown
    assert state.layout is Layout.FOUR


def test_help_names_every_key():
    written = " ".join(keys for keys, _ in help_lines())
    for word in ("h", "tab", "[", "page up", "A P L R S I", "1 … 5", "enter", "q"):
        assert word in written
    assert not {key for key, _, _ in SESSION_KEYS} & set(KEYS)


def test_a_saved_view_comes_back_whole(tmp_path):
    state = after("Down", "v", "c", "t", "2", "Tab", "m", "L")
    state = with_point(with_point(state, (1.0, 2.0, 3.0)), (4.0, 6.0, 3.0))
    path = tmp_path / "view.json"
    save_view(state, path)
    assert load_view(path, FACTS) == replace(state, message="")


def test_a_view_of_another_run_is_fitted_to_this_one(tmp_path):
    path = tmp_path / "view.json"
    save_view(after("Down", "v", "Prior", "d", "Down"), path)
    small = Facts(("bone", "heart"), (1.0, 0.5), shape=(10, 10, 10), windows=((0.0, 1.0),))
    state = load_view(path, small)
    assert [(x.name, x.visible, x.opacity) for x in state.looks] == [
        ("bone", False, 1.0),
        ("heart", True, 0.5),
    ]
    assert state.slices == (9, 9, 9)
    assert (state.chosen, state.colours) == (1, "label")


@pytest.mark.parametrize("text", ["", "[]", '{"view": {}}', '{"view": {"axis": 7}}'])
def test_a_file_that_is_no_view_is_refused(tmp_path, text):
    path = tmp_path / "view.json"
    path.write_text(text, "utf-8")
    with pytest.raises(DamagedInputError):
        load_view(path, FACTS)
