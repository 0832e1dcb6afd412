"""What `check` says of meshes with known faults."""

import dataclasses

import numpy as np
import pytest
import trimesh

from medrecon.core import Label, Mesh
from medrecon.errors import UsageError
from medrecon.quality.overhang import overhang
from medrecon.quality.processes import process, processes
from medrecon.quality.size import Unit, fits_bed, unit_suspicion
from medrecon.recipes.check import CheckOptions, check_mesh

PLAIN = CheckOptions(walls=False)


def mesh_of(*parts):
    whole = trimesh.util.concatenate(parts)
    return Mesh(whole.vertices, whole.faces, Label(1, "shape"))


def box(size=(10, 10, 10), at=(0, 0, 0)):
    part = trimesh.creation.box(size)
    part.apply_translation(at)
    return part


def test_a_solid_passes_and_its_figures_are_true():
    found = check_mesh(mesh_of(box((10, 20, 30))), CheckOptions("sla"))
    assert found.printable
    assert found.solidity.volume_ml == pytest.approx(6.0)
    assert found.extent_mm == (10, 20, 30)
    assert found.walls.least_mm == pytest.approx(10, abs=0.01)
    assert found.solidity.components == 1


def test_open_flipped_and_doubled_faces_are_counted_in_words():
    whole = mesh_of(box())
    opened = dataclasses.replace(whole, faces=whole.faces[1:])
    assert "3 edges with one face: it is not closed" in check_mesh(opened, PLAIN).reasons
    turned = whole.faces.copy()
    turned[0] = turned[0, ::-1]
    flipped = dataclasses.replace(whole, faces=turned)
    assert "3 edges whose faces are wound against each other" in check_mesh(flipped, PLAIN).reasons
    twice = dataclasses.replace(whole, faces=np.vstack([whole.faces, whole.faces[:1]]))
    assert "3 edges with more than two faces" in check_mesh(twice, PLAIN).reasons
    inside_out = dataclasses.replace(whole, faces=whole.faces[:, ::-1])
    assert "1 piece inside out" in check_mesh(inside_out, PLAIN).reasons


def test_crossing_faces_are_told_with_their_places():
    found = check_mesh(mesh_of(box(), box(at=(5, 1, 2))), PLAIN)
    assert found.solidity.crossings > 0
    assert not found.printable
    # They can only cross where both boxes are: x 0–5, y −4–5, z −3–5; faces' centres are
    # up to half a box away from there.
    for crossing in found.solidity.crossing_places:
        x, y, z = crossing.place_mm
        assert -5 <= x <= 10
        assert -5 <= y <= 6
        assert -5 <= z <= 7


def test_a_hollow_is_told_apart_from_a_second_piece():
    inner = box((4, 4, 4))
    inner.invert()
    hollow = check_mesh(mesh_of(box(), inner), CheckOptions("sls", walls=False))
    assert (hollow.solidity.components, hollow.solidity.cavities) == (1, 1)
    assert any("5 mm lets it out" in note for note in hollow.notes)
    two = check_mesh(mesh_of(box(), box(at=(30, 0, 0))), PLAIN)
    assert (two.solidity.components, two.solidity.cavities) == (2, 0)


def test_the_process_decides_what_is_too_thin():
    sheet = mesh_of(box((40, 30, 0.75)))
    assert check_mesh(sheet, CheckOptions("sls")).printable
    thick_needed = check_mesh(sheet, CheckOptions("polyjet"))
    assert "under 1 mm" in " ".join(thick_needed.reasons)
    assert check_mesh(sheet, CheckOptions()).printable


def test_size_is_judged_against_the_bed_in_any_right_angle():
    tall = mesh_of(box((50, 60, 230)))
    assert check_mesh(tall, CheckOptions("fdm", walls=False)).printable
    refused = check_mesh(tall, CheckOptions("fdm", bed_mm=(200.0, 200.0, 200.0), walls=False))
    assert "does not fit the bed" in refused.reasons[0]
    assert fits_bed((10, 20, 30), (30, 10, 20))
    assert not fits_bed((10, 20, 31), (30, 10, 20))


@pytest.mark.parametrize(
    ("extent", "unit"), [(0.12, Unit.METRE), (0.4, Unit.METRE), (120000, Unit.MICROMETRE)]
)
def test_numbers_that_cannot_be_millimetres_are_suspected(extent, unit):
    assert unit_suspicion((extent, extent / 2, extent / 3)).likely[0] is unit


def test_a_stated_unit_scales_the_mesh_and_ends_the_suspicion():
    small = mesh_of(box((0.1, 0.05, 0.04)))
    assert not check_mesh(small, PLAIN).printable
    stated = check_mesh(small, CheckOptions(unit=Unit.METRE, walls=False))
    assert stated.printable
    assert stated.extent_mm == pytest.approx((100, 50, 40), rel=1e-6)


def test_overhangs_are_the_downward_faces_that_do_not_lie_on_the_bed():
    # A table: plate 20 × 20 × 2 on a leg 4 × 4 × 10. Under the plate hang 400 − 16 mm².
    plate, leg = box((20, 20, 2), (0, 0, 11)), box((4, 4, 10.5), (0, 0, 5.25))
    table = mesh_of(plate.union(leg))
    found = overhang(table, 45)
    assert found.area_mm2 == pytest.approx(384, abs=0.1)
    assert found.on_bed_mm2 == pytest.approx(16, abs=0.1)
    # A cone that opens upwards by 40° from the vertical needs support only beyond 40°.
    cone = trimesh.creation.cone(10 * np.tan(np.radians(40)), 10, sections=128)
    cone.apply_transform(np.diag([1, -1, -1, 1]))
    assert overhang(mesh_of(cone), 45).area_mm2 == 0
    assert overhang(mesh_of(cone), 35).area_mm2 > 100


def test_every_process_has_its_figures_and_a_source():
    assert set(processes()) == {"sla", "sls", "fdm", "polyjet"}
    for p in processes().values():
        assert p.source
        assert 0 < p.supported_mm <= p.wall_mm <= 2
    with pytest.raises(UsageError, match="known are"):
        process("lost wax")
