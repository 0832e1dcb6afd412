"""Structures that touch share their surface, also where one of them is thin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from medrecon.core import Geometry, Label, LabelMap, Segmentation, SoftField
from medrecon.surface import touching
from medrecon.surface.from_labels import fields_from_labels
from medrecon.surface.touching import Surfaces, touching_groups
from medrecon.surface.validity import judge

GRID = Geometry((44, 40, 36), (1.0, 1.0, 1.0), (-24.3, -19.6, -17.8))
X, Y, Z = GRID.mm_from_index(np.indices(GRID.shape).reshape(3, -1).T).T.reshape(3, *GRID.shape)
INSIDE = np.sqrt(X**2 + Y**2 + Z**2) < 13
LEFT = INSIDE & (X + 0.3 * Y < 0)
RIGHT = INSIDE & (X + 0.3 * Y >= 0)
AWAY = (X + 18) ** 2 + (Y + 14) ** 2 + (Z + 12) ** 2 < 4.5**2
TUBE = (Y - 15.5) ** 2 + Z**2 < 2.3**2


def segmentation(*masks: np.ndarray, exclusive: bool = True) -> Segmentation:
    array = np.zeros(GRID.shape, np.uint8, order="F")
    for n, mask in enumerate(masks, 1):
        array[mask & (array == 0)] = n
    labels = tuple(Label(n, f"part_{n}") for n in range(1, len(masks) + 1))
    fields = fields_from_labels(LabelMap(array, GRID, labels))
    return Segmentation(GRID, fields, "label map", exclusive)


def names(found: Segmentation) -> list[list[str]]:
    return [[f.label.name for f in group] for group in touching_groups(found)]


def shared_vertices(found: Segmentation, one: int, other: int) -> int:
    surfaces = Surfaces((found,))
    meshes = [surfaces.of(f).mesh for f in found.fields]
    assert all(judge(m).valid for m in meshes)
    a, b = ({v.tobytes() for v in meshes[n].vertices_mm} for n in (one, other))
    return len(a & b)


def test_halves_of_a_ball_are_a_group_and_what_lies_apart_is_not():
    assert names(segmentation(LEFT, AWAY, RIGHT)) == [["part_1", "part_3"]]
    assert names(segmentation(LEFT, AWAY)) == []
    assert names(segmentation(LEFT, RIGHT, exclusive=False)) == []


def test_what_is_nested_in_another_shares_nothing_with_it():
    found = segmentation(LEFT, RIGHT)
    holder = dataclasses.replace(found.fields[1].label, includes=("part_1",))
    nested = dataclasses.replace(found.fields[1], label=holder)
    assert names(dataclasses.replace(found, fields=(found.fields[0], nested))) == []


def test_the_wall_between_two_halves_is_the_same_vertices_in_both():
    # A disc of radius 13 crossed by voxels of 1 mm: over π·13² ≈ 530 of them, on half
    # voxels (a half ball is 4.9 voxels thick in the mean: thin) four times as many.
    assert shared_vertices(segmentation(LEFT, RIGHT), 0, 1) > 4 * 530


def test_without_upsampling_too(monkeypatch):
    monkeypatch.setattr(touching, "MOST_VOXELS", 0)
    assert shared_vertices(segmentation(INSIDE), 0, 0) > 0
    found = segmentation(LEFT, RIGHT, TUBE)
    # Both halves and the tube are thin and the group is too large for finer voxels: each is
    # drawn for itself, as ever.
    assert shared_vertices(found, 0, 1) == 0


def test_no_gap_opens_where_both_fields_fall_below_zero_between_two_samples():
    # One is inside by little, the other outside by much, on either side of a plane: half way
    # both are negative, and yet nothing lies between them.
    grid = Geometry((16, 16, 16), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    low = np.full(grid.shape, -1.0, np.float32, order="F")
    low[3:8, 3:13, 3:13] = 0.1
    high = np.full(grid.shape, -1.0, np.float32, order="F")
    high[8:13, 3:13, 3:13] = 0.1
    fields = tuple(SoftField(Label(n, f"part_{n}"), v, grid) for n, v in ((1, low), (2, high)))
    surfaces = Surfaces((Segmentation(grid, fields, "x", exclusive=True),))
    one, other = (surfaces.of(f).mesh.vertices_mm for f in fields)
    # Between the planes 7 and 8, away from the rim, the wall is one and half way.
    inner = [
        v[(v[:, 0] > 7) & (v[:, 0] < 8) & (np.abs(v[:, 1:] - 7.5) < 4).all(axis=1)]
        for v in (one, other)
    ]
    assert {v.tobytes() for v in inner[0]} == {v.tobytes() for v in inner[1]}
    assert inner[0][:, 0] == pytest.approx(7.5, abs=1e-5)


def test_surfaces_are_made_once_and_in_any_order():
    found = segmentation(LEFT, RIGHT)
    forward, backward = Surfaces((found,)), Surfaces((found,))
    first = [forward.of(f).mesh for f in found.fields]
    second = [backward.of(f).mesh for f in reversed(found.fields)][::-1]
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.vertices_mm, b.vertices_mm)
        assert np.array_equal(a.faces, b.faces)
