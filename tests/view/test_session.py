"""The viewer drawn off-screen and driven by keys and by the mouse, as a person would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from hands import Hands
from pictures import pixels

from medrecon.core import Acquisition, Geometry, HuStatus, Label, Mesh, Modality, Volume
from medrecon.errors import RenderingError
from medrecon.view import window
from medrecon.view.content import Content, Shown, content_of, hand_over, take_over
from medrecon.view.window import Request, open_viewer

RIGHT, LEFT = (-20.0, 0.0, 0.0), (20.0, 0.0, 0.0)
WIDTH, HEIGHT = 600, 400


def ball(name: str, centre, color) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=12.0)
    sphere.apply_translation(centre)
    return Mesh(sphere.vertices, sphere.faces, Label(1, name, color))


def scene() -> Content:
    """A red ball at the patient's right, a blue one at the left, in an image of 50 HU."""
    meshes = (ball("liver", RIGHT, (200, 40, 40)), ball("spleen", LEFT, (40, 40, 200)))
    height = {m.label.name: m.vertices_mm[:, 2] / 10 for m in meshes}
    geometry = Geometry((80, 60, 25), (1.0, 1.0, 2.0), (-40.0, -30.0, -24.0))
    array = np.full(geometry.shape, 50, np.int16)
    volume = Volume(array, geometry, Acquisition(Modality.CT, HuStatus.VERIFIED))
    return content_of((Shown("", meshes, {"deviation": height}),), volume)


class Driver(Hands):
    """Hands in the view from the front."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, scene(), (WIDTH, HEIGHT))

    @property
    def state(self):
        return self.session.state

    def drag(self, x: int, y: int, dx: int = 0, dy: int = 0) -> None:
        self.interactor.SetEventInformation(x, y, 0, 0, "\0", 0, None)
        self.interactor.MouseMoveEvent()
        self.interactor.LeftButtonPressEvent()
        self.interactor.SetEventInformation(x + dx, y + dy, 0, 0, "\0", 0, None)
        self.interactor.MouseMoveEvent()
        self.interactor.LeftButtonReleaseEvent()

    def pixel(self, point_lps) -> tuple[int, int]:
        """Where a point shows in the view from the front: LPS x to the right, z up."""
        per_mm = HEIGHT / 2 / self.session.drawing.camera().half_height_mm
        x, _, z = point_lps
        return round(WIDTH / 2 + x * per_mm), round(HEIGHT / 2 + z * per_mm)

    def colour_at(self, point_lps) -> np.ndarray:
        x, y = self.pixel(point_lps)
        return self.picture()[HEIGHT - 1 - y, x]


@pytest.fixture
def viewer(tmp_path) -> Driver:
    return Driver(tmp_path)


@pytest.mark.opengl
def test_a_structure_is_hidden_by_a_key_and_turned_by_the_mouse(viewer):
    red, green, blue = viewer.colour_at(RIGHT)
    assert red > 2 * max(green, blue)
    viewer.keys("v")
    red, green, blue = viewer.colour_at(RIGHT)
    assert red < 1.3 * blue
    before = viewer.session.drawing.camera()
    viewer.drag(300, 200, 80, 0)
    assert viewer.session.drawing.camera().position != before.position
    assert viewer.state.measures == ()


@pytest.mark.opengl
def test_two_clicks_measure_the_distance_between_two_surfaces(viewer):
    viewer.keys("m")
    for centre in (RIGHT, LEFT):
        viewer.drag(*viewer.pixel(centre))
    (measure,) = viewer.state.measures
    # Both clicks meet the front of a ball, 40 mm apart; a pixel is 0.25 mm.
    assert float(measure.words.removesuffix(" mm")) == pytest.approx(40, abs=0.6)
    assert all(y == pytest.approx(-12, abs=0.1) for _, y, _ in measure.points)


@pytest.mark.opengl
def test_a_click_in_a_slice_moves_the_others_and_does_not_turn_the_scene(viewer):
    viewer.keys("Tab")
    camera = viewer.session.drawing.camera()
    # The axial panel is the upper third of the right 32 %; its middle is the image's.
    x, y = round(WIDTH * 0.84), round(HEIGHT * 5 / 6)
    viewer.drag(x + 20, y, 15, 5)
    assert viewer.session.drawing.camera() == camera
    # The panel's 133 pixels hold the 60 mm along P with 2 % of margin: 20 pixels are
    # 20 · 60 · 1.02 / 133 = 9 mm to the left, and the middle is at index 39.5.
    assert viewer.state.slices[0] == pytest.approx(39.5 + 9.2, abs=1.5)
    assert viewer.state.slices[2] == 12


@pytest.mark.opengl
def test_cut_colours_and_slices_change_the_picture(viewer):
    plain = viewer.picture()
    pictures = {}
    for keys in (("c",), ("c", "c", "t", "t", "t"), ("d",), ("s",), ("h",), ("Tab",)):
        viewer.keys("0", *keys)
        pictures[keys] = viewer.picture()
    assert all((p != plain).any() for p in pictures.values())
    # The front half of the ball is cut away: its middle shows the inside of the back.
    viewer.keys("0", "d")
    top, bottom = viewer.colour_at((-20, 0, 9)), viewer.colour_at((-20, 0, -9))
    assert top[0] > top[2]
    assert bottom[2] > bottom[0]


@pytest.mark.opengl
def test_help_in_a_small_window_leaves_the_sliders_and_hides_the_legend(viewer):
    plain = viewer.picture()
    viewer.keys("h")
    helped = viewer.picture()
    # The sliders take the lowest 76 pixels.
    assert (helped[-76:] == plain[-76:]).all()
    assert (helped[:-76] != plain[:-76]).any()
    # Beside the sheet, where the first structure's swatch was: the ground alone, which is even
    # along a row.
    row = helped[HEIGHT - (HEIGHT - 52), 16:26]
    assert np.ptp(row, axis=0).max() < 6


@pytest.mark.opengl
def test_the_view_is_written_and_read_and_a_picture_taken(viewer):
    viewer.keys("v", "L", "w")
    assert viewer.state.message == "written: view.json"
    saved = viewer.state
    viewer.keys("0")
    assert viewer.state.looks[0].visible
    viewer.keys("e")
    assert not viewer.state.looks[0].visible
    assert viewer.state.camera == saved.camera
    viewer.keys("p", "p")
    assert (viewer.folder / "view-2.png").stat().st_size > 1000


@pytest.mark.opengl
def test_the_child_draws_what_it_is_handed(tmp_path):
    path = tmp_path / "out.png"
    request = Request("v.json", str(tmp_path), keys=("v",), offscreen=str(path), size=(300, 200))
    open_viewer(scene(), request)
    assert pixels(path).shape == (200, 300, 3)


def test_what_is_handed_over_arrives(tmp_path):
    content = scene()
    hand_over(content, tmp_path)
    arrived = take_over(tmp_path)
    assert arrived.facts == content.facts
    one, other = content.runs[0].meshes[1], arrived.runs[0].meshes[1]
    assert np.array_equal(one.vertices_mm, other.vertices_mm)
    assert one.label.color == other.label.color
    assert np.array_equal(content.volume.array, arrived.volume.array)
    assert arrived.volume.geometry.is_close(content.volume.geometry)


def test_a_child_that_dies_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(window.sys, "executable", "/bin/false")
    with pytest.raises(RenderingError, match="libegl1"):
        open_viewer(scene(), Request("v.json", str(tmp_path), offscreen=str(tmp_path / "o.png")))
