"""The report in a real browser, opened from disk: turned, toggled, cut, scrolled, printed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import trimesh
from playwright.sync_api import Browser, Page, sync_playwright

from medrecon.core import Acquisition, Geometry, HuStatus, Label, Mesh, Modality, SoftField, Volume
from medrecon.report.page import scene_page, write_report

pytestmark = pytest.mark.browser

# Software GL, because a machine that tests has no graphics card; --no-sandbox for root.
ARGUMENTS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
CHROMIUM = "/usr/bin/chromium"
# Low, because a processor draws every pixel.
WIDE, NARROW = {"width": 1920, "height": 560}, {"width": 390, "height": 844}
RIGHT, LEFT = (-20.0, 0.0, 0.0), (20.0, 0.0, 0.0)


@dataclass
class Opened:
    """A page, and everything it said or asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def eval(self, expression: str):
        return self.page.evaluate(expression)

    def picture(self) -> str:
        """What the scene's canvas shows, drawn now."""
        return self.eval(
            """() => { medreconPage.scene.draw();
            return document.querySelector('#scene canvas').toDataURL(); }"""
        )

    def slice(self) -> str:
        """What the axial slice's canvas shows."""
        return self.eval("document.querySelector('[data-plane=axial] canvas').toDataURL()")


def ball(name: str, number: int, color: tuple[int, int, int], centre) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=12.0)
    sphere.apply_translation(centre)
    return Mesh(sphere.vertices, sphere.faces, Label(number, name, color))


def shifted_field() -> SoftField:
    """The right ball 0.4 mm further to the left than its mesh: positive inside."""
    grid = Geometry((40, 40, 40), (1.0, 1.0, 1.0), (-40.0, -19.5, -19.5))
    places = grid.mm_from_index(np.argwhere(np.ones(grid.shape)))
    away = np.linalg.norm(places - RIGHT - np.array((0.4, 0, 0)), axis=1)
    values = np.asfortranarray((12.0 - away).reshape(grid.shape).astype(np.float32))
    return SoftField(Label(1, "liver"), values, grid, (0, 0, 0))


def scan() -> Volume:
    """80 × 60 × 50 mm of air with a ball of 40 HU at the patient's right."""
    geometry = Geometry((80, 60, 25), (1.0, 1.0, 2.0), (-40.0, -30.0, -24.0))
    centres = geometry.mm_from_index(np.argwhere(np.ones(geometry.shape)))
    inside = np.linalg.norm(centres - RIGHT, axis=1).reshape(geometry.shape) < 12
    array = np.where(inside, 200, -1000).astype(np.int16)
    return Volume(array, geometry, Acquisition(Modality.CT, HuStatus.VERIFIED))


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("run") / "report.html"
    meshes = [ball("liver", 1, (200, 40, 40), RIGHT), ball("spleen", 2, (40, 40, 200), LEFT)]
    row = {"volume_ml": 7.2, "area_mm2": 1800.0, "mean_hu": 40.0, "triangles": 1280}
    structures = [
        {"name": m.label.name, "color": "#c82828", "truncated": False, **row} for m in meshes
    ]
    verdict = {"passed": True, "verdict": "pass; faithful to the segmentation within 0.10 mm"}
    run = {
        "run_id": "00",
        "software": {"medrecon": "0.1.0"},
        "volume": {"modality": "CT", "shape": [80, 60, 25], "spacing_mm": [1, 1, 2], "hu": "ok"},
        "options": {"mesh": {"tolerance_mm": 0.1}},
        "steps": [],
        "warnings": ["liver: 1 % of the surface uncertain"],
    }
    write_report(
        path,
        run=run,
        statistics={"structures": structures},
        quality={"meshes": {m.label.name: verdict for m in meshes}},
        meshes=meshes,
        volume=scan(),
        fields=[shifted_field()],
    )
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=[WIDE, NARROW], ids=["1920px", "390px"])
def opened(browser, report, request) -> Iterator[Opened]:
    page = browser.new_page(viewport=request.param)
    found = Opened(page)
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda asked: found.asked.append(asked.url))
    page.goto(report.as_uri())
    page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
    yield found
    # Whatever the tests did: no error, no word in the console, and one file, from disk.
    assert found.said == []
    assert found.asked == [report.as_uri()]
    page.close()


def test_the_scene_is_turned_by_mouse_and_by_keys(opened):
    before = opened.picture()
    canvas = opened.page.locator("#scene canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 60, y + 20, steps=4)
    opened.page.mouse.up()
    dragged = opened.picture()
    assert dragged != before
    opened.page.keyboard.press("ArrowLeft")
    assert opened.picture() != dragged
    # Seen from the left side the front is on the left, as in VIEWS.
    opened.page.keyboard.press("l")
    opened.picture()
    marks = [opened.page.locator(f".mark.{edge}").inner_text() for edge in ("left", "right", "top")]
    assert marks == ["A", "P", "S"]
    opened.page.keyboard.press("a")


def test_the_patients_right_is_on_the_left_of_the_front_view(opened):
    opened.picture()
    red = opened.eval(
        """() => { const c = document.querySelector('#scene canvas'), gl = c.getContext('webgl2');
        const p = new Uint8Array(4 * c.width * c.height);
        gl.readPixels(0, 0, c.width, c.height, gl.RGBA, gl.UNSIGNED_BYTE, p);
        let sum = 0, n = 0;
        for (let k = 0; k < p.length; k += 4)
          if (p[k] > 60 && p[k] > 2 * p[k + 2]) { sum += (k / 4) % c.width; n++; }
        return [sum / n / c.width, n]; }"""
    )
    assert red[1] > 100
    assert red[0] < 0.45


def test_a_structure_is_hidden_and_made_translucent(opened):
    before = opened.picture()
    row = opened.page.locator("[data-part='0']")
    row.locator("input[type=checkbox]").click()
    hidden = opened.picture()
    assert hidden != before
    assert opened.eval("medreconPage.parts.map(p => p.mesh.visible)") == [False, True]
    row.locator("input[type=checkbox]").focus()
    opened.page.keyboard.press("Space")
    assert opened.picture() == before
    row.locator("input[type=range]").fill("30")
    assert opened.picture() != before
    assert opened.eval("medreconPage.parts[0].material.opacity") == 0.3
    row.locator("input[type=range]").fill("100")


def test_the_surface_is_coloured_by_its_deviation_with_a_scale_in_mm(opened):
    before = opened.picture()
    assert not opened.page.locator("#scale").is_visible()
    opened.page.select_option("#colour-by", "deviation")
    assert opened.picture() != before
    # 0.4 mm off at most: the ends are the next of 1, 2, 5.
    assert opened.page.locator("#scale .ticks").inner_text().split("\n") == [
        "-0.5 mm", "0 mm", "+0.5 mm"
    ]  # fmt: skip
    # At its right end, where x is least, the mesh lies 0.4 mm outside, at its left one inside.
    ends = opened.eval(
        """() => { const [p] = medreconPage.parts, v = p.values.deviation, x = p.positions;
        const at = [...v.keys()].sort((a, b) => x[3 * a] - x[3 * b]);
        return [at[0], at[at.length - 1]].map(n => -0.5 + v[n] / 255); }"""
    )
    assert ends == pytest.approx([0.4, -0.4], abs=0.03)
    red, _, blue = opened.eval("[...medreconPage.parts[0].mesh.geometry.attributes.color.array]")[
        :3
    ]
    assert red != blue
    # The spleen has no field here: bare.
    assert opened.eval("medreconPage.parts[1].material.color.getHexString()") == "b8b8b8"
    opened.page.select_option("#colour-by", "uncertainty")
    assert opened.page.locator("#scale figcaption").inner_text().startswith("uncertainty")
    opened.page.select_option("#colour-by", "")
    assert opened.picture() == before


def test_the_scene_is_cut(opened):
    before = opened.picture()
    opened.page.select_option("#clip-axis", "2")
    assert opened.picture() != before
    assert opened.page.locator("#clip-told").inner_text() == "0 mm"
    opened.page.select_option("#clip-axis", "-1")
    assert opened.picture() == before


def test_slices_are_scrolled_and_show_outlines(opened):
    axial = opened.page.locator("[data-plane=axial] canvas")
    # Slice 13 of 25 lies at −24 + 12·2 = 0 mm, through the middle of both balls.
    assert opened.page.locator("[data-plane=axial] output").inner_text() == "13 / 25 · 0.0 mm"
    first = opened.slice()
    axial.focus()
    opened.page.keyboard.press("ArrowUp")
    assert opened.page.locator("[data-plane=axial] output").inner_text() == "14 / 25 · 2.0 mm"
    assert opened.slice() != first
    opened.page.locator("[data-plane=axial] input").fill("0")
    assert opened.page.locator("[data-plane=axial] output").inner_text() == "1 / 25 · -24.0 mm"
    opened.page.locator("[data-plane=axial] input").fill("12")
    with_outlines = opened.slice()
    opened.page.locator("#outlines").click()
    assert opened.slice() != with_outlines
    opened.page.locator("#outlines").click()


def test_the_image_stands_under_its_outline(opened):
    # In the axial slice through the middle, the ball of 200 HU fills columns 8 to 32 of 80.
    grey = opened.eval(
        """() => { const s = medreconPage.slices, [w, h] = s.header.shape;
        return [20, 60, 4].map(i => s.values[s.levels[12 * w * h + 30 * w + i]]); }"""
    )
    assert grey == pytest.approx([200, -1000, -1000], abs=40)


def test_the_window_changes_the_greys_and_a_click_moves_the_other_slices(opened):
    axial = opened.page.locator("[data-plane=axial] canvas")
    soft = opened.slice()
    opened.page.select_option("#window", "1")
    assert opened.slice() != soft
    box = axial.bounding_box()
    axial.click(position={"x": box["width"] * 0.256, "y": box["height"] * 0.5})
    # 0.256 of 80 columns is in the one of index 20, at −40 + 20 mm.
    assert opened.page.locator("[data-plane=sagittal] output").inner_text() == "21 / 80 · -20.0 mm"


def test_nothing_is_wider_than_the_window_and_everything_prints(opened):
    assert opened.eval("document.documentElement.scrollWidth <= innerWidth")
    assert opened.page.pdf(format="A4")[:5] == b"%PDF-"


def test_every_control_is_reached_with_the_tab_key_and_has_a_name(opened):
    controls = opened.eval(
        """() => [...document.querySelectorAll('button, select, input, canvas, summary')]
        .filter(e => e.checkVisibility()).map(e => [e.tabIndex, e.disabled || false,
          [e.getAttribute('aria-label'), e.closest('label')?.textContent, e.textContent]
          .find(words => words?.trim())])"""
    )
    assert len(controls) > 20
    for tab_index, disabled, name in controls:
        assert disabled or tab_index >= 0
        assert name


def test_a_page_of_an_image_alone_opens_without_a_word(browser, tmp_path):
    path = tmp_path / "image.html"
    path.write_text(scene_page((), scan()), "utf-8")
    page = browser.new_page(viewport=NARROW)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
    assert page.locator("[data-plane=coronal] output").inner_text().startswith("31 / 60")
    assert said == []
    page.close()
