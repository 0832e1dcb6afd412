"""The phantom's kidney with its tumour, from scan frame to parts for a printer."""

import json

import numpy as np
import pytest
from printing_shapes import points_of

from medrecon.core import Geometry, Mesh, SoftField, Space, away_from_zero, label
from medrecon.core.nearest import distance_to_surface
from medrecon.errors import OutputExistsError, UsageError
from medrecon.files.meshes import read_meshes
from medrecon.phantom.torso import torso_geometry, torso_truth
from medrecon.printing.cut import Pins
from medrecon.printing.engrave import Inscription
from medrecon.printing.hollow import hollows_of
from medrecon.printing.solids import mesh_of, solid_of
from medrecon.recipes.printing import Cut, Patient, PrintOptions, factor_words, prepare_prints
from medrecon.surface.extract import extract_surface


@pytest.fixture(scope="module")
def organs() -> list[Mesh]:
    """Right kidney with its tumour, and the tumour, of the sample's person."""
    truth = torso_truth(2026, torso_geometry((160, 128, 100), (2.2, 2.2, 3.3)))
    found = []
    for name, out, size_mm in (
        ("kidney_right_with_tumor", "kidney_right", (64, 60, 112)),
        ("tumor", "tumor", (32, 32, 32)),
    ):
        step = 1.6
        shape = tuple(int(s / step) for s in size_mm)
        low = np.array(truth.structures[name].centroid_mm) - np.array(shape) * step / 2
        grid = Geometry(shape, (step,) * 3, tuple(low.tolist()))
        index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
        points = grid.mm_from_index(index.reshape(-1, 3))
        values = truth.distance_mm(name, points, clipped=False).reshape(shape)
        field = SoftField(label(out), away_from_zero(values.astype(np.float32)), grid)
        found.append(extract_surface(field))
    return found


@pytest.fixture(scope="module")
def prepared(organs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kidney") / "print"
    options = PrintOptions(
        "sla",
        only=("kidney_right",),
        cuts=(Cut("z"),),
        pins=Pins(clearance_mm=0.3),
        inscription=Inscription(("CASE-042",), scale_bar_mm=20.0),
        engrave_side=True,
        hollow_mm=2.0,
        formats=("stl", "3mf"),
    )
    return prepare_prints(organs, options, output=folder, patient=Patient(0.0, "R")), folder


def test_all_parts_pass_check_as_they_are_read_back(prepared):
    found, folder = prepared
    assert [p.sidecar["part"] for p in found.parts] == ["kidney_right_1", "kidney_right_2"]
    assert all(p.judged.printable for p in found.parts), [p.judged.reasons for p in found.parts]
    assert found.warnings == ()
    names = sorted(path.name for path in folder.iterdir())
    assert "kidney_right_1_print_x1.0000.3mf" in names
    assert len(names) == 6


def test_the_wall_is_within_a_tenth_of_a_millimetre(prepared, organs):
    # The whole kidney, both ways. From the outside the way is longer across ridges.
    (hollow, *_) = hollows_of(organs[0], 2.0)
    inner = mesh_of(hollow, organs[0].label)
    there = distance_to_surface(inner.vertices_mm, organs[0].vertices_mm, organs[0].faces)
    assert np.abs(there - 2.0).max() <= 0.1
    back = distance_to_surface(organs[0].vertices_mm, inner.vertices_mm, inner.faces)
    assert back.min() >= 1.9
    # The halves: behind the rim of the cut and beside pins and sockets as well, and the wall
    # map of the file as read back says the same.
    found, _ = prepared
    for part in found.parts:
        figures = part.sidecar["done"]["hollow"]["wall_mm"]
        assert figures["least"] >= 1.9
        assert figures["greatest"] <= 2.1
        assert abs(figures["mean"] - 2.0) <= 0.1
        assert abs(part.judged.walls.median_mm - 2.0) <= 0.1


def test_the_halves_fit_with_the_clearance_asked(prepared):
    found, _ = prepared
    male, female = (_in_lps(p) for p in found.parts)
    assert (male ^ female.translate((0, 0, 1e-4))).volume() < 1e-3
    assert (male.translate((0.28, 0, -1e-4)) ^ female).volume() < 1e-2
    assert (male.translate((0.4, 0, -1e-4)) ^ female).volume() > 0.05
    plane = found.parts[0].sidecar["done"]["cut"]["at_mm"]
    assert points_of(male)[:, 2].max() == pytest.approx(plane + 4.0, abs=1e-3)


def test_the_label_says_case_and_side_where_it_was_cut(prepared):
    found, _ = prepared
    for part in found.parts:
        cut = part.sidecar["done"]["engraved"]
        assert cut["lines"] == ["CASE-042 R"]
        assert cut["stroke_mm"] >= 0.4
        assert cut["height_mm"] >= 3.0


def test_copies_are_never_in_the_patients_frame_and_their_matrix_leads_back(prepared, organs):
    found, folder = prepared
    for path in folder.glob("*.stl"):
        assert b"SPACE=PRINT" in path.read_bytes()[:80]
        assert read_meshes(path)[0].space is Space.PRINT
        sidecar = json.loads(path.with_suffix(".json").read_text())
        assert sidecar["SPACE"] == "PRINT"
        assert sidecar["factor"] == [1, 1, 1]
    # Back in LPS, both halves lie in the kidney's box (pins are inside it).
    low, high = organs[0].bounds_mm
    for part in found.parts:
        points = points_of(_in_lps(part))
        assert (points >= low - 0.01).all()
        assert (points <= high + 0.01).all()


def test_shrinkage_is_made_up_for_and_named(organs, tmp_path):
    options = PrintOptions("sls", only=("tumor",), shrink_percent=(3.0, 3.0, 3.5))
    (part,) = prepare_prints(organs, options, output=tmp_path / "print").parts
    # 1 / 0.97 = 1.0309, 1 / 0.965 = 1.0363.
    assert part.mesh.label.name == "tumor_print_x1.0309_1.0309_1.0363"
    grown = np.ptp(part.mesh.vertices_mm, axis=0) / np.ptp(organs[1].vertices_mm, axis=0)
    assert np.allclose(grown, (1 / 0.97, 1 / 0.97, 1 / 0.965), atol=1e-4)
    assert factor_words((0, 0, 0)) == "x1.0000"
    with pytest.raises(UsageError, match="expected"):
        factor_words((50, 0, 0))


def test_a_tumour_comes_out_of_its_kidney_with_a_gap(organs, tmp_path):
    options = PrintOptions("polyjet", gaps=(("kidney_right", "tumor", 0.3),))
    kidney, tumour = prepare_prints(organs, options, output=tmp_path / "print").parts
    assert (_in_lps(kidney) ^ _in_lps(tumour)).volume() == pytest.approx(0, abs=1e-6)
    apart = distance_to_surface(
        points_of(_in_lps(tumour)),
        kidney.mesh.vertices_mm - kidney.matrix[:3, 3],
        kidney.mesh.faces,
    )
    assert apart.min() == pytest.approx(0.3, abs=0.05)


def test_nothing_is_overwritten_unasked_and_unknown_parts_are_refused(organs, tmp_path):
    (tmp_path / "print").mkdir()
    (tmp_path / "print" / "mine").touch()
    with pytest.raises(OutputExistsError):
        prepare_prints(organs, PrintOptions("sla"), output=tmp_path / "print")
    with pytest.raises(UsageError, match="no part liver"):
        prepare_prints(organs, PrintOptions("sla", only=("liver",)), output=tmp_path / "new")
    with pytest.raises(UsageError, match=r"needs 0\.5 mm"):
        prepare_prints(organs, PrintOptions("sla", hollow_mm=0.2), output=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def _in_lps(part):
    solid = solid_of(part.mesh)
    return solid.transform(np.linalg.inv(part.matrix)[:3])
