"""Wall thickness on shapes whose walls are known."""

import numpy as np
import pytest
import trimesh

from medrecon.core import Label, Mesh
from medrecon.quality.thickness import thin_spots, wall_thickness


def mesh_of(*parts):
    whole = trimesh.util.concatenate(parts)
    return Mesh(whole.vertices, whole.faces, Label(1, "shape"))


def inverted(part):
    part.invert()
    return part


@pytest.mark.parametrize("offset", [(0, 0, 0), (-137.3, 412.7, -988.1)])
def test_a_spherical_wall_of_1_mm_is_measured_within_two_hundredths(offset):
    # Facets of an icosphere with 20,480 faces lie up to r·(1 − cos(θ/2)) = 0.004 mm inside.
    outer = trimesh.creation.icosphere(5, 20.0)
    inner = inverted(trimesh.creation.icosphere(5, 19.0))
    shell = trimesh.util.concatenate([outer, inner])
    shell.apply_translation(offset)
    found = wall_thickness(mesh_of(shell))
    assert np.abs(found.thickness_mm - 1.0).max() <= 0.02
    assert found.area_mm2.sum() == pytest.approx(shell.area, rel=1e-4)


def test_a_tube_wall_is_measured_from_its_few_long_faces():
    # Tube of radii 5 and 6 with 256 sides; the ends are rings, 30 mm apart.
    tube = trimesh.creation.annulus(5.0, 6.0, 30.0, sections=256)
    found = wall_thickness(mesh_of(tube), samples=8000)
    on_wall = np.abs(found.points_mm[:, 2]) < 14.999
    assert np.abs(found.thickness_mm[on_wall] - 1.0).max() <= 0.02
    assert np.abs(found.thickness_mm[~on_wall] - 30.0).max() <= 0.02


def test_a_wedge_is_measured_across_and_a_box_has_no_thin_edges():
    # Opening 20°: at distance x from its edge the other side is x·sin 20° away.
    x, rise = 30.0, 30.0 * np.tan(np.radians(20))
    wedge = trimesh.convex.convex_hull(
        [(a, b, c) for b in (0, 10) for a, c in ((0, 0), (x, 0), (x, rise))]
    )
    found = wall_thickness(mesh_of(wedge), samples=4000)
    low = found.points_mm[:, 2] < 1e-6
    inner = low & (found.points_mm[:, 0] < x * np.cos(np.radians(20)) ** 2)
    expected = found.points_mm[inner, 0] * np.sin(np.radians(20))
    assert np.allclose(found.thickness_mm[inner], expected, atol=0.01)
    box = wall_thickness(mesh_of(trimesh.creation.box((20, 30, 40))), samples=2000)
    assert box.least_mm == pytest.approx(20, abs=0.01)


def test_thin_spots_are_found_where_they_are():
    # A block 10 mm high with two pits from below that leave 0.4 and 0.7 mm.
    block = trimesh.creation.box((40, 20, 10))
    pits = []
    for x, left in ((-10, 0.4), (10, 0.7)):
        pit = trimesh.creation.cylinder(3, 20, sections=64)
        pit.apply_translation((x, 0, 5 - left - 10))
        pits.append(pit)
    found = wall_thickness(mesh_of(block.difference(pits)), samples=20000)
    spots = thin_spots(found, 0.6)
    # Both sides of the wall belong to the spot: 2·π·3² = 57 mm².
    assert sum(s.area_mm2 for s in spots) == pytest.approx(57, rel=0.1)
    assert all(abs(s.least_mm - 0.4) < 0.02 for s in spots)
    assert all(np.hypot(s.place_mm[0] + 10, s.place_mm[1]) < 3.1 for s in spots)
    assert thin_spots(found, 0.3) == ()
    both = thin_spots(found, 0.8)
    assert {round(s.least_mm, 1) for s in both} == {0.4, 0.7}


def test_an_open_sheet_has_no_thickness():
    sheet = Mesh(np.eye(3), [[0, 1, 2]], Label(1, "sheet"))
    found = wall_thickness(sheet)
    assert found.least_mm is None
    assert found.percentile_mm(50) is None


def test_a_thin_sheet_is_one_spot_beside_any_number_of_small_faces():
    # A sheet of 0.3 mm in 12 faces, and a bead of 2 mm in 81,920: the median point stands
    # for 0.002 mm², a point on the sheet for 0.1 mm².
    sheet = trimesh.creation.box((40, 40, 0.3))
    bead = trimesh.creation.icosphere(6, 2.0)
    bead.apply_translation((0, 0, 30))
    found = wall_thickness(mesh_of(sheet, bead))
    (spot,) = thin_spots(found, 0.5)
    assert spot.area_mm2 == pytest.approx(3200, rel=0.02)
