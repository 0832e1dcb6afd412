"""Labels that exclude one another: one surface between two, nothing between three."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from solids import blobs, field_of, grid, sphere

from medrecon.core import Geometry, Label, SoftField, away_from_zero
from medrecon.errors import GeometryError
from medrecon.surface.extract import extract_surface
from medrecon.surface.intersections import self_intersections
from medrecon.surface.shared import extract_shared
from medrecon.surface.validity import judge


def softmax_fields(logits, geometry):
    """Each label's logit less the largest other one; the first is the background."""
    fields = []
    for n in range(1, len(logits)):
        others = np.max([x for m, x in enumerate(logits) if m != n], axis=0)
        values = away_from_zero((logits[n] - others).astype(np.float32))
        fields.append(SoftField(Label(n, f"label_{n}"), values, geometry))
    return fields


def noise_logits(shape, count, seed, smooth):
    rng = np.random.default_rng(seed)
    return [gaussian_filter(rng.standard_normal(shape), smooth) for _ in range(count)]


def triangles(mesh):
    """Each triangle's corners as bytes, turned to begin with the least."""
    found = Counter()
    for corner in mesh.vertices_mm[mesh.faces]:
        keys = [c.tobytes() for c in corner]
        first = keys.index(min(keys))
        found[tuple(keys[first:] + keys[:first])] += 1
    return found


def turned(faces):
    return Counter({(a, c, b): n for (a, b, c), n in faces.items()})


@pytest.mark.parametrize("smooth", [0.3, 1.5])
def test_what_lies_between_labels_is_in_both_meshes_turned_round_and_the_rest_is_closed(smooth):
    geometry = grid((10, 9, 11), (0.7, 0.8, 1.1), (5, -7, 900))
    meshes = extract_shared(softmax_fields(noise_logits(geometry.shape, 5, 1, smooth), geometry))
    sides = [triangles(m) for m in meshes]
    every = sum(sides, Counter())
    # No triangle is in two meshes the same way round, none is in three.
    assert max(every.values()) == 1
    outer = every - turned(every)
    assert len(outer) < len(every)
    # What no neighbour has too encloses all labels together: without a gap or an overlap
    # the volume within it is the sum of theirs.
    points = np.array([[np.frombuffer(c, np.float32) for c in t] for t in outer], np.float64)
    points -= points.reshape(-1, 3).mean(axis=0)
    enclosed = np.einsum("ij,ij->", points[:, 0], np.cross(points[:, 1], points[:, 2])) / 6
    assert enclosed == pytest.approx(sum(m.volume_mm3 for m in meshes), rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_every_label_is_a_solid_without_crossings_even_in_noise(seed):
    geometry = grid((9, 8, 10))
    for mesh in extract_shared(
        softmax_fields(noise_logits(geometry.shape, 5, seed, 0.3), geometry)
    ):
        assert judge(mesh).valid
        assert len(self_intersections(mesh.vertices_mm, mesh.faces)) == 0


def test_labels_drawn_by_lot_for_every_voxel_leave_no_gap():
    rng = np.random.default_rng(0)
    geometry = grid((9, 8, 7))
    drawn = rng.integers(0, 12, geometry.shape)
    fields = [
        SoftField(Label(n, f"label_{n}"), np.where(drawn == n, 1, -1).astype(np.int16), geometry)
        for n in range(1, 12)
    ]
    meshes = extract_shared(fields)
    found = [judge(m) for m in meshes]
    assert all(x.open_edges == x.flipped_edges == x.nonmanifold_edges == 0 for x in found)
    every = sum((triangles(m) for m in meshes), Counter())
    assert max(every.values()) == 1


def test_planes_between_three_labels_are_where_their_logits_are_equal():
    geometry = grid((20, 20, 20), (0.9, 0.9, 1.3))
    index = geometry.mm_from_index(np.indices((20, 20, 20)).reshape(3, -1).T).T
    x, y, z = index.reshape(3, 20, 20, 20) - np.array([8.3, 8.9, 12.1])[:, None, None, None]
    # Three linear logits: the sectors around a line; a linear field is interpolated exactly,
    # and so are differences that a third label hides on one side.
    logits = [np.full(x.shape, -1e3), x + 0.3 * z, -0.5 * x + 0.9 * y, -0.5 * x - 0.9 * y - 0.2 * z]
    meshes = extract_shared(softmax_fields(logits, geometry))
    for a, b in ((0, 1), (1, 2), (0, 2)):
        common = set(map(bytes, meshes[a].vertices_mm)) & set(map(bytes, meshes[b].vertices_mm))
        points = np.array([np.frombuffer(c, np.float32) for c in common], float)
        index = geometry.index_from_mm(points)
        # Vertices on grid edges, not the points inside the cells where all three meet.
        on_edge = (np.abs(index - np.rint(index)) < 1e-4).sum(axis=1) == 2
        inner = ((index > 0.5) & (index < 18.5)).all(axis=1)
        p = (points[on_edge & inner] - [8.3, 8.9, 12.1]).T
        value = [p[0] + 0.3 * p[2], -0.5 * p[0] + 0.9 * p[1], -0.5 * p[0] - 0.9 * p[1] - 0.2 * p[2]]
        # No field is within 1e-4 of its range (of 30) of zero.
        assert len(p.T) > 100
        assert np.abs(value[a] - value[b]).max() < 4e-3
        assert np.abs(value[a] - value[b]).mean() < 1e-4


def test_a_label_alone_has_the_very_surface_of_its_field():
    field = blobs((19, 17, 18), 3)
    (mesh,) = extract_shared([field])
    alone = extract_surface(field)
    assert len(mesh.faces) == len(alone.faces)
    assert mesh.volume_mm3 == pytest.approx(alone.volume_mm3, rel=1e-6)
    order = [np.lexsort(np.round(m.vertices_mm, 3).T) for m in (mesh, alone)]
    assert np.allclose(mesh.vertices_mm[order[0]], alone.vertices_mm[order[1]], atol=2e-3)


def two_balls(geometry):
    a, b = geometry.mm_from_index([[10.2, 11.1, 10.4], [17.3, 11.9, 12.2]])
    one, two = (field_of(sphere(c, 6), geometry) for c in (a, b))
    return [SoftField(Label(n, str(n)), f.values, geometry) for n, f in enumerate((one, two), 1)]


def test_the_wall_between_two_overlapping_balls_is_the_plane_where_they_are_equal():
    meshes = extract_shared(two_balls(grid((28, 24, 24))))
    # Two balls of 6 mm with centres 7.35 mm apart: each ends at the middle plane, 3.67 mm
    # from its centre; a cap of height h = 6 − 3.67 is lost, π h² (3·6 − h) / 3.
    h = 6 - np.linalg.norm([7.1, 0.8, 1.8]) / 2
    expected = 4 / 3 * np.pi * 6**3 - np.pi * h**2 * (18 - h) / 3
    for mesh in meshes:
        assert judge(mesh).valid
        assert mesh.volume_mm3 == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize("axis", range(3))
def test_flips_shifts_and_scales_move_the_surfaces_and_nothing_else(axis):
    here = grid((28, 24, 24), (1, 1, 1))
    fields = two_balls(here)
    flip = np.flip(np.eye(3), 0)
    shape = list(here.shape)
    shape[axis], shape[(axis + 1) % 3] = shape[(axis + 1) % 3], shape[axis]
    direction = flip * (2.0, -2.0, 2.0)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction, (100, -50, 30)
    swapped = Geometry.from_affine(affine, shape)
    there = [
        SoftField(f.label, np.swapaxes(f.values, axis, (axis + 1) % 3), swapped) for f in fields
    ]
    before, after = extract_shared(fields), extract_shared(there)
    for old, new in zip(before, after, strict=True):
        # Seen along other axes, the squares of the grid are halved along other diagonals.
        assert new.volume_mm3 == pytest.approx(8 * old.volume_mm3, rel=3e-4)
        index = here.index_from_mm([old.centroid_mm])[0]
        index[[axis, (axis + 1) % 3]] = index[[(axis + 1) % 3, axis]]
        assert np.allclose(swapped.index_from_mm([new.centroid_mm])[0], index, atol=5e-3)


def test_labels_that_fill_the_scan_end_at_its_voxel_edges():
    x = np.indices((6, 7, 8))[0] - 2.3
    fields = softmax_fields([np.full(x.shape, -99.0), -x, x], grid((6, 7, 8)))
    low, high = extract_shared(fields)
    assert low.bounds_mm[0].tolist() == [-0.5, -0.5, -0.5]
    assert high.bounds_mm[1].tolist() == [5.5, 6.5, 7.5]
    assert low.volume_mm3 + high.volume_mm3 == pytest.approx(6 * 7 * 8, rel=1e-4)


def test_blocks_of_the_grid_give_what_whole_fields_give():
    fields = two_balls(grid((28, 24, 24)))
    cropped = [
        SoftField(fields[0].label, fields[0].values[2:19, 2:20, 2:20], fields[0].grid, (2, 2, 2)),
        SoftField(fields[1].label, fields[1].values[9:27, 3:22, 4:22], fields[1].grid, (9, 3, 4)),
    ]
    for whole, block in zip(extract_shared(fields), extract_shared(cropped), strict=True):
        assert np.array_equal(whole.faces, block.faces)
        assert np.allclose(whole.vertices_mm, block.vertices_mm, atol=1e-5)


def test_nothing_shares_nothing_and_two_grids_are_refused():
    assert extract_shared([]) == ()
    absent = SoftField(Label(1, "a"), np.full((4, 4, 4), -1, np.int16), grid((4, 4, 4)))
    assert len(extract_shared([absent])[0].faces) == 0
    other = SoftField(Label(2, "b"), np.full((4, 4, 4), 1, np.int16), grid((4, 4, 4), (1, 1, 2)))
    with pytest.raises(GeometryError, match="different grids"):
        extract_shared([absent, other])


def test_a_gap_thinner_than_a_voxel_is_closed_if_asked_and_a_wider_one_is_not():
    geometry = grid((28, 24, 24))
    index = np.indices(geometry.shape).astype(float)
    x, y, z = index - np.array([13.4, 11.7, 11.6])[:, None, None, None]
    ball, tilted = 9 - np.sqrt(x * x + y * y + z * z), 0.8 * x + 0.36 * y + 0.48 * z
    for wide, is_closed in ((0.5, True), (3.0, False)):
        values = (np.minimum(ball, side) for side in (-tilted - wide / 2, tilted - wide / 2))
        fields = [
            SoftField(Label(n, str(n)), away_from_zero(v.astype(np.float32)), geometry)
            for n, v in enumerate(values, 1)
        ]
        closed, left = extract_shared(fields, close_gaps=0.5), extract_shared(fields)
        assert all(judge(m).valid and judge(m).euler == 2 for m in closed)
        in_both = [len(triangles(m[0]) & turned(triangles(m[1]))) for m in (closed, left)]
        # The disc between the halves has 254 mm² and loses half a voxel at its rim.
        assert (in_both[0] > 400) == is_closed
        assert in_both[1] < 0.8 * in_both[0] or not is_closed
