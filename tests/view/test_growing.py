"""A structure grown in the viewer by keys and mouse is the one that `medrecon grow` writes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hands import Hands

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.files.nifti import write_volume
from medrecon.options import Grid, LoadOptions, Options, OutputOptions
from medrecon.recipes.growing import CLICKS_FILE, grow_study
from medrecon.recipes.growing_live import LiveGrower, Place, place_of
from medrecon.segmentation.guided.clicks import read_guidance
from medrecon.view.content import content_of
from medrecon.view.pointing import box_on_slice

WIDTH, HEIGHT = 1200, 800
GRID = Geometry((64, 60, 56), (1.0, 1.0, 1.0), (-32.0, -30.0, -28.0))
MIDDLE, RADIUS = np.array((-4.0, 0.0, 2.0)), 14.0


def image() -> Volume:
    """A ball of 110 HU and 14 mm about (−4, 0, 2) in 10 HU, noise of 8."""
    i, j, k = np.indices(GRID.shape)
    places = np.stack([i - 32.0, j - 30.0, k - 28.0], axis=-1)
    values = np.where(((places - MIDDLE) ** 2).sum(axis=-1) < RADIUS**2, 110.0, 10.0)
    values += np.random.default_rng(3).normal(0, 8, values.shape)
    array = np.asfortranarray(np.rint(values).astype(np.int16))
    return Volume(array, GRID, Acquisition(Modality.CT, HuStatus.VERIFIED))


def test_the_window_is_told_all_that_was_asked_of_the_scan(tmp_path):
    load = LoadOptions(series=3, frame=2, modality=Modality.MR, skip_bad=True, max_memory_gb=2.0)
    place = Place(tmp_path / "in", tmp_path / "out", load)
    assert place_of(json.loads(json.dumps(place.as_plain()))) == place


class Driver(Hands):
    """Hands that wait for the viewer's thread as a person would."""

    def __init__(self, folder: Path) -> None:
        write_volume(image(), folder / "ct.nii.gz")
        self.place = Place(folder / "ct.nii.gz", folder / "out")
        grower = LiveGrower(place_of(self.place.as_plain()))
        super().__init__(folder, content_of((), image()), (WIDTH, HEIGHT), grower=grower)

    @property
    def growing(self):
        return self.session.growing

    def draw(self, *pixels_: tuple[int, int], shift: bool = False) -> None:
        """Down at the first pixel, over the others, up at the last."""
        for n, (x, y) in enumerate(pixels_):
            self.interactor.SetEventInformation(x, y, 0, int(shift), "\0", 0, None)
            self.interactor.MouseMoveEvent()
            if n == 0:
                self.interactor.LeftButtonPressEvent()
        self.interactor.LeftButtonReleaseEvent()

    def pixel(self, axis: int, point) -> tuple[int, int]:
        """Where a panel shows a point."""
        (panel,) = (p for p in self.session.drawing.panels if p.axis == axis)
        panel.renderer.SetWorldPoint(*point, 1.0)
        panel.renderer.WorldToDisplay()
        x, y, _ = panel.renderer.GetDisplayPoint()
        return int(x), int(y)

    def wait(self) -> None:
        """Until the thread has nothing more to do, looking as the timer does."""
        until = time.monotonic() + 300
        self.interactor.TimerEvent()
        while self.growing.is_busy:
            assert time.monotonic() < until, "the structure does not come"
            time.sleep(0.02)
            self.interactor.TimerEvent()


@pytest.fixture
def viewer(tmp_path) -> Driver:
    driver = Driver(tmp_path)
    driver.keys("r", "Return")
    return driver


def ball_ml() -> float:
    return float(4 / 3 * np.pi * RADIUS**3 / 1000)  # 11.49 mL


@pytest.mark.opengl
def test_clicks_in_two_slices_grow_what_the_command_line_grows_from_their_file(viewer):
    before = viewer.picture()
    viewer.draw(viewer.pixel(2, (-4.0, 0.0, 0.0)))
    viewer.wait()
    assert viewer.growing.grown.volume_ml == pytest.approx(ball_ml(), rel=0.08)
    assert f"{viewer.growing.grown.volume_ml:.1f} mL" in viewer.session.state.message
    viewer.draw(viewer.pixel(1, (14.0, 0.0, 2.0)), shift=True)
    viewer.wait()
    inside, outside = viewer.growing.now.told.seeds
    assert inside.inside
    assert not outside.inside
    # A pixel of the panels is 0.3 mm; the coronal slice is the one clicked through.
    assert outside.points_mm[0] == pytest.approx((14.0, 0.0, 2.0), abs=0.6)
    assert (viewer.picture("grown") != before).any()
    live = viewer.growing.grown
    viewer.keys("a")
    viewer.wait()
    assert viewer.session.state.message.startswith("written: out/tumor")
    # The same seeds by the command line's recipe: the same bytes.
    clicks = viewer.folder / "out" / "tumor" / CLICKS_FILE
    again = viewer.folder / "again"
    grow_study(viewer.place.source, read_guidance(clicks), output=again)
    for name in ("meshes/tumor.stl", "labels.nii.gz", "statistics.json"):
        one, other = viewer.folder / "out" / "tumor" / name, again / name
        assert one.read_bytes() == other.read_bytes()
    (row,) = json.loads((again / "statistics.json").read_text())["structures"]
    assert live.volume_ml == pytest.approx(row["volume_ml"], rel=1e-3)


@pytest.mark.opengl
def test_everything_goes_by_keys_alone(viewer):
    # The crossing begins in the middle of the image, (0, 0, 0): inside the ball.
    viewer.keys("i")
    viewer.wait()
    first = viewer.growing.grown
    assert first.volume_ml == pytest.approx(ball_ml(), rel=0.15)
    viewer.keys("x", *["Prior"] * 2, "n")
    viewer.wait()
    assert viewer.growing.now.told.seeds[1].points_mm[0][0] == pytest.approx(20.0)
    viewer.keys("u")
    viewer.wait()
    assert np.array_equal(viewer.growing.grown.mesh.vertices_mm, first.mesh.vertices_mm)
    viewer.keys("BackSpace")
    viewer.wait()
    assert viewer.growing.grown is None
    viewer.keys("a")
    assert "click inside" in viewer.session.state.message
    viewer.keys("Escape")
    assert not viewer.growing.now.on
    viewer.keys("h")
    assert viewer.session.state.help_shown


@pytest.mark.opengl
def test_a_stroke_and_a_box_are_drawn_on_one_slice(viewer):
    viewer.keys("k")
    path = [viewer.pixel(2, (x, 0.0, 0.0)) for x in (-12, -8, -4, 0, 4)]
    viewer.draw(*path)
    viewer.wait()
    (stroke,) = viewer.growing.now.told.seeds
    assert len(stroke.points_mm) >= 3
    assert all(y == pytest.approx(0, abs=0.6) for _, y, _ in stroke.points_mm)
    viewer.keys("u", "k")
    corners = [viewer.pixel(2, (x, y, 0.0)) for x, y in ((-20, -16), (12, 16))]
    viewer.draw(*corners)
    viewer.wait()
    low, high = np.sort(viewer.growing.now.told.box_mm, axis=0)
    # 32 mm wide both ways, so 32 mm up and down from the slice, within the image.
    assert low == pytest.approx((-20, -16, -28.5), abs=0.7)
    assert high == pytest.approx((12, 16, 27.5), abs=0.7)
    assert viewer.growing.grown.volume_ml == pytest.approx(ball_ml(), rel=0.1)
    viewer.picture("box")


@pytest.mark.opengl
def test_the_name_is_typed_and_the_cursor_says_where_it_is(tmp_path):
    viewer = Driver(tmp_path)
    viewer.keys("r", "l", "e", "s", "i", "o", "n", "minus", "2", "Return")
    assert viewer.growing.now.name == "lesion_2"
    viewer.draw(viewer.pixel(2, (-4.0, 0.0, 0.0)))
    viewer.wait()
    x, y = viewer.pixel(2, (25.0, -20.0, 0.0))
    viewer.interactor.SetEventInformation(x, y, 0, 0, "\0", 0, None)
    viewer.interactor.MouseMoveEvent()
    words = viewer.session.drawing.cursor.words
    _, at_x, at_y, _, _, _, value, unit = words.split()
    assert (float(at_x), float(at_y)) == pytest.approx((25, -20), abs=0.6)
    assert float(value) == pytest.approx(10, abs=40)
    assert unit == "HU"


@pytest.mark.opengl
def test_the_window_lives_while_the_thread_works(viewer):
    viewer.draw(viewer.pixel(2, (-4.0, 0.0, 0.0)))
    assert viewer.growing.is_busy
    # Keys and clicks go on meanwhile; what came meanwhile is grown at once, in the end.
    viewer.keys("2", "z", "Right")
    # The click went through z = 0, index 28.
    assert viewer.session.state.slices[2] == 29
    viewer.draw(viewer.pixel(1, (20.0, 0.0, 2.0)), shift=True)
    viewer.wait()
    assert len(viewer.growing.now.told.seeds) == 2
    assert viewer.growing.grown.volume_ml == pytest.approx(ball_ml(), rel=0.1)


def test_a_box_on_a_second_slice_keeps_what_the_first_said():
    first = box_on_slice(GRID, (-10.0, -5.0, 0.0), (10.0, 5.0, 0.0), 2, None)
    # 20 mm wide: 20 mm to either side of the slice.
    assert np.sort(first, axis=0).ravel() == pytest.approx((-10, -5, -20, 10, 5, 20))
    second = box_on_slice(GRID, (0.0, -8.0, -6.0), (0.0, 8.0, 9.0), 0, first)
    assert np.sort(second, axis=0).ravel() == pytest.approx((-10, -8, -6, 10, 8, 9))


def test_a_run_is_grown_in_below_itself_and_a_scan_elsewhere(tmp_path):
    from medrecon.recipes.view import collect, place_to_grow

    write_volume(image(), tmp_path / "ct.nii.gz")
    scan = place_to_grow([tmp_path / "ct.nii.gz"], tmp_path / "new")
    assert scan.output == tmp_path / "new"
    told = read_guidance_of({"clicks": [{"lps_mm": [-4, 0, 2]}]}, tmp_path)
    plain = Options(output=OutputOptions(Grid.NATIVE, preview=False))
    grow_study(tmp_path / "ct.nii.gz", told, output=tmp_path / "run", options=plain)
    run = place_to_grow([tmp_path / "run"], tmp_path / "new")
    assert run.output == tmp_path / "run" / "grown"
    assert "written: grown/cyst" in LiveGrower(run).accept(told_of(told), "cyst")
    names = [m.label.name for m in collect([tmp_path / "run"]).runs[0].meshes]
    assert names == ["tumor", "cyst"]
    (tmp_path / "a.stl").touch()
    assert place_to_grow([tmp_path / "a.stl"], tmp_path / "new") is None


def read_guidance_of(content, folder: Path):
    (folder / "c.json").write_text(json.dumps(content))
    return read_guidance(folder / "c.json")


def told_of(guidance):
    from medrecon.view.pointing import Seed, Told

    return Told(tuple(Seed(c.points_mm, c.inside) for c in guidance.clicks), guidance.box_mm)
