"""What is asked for is in the copy and in its sidecar, or it is refused."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from manifold3d import Manifold
from printing_shapes import ball, block, mesh_of, points_of

from medrecon.core import Label, Mesh, Space
from medrecon.errors import UsageError
from medrecon.printing import solids
from medrecon.printing.cut import Pins
from medrecon.printing.engrave import Inscription, engrave
from medrecon.printing.fit import Boolean, with_gap
from medrecon.printing.glyphs import drawn_lines
from medrecon.printing.hollow import Ball, DrainPlan, drain_holes, hollows_of
from medrecon.printing.options import check_steps
from medrecon.printing.solids import solid_of
from medrecon.quality.thickness import wall_thickness
from medrecon.recipes.printing import Cut, Patient, Prepared, PrintOptions, prepare_prints

CUBE = block((40, 40, 40), name="cube")


def made(meshes, folder, patient=None, **asked) -> Prepared:
    return prepare_prints(
        meshes, PrintOptions("sla", **asked), output=folder / "print", patient=patient
    )


def lumen(name="vessel") -> Mesh:
    return mesh_of(trimesh.creation.cylinder(4.0, 30.0, sections=64), name)


def in_lps(part) -> Manifold:
    return solid_of(part.mesh).transform(np.linalg.inv(part.matrix)[:3])


def test_a_label_never_runs_over_an_edge_onto_another_surface():
    # From the front two faces side by side, 40 mm behind one another, both 30 mm wide. A
    # label of 47 mm would be cut into the nearer one only, half of it missing.
    near = solid_of(block((30, 20, 30), (-15, 0, 15)))
    far = solid_of(block((30, 20, 30), (15, 40, 15)))
    whole = near + far + solid_of(block((6, 60, 30), (0, 20, 15)))
    engraved, found = engrave(whole, Inscription(("ABCDEFGH",), 6.0, side="front"))
    area = drawn_lines(("ABCDEFGH",), found.height_mm, None, least_ridge_mm=0.5).area()
    assert (whole - engraved).volume() == pytest.approx(area * 0.8, rel=1e-6)


def test_letters_are_not_cut_through_a_wall():
    # 0.7 mm of wall under letters of 0.8 mm: the inside of an O would fall out.
    shell = solid_of(block((60, 20, 30))) - solid_of(block((58.6, 18.6, 28.6)))
    with pytest.raises(UsageError, match="no flat place"):
        engrave(shell, Inscription(("OAB",)))
    thick = solid_of(block((60, 20, 30))) - solid_of(block((57.2, 17.2, 27.2)))
    engraved, _ = engrave(thick, Inscription(("OAB",)))
    assert len(engraved.decompose()) == len(thick.decompose())


def test_a_base_is_not_cut_off_the_face_of_a_cut(tmp_path):
    low, high = made([CUBE], tmp_path, cuts=(Cut("z"),), base_mm=1.0).parts
    assert low.sidecar["size_mm"] == [40, 40, 19]
    assert low.sidecar["done"]["base_mm"] == 1.0
    assert high.sidecar["size_mm"] == [40, 40, 20]
    assert "base_mm" not in high.sidecar["done"]


def test_a_part_that_keeps_its_face_says_so(tmp_path):
    (words,) = made([CUBE], tmp_path, cuts=(Cut("z"),), base_mm=1.0).warnings
    assert "cube_2 stands on the face of its cut" in words


def test_every_cut_is_in_the_sidecar(tmp_path):
    parts = made([CUBE], tmp_path, cuts=(Cut("z"), Cut("x", 3.0)), pins=Pins()).parts
    for part in parts:
        cuts = part.sidecar["done"]["cuts"]
        assert [c["normal_lps"] for c in cuts] == [[0, 0, 1], [1, 0, 0]]
        assert [c["at_mm"] for c in cuts] == [0, 3]
        assert all(len(c["pins"]["feet_lps_mm"]) == 2 for c in cuts)


def test_a_gap_is_cut_into_a_vessels_wall_and_around_it(tmp_path):
    bar = block((4, 20, 4), (5, 0, 0), "bar")
    asked = {"vessels": (("vessel", 1.5),)}
    plain, _ = made([lumen(), bar], tmp_path / "plain", **asked).parts
    walled, _ = made([lumen(), bar], tmp_path / "a", **asked, gaps=(("vessel", "bar", 0.3),)).parts
    assert walled.mesh.volume_mm3 < plain.mesh.volume_mm3 - 10
    assert walled.sidecar["done"]["gaps"] == [{"other": "bar", "gap_mm": 0.3}]
    assert walled.sidecar["done"]["vessel"]["wall_mm"] == 1.5
    # The other way round the wall must fit into the bar, not the lumen.
    vessel, apart = made(
        [lumen(), bar], tmp_path / "b", **asked, gaps=(("bar", "vessel", 0.3),)
    ).parts
    radius = np.linalg.norm(points_of(in_lps(apart))[:, :2], axis=1)
    assert radius.min() == pytest.approx(4 + 1.5 + 0.3, abs=0.05)
    assert (in_lps(vessel) ^ in_lps(apart)).volume() == pytest.approx(0, abs=1e-6)


def test_a_gap_of_nothing_leaves_nothing_in_common():
    other = block((20, 20, 60))
    assert (with_gap(solid_of(CUBE), other, 0.0) ^ solid_of(other)).volume() < 1e-9


@pytest.mark.parametrize(
    "asked",
    [
        {"margins": (("cube", (5.0,), ""), ("cube", (5.0,), "ball"))},
        {"booleans": (("ball", "cube", Boolean.DIFFERENCE, "ball"),)},
        {"booleans": (("new", "cube", Boolean.DIFFERENCE, "ball"),) * 2},
    ],
)
def test_no_part_takes_the_place_of_another_in_silence(tmp_path, asked):
    with pytest.raises(UsageError, match="two parts would be called"):
        made([CUBE, ball(10.0, (20, 0, 0))], tmp_path, **asked)
    with pytest.raises(UsageError, match="two parts have one name"):
        made([CUBE, ball(10.0, name="cube")], tmp_path)
    with pytest.raises(UsageError, match="two walls"):
        made([lumen()], tmp_path, vessels=(("vessel", 1.0), ("vessel", 2.0)))
    assert not (tmp_path / "print").exists()


def test_names_that_differ_in_capitals_only_are_one_file_on_some_disks(tmp_path):
    with pytest.raises(UsageError, match="would be written"):
        made([CUBE, ball(10.0, (60, 0, 0), "CUBE")], tmp_path)


def test_a_part_made_of_others_carries_their_side(tmp_path):
    kidney = block((40, 40, 40), (-60, 0, 0), "kidney_right")
    tumour = ball(6.0, (-45, 0, 0), "tumor")
    asked = {
        "booleans": (("both", "kidney_right", Boolean.UNION, "tumor"),),
        "inscription": Inscription(("X",)),
        "engrave_side": True,
    }
    both = made([kidney, tumour], tmp_path, Patient(0.0), **asked, only=("both",))
    assert both.parts[0].sidecar["done"]["engraved"]["lines"] == ["X R"]
    assert both.parts[0].sidecar["done"]["boolean"] == "kidney_right + tumor"
    assert both.warnings == ()
    bare = {**asked, "booleans": (("both", "tumor", Boolean.UNION, "cube"),)}
    parts = [kidney, tumour, block(name="cube", at=(-45, 0, 0))]
    (words,) = made(parts, tmp_path / "none", Patient(0.0), **bare, only=("both",)).warnings
    assert "both carries no side" in words


def test_places_in_the_sidecar_are_those_of_the_scaled_copy(tmp_path):
    # 1 / 0.9 of 40 mm: the front is at y = −22.22, bed and top at 0 and 44.44.
    (part,) = made(
        [CUBE], tmp_path, hollow_mm=2.0, inscription=Inscription(("X",)), shrink_percent=(10,) * 3
    ).parts
    done = part.sidecar["done"]
    assert max(np.abs(done["engraved"]["centre_mm"][:2])) == pytest.approx(22.222, abs=2e-3)
    heights = sorted(d["place_mm"][2] for d in done["hollow"]["drains"])
    assert heights == pytest.approx([0, 44.444], abs=2e-3)


def test_drains_of_a_box_run_through_its_walls_not_along_them():
    (hollow,) = hollows_of(CUBE, 2.0)
    solid = solid_of(CUBE)
    holes, drains = drain_holes(solid, hollow, DrainPlan(4.0, 2, 2.0))
    # Two holes of 4 mm through 2 mm: 2·π·2²·2 = 50 mm³.
    assert ((solid - hollow) ^ holes).volume() == pytest.approx(50, rel=0.02)
    assert (solid - hollow - holes).genus() == 1
    assert len(drains) == 2
    with pytest.raises(UsageError, match=r"hollow 36\.0 mm wide"):
        drain_holes(solid, hollow, DrainPlan(60.0, 2, 2.0))


def test_drains_leave_no_skin_beside_the_rim_of_a_cut():
    # A pin in the middle of a half ball's cut: at its top only the rim is left for a hole,
    # which would leave a feather between itself and the outside. It goes down the side.
    half, _ = solid_of(ball(14.0)).split_by_plane((0.0, 0.0, -1.0), 0.0)
    (hollow,) = hollows_of(solids.mesh_of(half, Label(1, "half")), 2.0)
    taken = (Ball((0.0, 0.0, 0.0), 5.5),)
    holes, drains = drain_holes(half, hollow, DrainPlan(4.0, 2, 2.0, taken))
    empty = half - hollow - holes
    found = wall_thickness(solids.mesh_of(empty, Label(1, "half")), samples=60_000)
    assert found.least_mm is not None
    assert found.least_mm > 1.0
    assert drains[1].place_mm[2] > -8


def test_the_wall_is_whole_under_the_letters_and_every_hollow_has_its_holes(tmp_path):
    # 8 mm thick with walls of 3 mm: a hollow of 2 mm, of 1.2 mm under letters 0.8 mm deep.
    slab = block((60, 8, 30), name="slab")
    asked = {"hollow_mm": 3.0, "inscription": Inscription(("X",)), "drain_mm": 0.0}
    (part,) = made([slab], tmp_path, **asked).parts
    walls = part.sidecar["done"]["hollow"]["wall_mm"]
    assert walls["least"] >= 2.9
    letters = part.sidecar["done"]["engraved"]["centre_mm"]
    x, y, z = letters
    inward = -np.sign(y)
    (into, *_) = solid_of(part.mesh).ray_cast((x, y * 2, z), (x, -y * 2, z))
    assert into.position[1] == pytest.approx(y + 0.8 * inward, abs=1e-3)
    hits = [hit.position[1] for hit in solid_of(part.mesh).ray_cast((x, 2 * y, z), (x, -2 * y, z))]
    assert abs(hits[1] - hits[0]) >= 2.9


def test_the_verdict_is_that_of_triangles_not_of_points(tmp_path):
    (part,) = made([CUBE], tmp_path, formats=("xyz", "stl")).parts
    assert part.judged.printable
    with pytest.raises(UsageError, match="xyz holds points"):
        made([CUBE], tmp_path / "points", formats=("xyz",))


def test_a_copy_is_not_made_ready_again(tmp_path):
    (part,) = made([CUBE], tmp_path, shrink_percent=(10,) * 3).parts
    assert part.mesh.space is Space.PRINT
    with pytest.raises(UsageError, match="a copy for a printer already"):
        made([part.mesh], tmp_path / "again", shrink_percent=(10,) * 3)
    with pytest.raises(UsageError, match="no mesh"):
        made([], tmp_path / "none")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"inscription": Inscription(("X",), side="frnt")}, "no side is called 'frnt'"),
        ({"inscription": Inscription(("Ä",))}, "cannot be engraved"),
        ({"inscription": Inscription(())}, "letters without a text"),
        ({"up": "sideways"}, "no direction"),
        ({"cuts": (Cut("w"),)}, "across 'w'"),
        ({"bed_mm": (np.nan, 100.0, 100.0)}, "bed"),
        ({"shrink_percent": (50.0, 0.0, 0.0)}, "shrinkage"),
        ({"formats": ()}, "no format"),
    ],
)
def test_words_that_mean_nothing_are_refused_before_anything_is_made(asked, words):
    with pytest.raises(UsageError, match=words):
        check_steps(PrintOptions("sla", **asked))


def test_a_label_that_only_says_the_side_is_one():
    check_steps(PrintOptions("sla", inscription=Inscription(()), engrave_side=True))
    check_steps(PrintOptions("sla", inscription=Inscription((), scale_bar_mm=20.0)))
