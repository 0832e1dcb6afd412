"""Each operation on shapes whose result is known."""

import itertools

import numpy as np
import pytest
import trimesh
from manifold3d import Manifold
from printing_shapes import ball, block, points_of

from medrecon.core import Label, Space
from medrecon.core.labels import SnomedCode
from medrecon.core.nearest import distance_to_surface
from medrecon.errors import DamagedInputError, GeometryError, UsageError
from medrecon.printing.cut import Pins, Plane, add_pins, cut_in_two
from medrecon.printing.engrave import Inscription, engrave, recessed
from medrecon.printing.fit import Boolean, combined, margin_shell, with_gap
from medrecon.printing.glyphs import drawn_lines, pen_mm, strokes
from medrecon.printing.hollow import DrainPlan, drain_holes, hollows_of
from medrecon.printing.sides import side_letter
from medrecon.printing.solids import mesh_of, solid_of
from medrecon.printing.stand import DIRECTIONS, flattened, onto_bed, rotation_up, turned_up
from medrecon.printing.vessel import flat_caps, vessel_wall

LABEL = Label(1, "part")


def test_a_wall_is_as_thick_as_asked_and_its_hollow_drains():
    outer = ball(15.0)
    (hollow,) = hollows_of(outer, 2.0)
    wall = distance_to_surface(points_of(hollow), outer.vertices_mm, outer.faces)
    assert np.abs(wall - 2.0).max() <= 0.1
    solid = solid_of(outer)
    holes, drains = drain_holes(solid, hollow, DrainPlan(4.0, 2, 2.0))
    assert len(drains) == 2
    assert drains[0].place_mm[2] < 0 < drains[1].place_mm[2]
    # Two holes out of one hollow make a tube: one piece of surface, genus 1.
    drained = solid - hollow - holes
    assert len(drained.decompose()) == 1
    assert drained.genus() == 1
    with pytest.raises(UsageError, match="too thin"):
        hollows_of(ball(2.5), 2.0)
    with pytest.raises(UsageError, match="more than 0"):
        hollows_of(outer, 0.0)


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.0, 0.6, 0.8)])
def test_pins_fit_with_the_clearance_asked(normal):
    plane, pins = Plane(normal, 1.0), Pins(diameter_mm=4.0, length_mm=4.0, clearance_mm=0.3)
    solid = solid_of(ball(20.0))
    beyond, before = cut_in_two(solid, plane)
    assert beyond.volume() + before.volume() == pytest.approx(solid.volume(), rel=1e-9)
    female, male, placed = add_pins(beyond, before, plane, pins)
    assert len(placed) == 2
    # Put together, nothing overlaps; moved along the plane by less than the clearance,
    # still nothing does; by more, the pins hit.
    along = np.cross(normal, (1.0, 0.0, 0.0))
    along /= np.linalg.norm(along)
    for move_mm, overlaps in ((0.0, False), (0.29, False), (0.36, True)):
        moved = male.translate(tuple(move_mm * along - 1e-6 * np.asarray(normal)))
        assert ((moved ^ female).volume() > 1e-3) is overlaps
    # Before the tip too: the pin ends 4.0 beyond the plane, the socket 4.3.
    depth = points_of(male) @ normal
    assert depth.max() == pytest.approx(plane.offset_mm + 4.0, abs=1e-6)
    for pin in placed:
        foot = np.asarray(pin.foot_mm)
        (hit,) = female.ray_cast(foot + 0.1 * np.asarray(normal), foot + 6 * np.asarray(normal))[:1]
        assert (np.asarray(hit.position) - foot) @ normal == pytest.approx(4.3, abs=1e-6)


def test_a_cut_that_misses_or_has_no_room_for_pins_is_refused():
    solid = solid_of(block((10, 3, 20)))
    with pytest.raises(UsageError, match="misses the part"):
        cut_in_two(solid, Plane((0.0, 0.0, 1.0), 50.0))
    plane = Plane((0.0, 0.0, 1.0), 0.0)
    beyond, before = cut_in_two(solid, plane)
    with pytest.raises(UsageError, match="no room for pins"):
        add_pins(beyond, before, plane, Pins())


def test_letters_are_cut_to_their_depth_and_read_from_outside():
    solid = solid_of(block((60, 30, 30)))
    what = Inscription(("R-17",), height_mm=8.0, depth_mm=0.8, side="front")
    engraved, found = engrave(solid, what)
    removed = solid - engraved
    area = drawn_lines(("R-17",), 8.0, None, least_ridge_mm=0.5).area()
    assert removed.volume() == pytest.approx(area * 0.8, rel=1e-6)
    assert found.stroke_mm == pytest.approx(pen_mm(8.0), abs=1e-3)
    # Seen from the front (y grows away), the first letter is on the left: R has a stroke
    # all along its left side, 7 has none; more is taken in the left half.
    left, _ = removed.split_by_plane((-1.0, 0.0, 0.0), 0.0)
    assert left.volume() > 0.5 * removed.volume()
    low = points_of(removed).min(axis=0)
    assert low[1] == pytest.approx(-15.0, abs=1e-6)
    # What hollows are made from is sunk by the depth under the whole label.
    sunk = recessed(solid, found)
    lost = (found.width_mm + 3) * (found.tall_mm + 3) * 0.8
    assert solid.volume() - sunk.volume() == pytest.approx(lost, rel=1e-6)
    assert (sunk - engraved).volume() == pytest.approx(0, abs=1e-6)


def test_a_scale_bar_is_as_long_as_it_says():
    shape = drawn_lines((), 5.0, 20.0)
    low, _, high, _ = shape.bounds()
    assert high - low == pytest.approx(20.0, abs=1e-6)


def test_labels_shrink_or_are_refused_where_there_is_no_room():
    _, found = engrave(solid_of(ball(20.0)), Inscription(("CASE 1",), 8.0))
    assert found.height_mm < 8.0
    with pytest.raises(UsageError, match="no flat place"):
        engrave(solid_of(ball(4.0)), Inscription(("A LONG CASE NUMBER",), 6.0))
    with pytest.raises(UsageError, match="cannot be engraved"):
        engrave(solid_of(ball(20.0)), Inscription(("Ä",)))


def test_every_letter_of_the_font_is_inside_its_box():
    assert set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:") <= set(strokes())
    for lines in strokes().values():
        for x, y in itertools.chain.from_iterable(lines):
            assert -0.1 <= x <= 4.5
            assert -1.1 <= y <= 7.1
    shapes = [frozenset(lines) for lines in strokes().values()]
    assert len(set(shapes)) == len(shapes)


def test_parts_join_and_part():
    one, two = solid_of(block((10, 10, 10))), solid_of(block((10, 10, 10), (5, 0, 0)))
    volumes = {how: combined(one, how, two).volume() for how in Boolean}
    assert volumes[Boolean.UNION] == pytest.approx(1500)
    assert volumes[Boolean.DIFFERENCE] == pytest.approx(500)
    assert volumes[Boolean.INTERSECTION] == pytest.approx(500)
    far = solid_of(block((1, 1, 1), (50, 0, 0)))
    with pytest.raises(UsageError, match="nothing is left"):
        combined(one, Boolean.INTERSECTION, far)


def test_a_gap_is_as_wide_as_asked():
    core = ball(8.0)
    outer = with_gap(solid_of(ball(15.0)), core, 0.4)
    inner = np.linalg.norm(points_of(outer), axis=1)
    inner = inner[inner < 10]
    # Facets of the core lie up to 0.02 mm inside its sphere.
    assert np.abs(inner - 8.4).max() <= 0.05


def test_margins_are_shells_around_a_tumour_kept_in_its_organ():
    tumour = ball(6.0)
    shell = margin_shell(tumour, 0, 5, None)
    assert shell.volume() == pytest.approx(4 / 3 * np.pi * (11**3 - 6**3), rel=0.02)
    organ = solid_of(block((40, 40, 40), (20, 0, 0)))
    half = margin_shell(tumour, 5, 10, organ)
    assert half.volume() == pytest.approx(2 / 3 * np.pi * (16**3 - 11**3), rel=0.02)
    with pytest.raises(UsageError, match="from less to more"):
        margin_shell(tumour, 5, 5, None)


def test_a_vessel_wall_grows_outwards_and_is_open_at_both_ends():
    lumen_part = trimesh.creation.cylinder(4.0, 30.0, sections=96)
    lumen = block(name="x")
    lumen = type(lumen)(lumen_part.vertices, lumen_part.faces, LABEL)
    assert len(flat_caps(lumen)) == 2
    wall, caps = vessel_wall(lumen, 1.5)
    assert {round(c.centre_mm[2]) for c in caps} == {-15, 15}
    # A tube: π·(5.5² − 4²)·30 = 1343 mm³, one hole through it.
    assert wall.volume() == pytest.approx(np.pi * (5.5**2 - 4**2) * 30, rel=0.02)
    assert wall.genus() == 1
    radius = np.linalg.norm(points_of(wall)[:, :2], axis=1)
    assert radius.min() >= 3.99
    assert radius.max() == pytest.approx(5.5, abs=0.05)
    with pytest.raises(UsageError, match="no flat end"):
        vessel_wall(ball(5.0), 1.0)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_turning_up_never_mirrors(name):
    matrix = rotation_up(DIRECTIONS[name])
    assert np.allclose(matrix[:3, :3] @ DIRECTIONS[name], (0, 0, 1))
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1)


def test_auto_stands_a_table_on_its_top():
    # A plate on a leg hangs over 384 mm² as it is, and over nothing upside down.
    plate = solid_of(block((20, 20, 2), (0, 0, 11)))
    table = plate + solid_of(block((4, 4, 10.5), (0, 0, 5.25)))
    matrix = turned_up("auto", table, overhang_deg=45)
    assert np.allclose(matrix[:3, :3] @ (0, 0, -1), (0, 0, 1))
    assert (turned_up("auto", table, overhang_deg=None) == np.eye(4)).all()
    with pytest.raises(UsageError, match="no direction"):
        turned_up("sideways", table, overhang_deg=45)


def test_a_base_is_flat_and_on_the_bed():
    flat = flattened(solid_of(ball(10.0, (5, 6, 7))), 1.0)
    standing = flat.transform(onto_bed(flat)[:3])
    points = points_of(standing)
    assert points[:, 2].min() == pytest.approx(0, abs=1e-9)
    on_bed = points[points[:, 2] < 1e-6]
    # The chord 1 mm above the bottom of a sphere of 10 mm: √(10² − 9²) = 4.36 mm.
    assert np.linalg.norm(on_bed[:, :2], axis=1).max() == pytest.approx(4.36, abs=0.05)
    with pytest.raises(UsageError, match="a base of"):
        flattened(standing, 30.0)


def test_the_side_is_told_only_when_all_agree():
    right = ball(10.0, (-60, 0, 0), "kidney_right")
    right = type(right)(right.vertices_mm, right.faces, right.label)
    assert side_letter(right, middle_x_mm=0.0) == "R"
    assert side_letter(right, middle_x_mm=0.0, laterality="R") == "R"
    with pytest.raises(GeometryError, match="Laterality says L"):
        side_letter(right, middle_x_mm=0.0, laterality="L")
    with pytest.raises(GeometryError, match="place says L"):
        side_letter(right, middle_x_mm=-100.0)
    with pytest.raises(UsageError, match="middle"):
        side_letter(right, middle_x_mm=-62.0)
    with pytest.raises(UsageError, match="not known"):
        side_letter(right, middle_x_mm=None)
    with pytest.raises(UsageError, match="names no side"):
        side_letter(ball(10.0, (-60, 0, 0)), middle_x_mm=0.0)
    wrong = Label(1, "kidney_right", code=SnomedCode("18639004", "Left kidney"))
    with pytest.raises(GeometryError, match="concept"):
        side_letter(type(right)(right.vertices_mm, right.faces, wrong), middle_x_mm=0.0)


def test_what_bounds_no_solid_is_refused_and_what_is_made_says_its_frame():
    whole = block()
    with pytest.raises(DamagedInputError, match="bounds no solid"):
        solid_of(type(whole)(whole.vertices_mm, whole.faces[1:], LABEL))
    assert mesh_of(Manifold.cube((1, 1, 1)), LABEL).space is Space.PRINT
