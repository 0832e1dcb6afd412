"""What is left between two structures that touch."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "surface"))
from solids import field_of, grid, sphere

from medrecon.core import Label, Mesh, SoftField, away_from_zero
from medrecon.quality.neighbours import contact, contacts
from medrecon.surface.extract import extract_surface
from medrecon.surface.shared import extract_shared

CORNERS = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), np.float32).reshape(3, -1).T
# Two triangles for each side of the cube, outward.
SIDES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ]
)


def cube(name, low, size=10.0):
    return Mesh(CORNERS * np.float32(size) + np.array(low, np.float32), SIDES, Label(1, name))


@pytest.mark.parametrize("apart", [0.2, -0.3, 0.0])
def test_two_cubes_side_by_side_miss_by_what_they_were_moved(apart):
    a, b = cube("a", (0, 0, 0)), cube("b", (10 + apart, 1, 1), 8)
    found = contact(a, b, reach_mm=0.5)
    assert found.names == ("a", "b")
    # The contact is the smaller one's side of 64 mm²; where it reaches into the larger one
    # its four other sides do too, 8 mm long: seen from one of the two, so half of that.
    # A gap is also seen from the rim around it, up to 45° aside.
    assert found.area_mm2 == pytest.approx(64 + 16 * max(-apart, 0), rel=0.06)
    assert found.gap_mean_mm == pytest.approx(max(apart, 0), abs=0.01)
    assert max(apart, 0) - 1e-6 <= found.gap_max_mm <= max(apart, 0) / 0.7 + 1e-3
    assert found.overlap_max_mm == pytest.approx(max(-apart, 0), abs=1e-6)
    assert found.overlap_mean_mm <= found.overlap_p95_mm <= found.overlap_max_mm


def test_what_is_out_of_reach_or_does_not_face_is_no_contact():
    assert contact(cube("a", (0, 0, 0)), cube("b", (10.6, 0, 0)), reach_mm=0.5) is None
    # Corner to corner: near, but not ahead.
    assert contact(cube("a", (0, 0, 0)), cube("b", (10.1, 10.1, 10.1)), reach_mm=0.5) is None
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), Label(2, "none"))
    assert contact(cube("a", (0, 0, 0)), empty, reach_mm=0.5) is None


def test_distances_are_the_same_wherever_the_pair_lies_and_grow_with_it():
    a, b = cube("a", (0, 0, 0)), cube("b", (10.2, 1, 2))
    here = contact(a, b, reach_mm=0.5)
    far = contact(cube("a", (500, -300, 900)), cube("b", (510.2, -299, 902)), reach_mm=0.5)
    large = contact(cube("a", (0, 0, 0), 30), cube("b", (30.6, 3, 6), 30), reach_mm=1.5)
    assert far.gap_p95_mm == pytest.approx(here.gap_p95_mm, abs=1e-3)
    assert far.area_mm2 == pytest.approx(here.area_mm2, rel=0.01)
    assert large.gap_p95_mm == pytest.approx(3 * here.gap_p95_mm, rel=1e-4)
    assert large.area_mm2 == pytest.approx(9 * here.area_mm2, rel=1e-3)


def test_labels_that_share_a_surface_have_no_gap_and_each_for_itself_they_do():
    geometry = grid((26, 20, 20))
    x = geometry.mm_from_index(np.indices(geometry.shape).reshape(3, -1).T)
    ball = sphere((12.7, 9.6, 9.8), 8)(x)
    tilted = (x - (12.7, 9.6, 9.8)) @ (0.8, 0.36, 0.48)
    fields = [
        SoftField(
            Label(n, name),
            away_from_zero(np.minimum(ball, side).reshape(geometry.shape).astype(np.float32)),
            geometry,
        )
        for n, name, side in ((1, "left", -tilted), (2, "right", tilted + 0.4))
    ]
    alone = contact(*(extract_surface(f) for f in fields), reach_mm=1.0)
    # At the disc; the rims of both caps are less deep.
    assert alone.overlap_p95_mm == pytest.approx(0.4, abs=0.02)
    assert alone.gap_mean_mm < 0.005
    (shared,) = contacts(extract_shared(fields), reach_mm=1.0)
    # The wall between them is a disc of 8 mm.
    assert shared.area_mm2 == pytest.approx(np.pi * 64, rel=0.1)
    # Only where the wall meets the outside do a few corners look at one another.
    assert shared.gap_p95_mm < 1e-4
    assert shared.gap_mean_mm < 0.002
    assert shared.overlap_max_mm < 1e-4


def test_three_structures_in_a_row_make_two_contacts():
    row = [cube(n, (10.1 * k, 0, 0)) for k, n in enumerate("abc")]
    assert [x.names for x in contacts(row, reach_mm=0.5)] == [("a", "b"), ("b", "c")]
    field = field_of(sphere((9, 9, 9), 5), grid((19, 19, 19)))
    assert contacts([extract_surface(field)], reach_mm=1.0) == ()


def test_a_peak_smaller_than_a_sample_is_found_by_its_corner():
    geometry = grid((70, 70, 70))
    one = extract_surface(field_of(sphere((34.2, 34.7, 34.1), 30), geometry))
    two = one.vertices_mm + np.float32([0, 0, 61.5])
    lowest = int(np.argmin(two[:, 2]))
    two[lowest, 2] -= 3.5
    apart = Mesh(two, one.faces, Label(2, "two"))
    found = contact(one, apart, reach_mm=0.5, samples=50)
    highest = float(one.vertices_mm[:, 2].max())
    assert found.overlap_max_mm == pytest.approx(highest - two[lowest, 2], abs=0.05)
    assert found.overlap_max_mm > 1.5
