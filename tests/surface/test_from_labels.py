import numpy as np
import pytest
from solids import LABEL, blobs, field_of, grid, shell, sphere

from medrecon.core import Label, LabelMap, SoftField
from medrecon.surface import label_loops
from medrecon.surface.extract import extract_surface
from medrecon.surface.from_labels import fields_from_labels, grid_of_fields, smoothest_field
from medrecon.surface.shared import extract_shared, winners_of
from medrecon.surface.validity import judge


def meshed(mask):
    return extract_surface(SoftField(LABEL, smoothest_field(mask), grid(mask.shape)))


@pytest.mark.parametrize("radius", [20, 5])
def test_a_ball_known_by_its_mask_alone_keeps_its_place_and_the_masks_volume(radius):
    rng = np.random.default_rng(0)
    shape = (2 * radius + 9,) * 3
    for _ in range(2):
        centre = radius + 4 + rng.uniform(0, 1, 3)
        mask = field_of(sphere(centre, radius), grid(shape)).values > 0
        mesh = meshed(mask)
        away = np.linalg.norm(mesh.vertices_mm - centre, axis=1) - radius
        assert np.abs(away).mean() < 0.10
        # The mask's own count of voxels differs from the ball's volume by chance.
        assert mesh.volume_mm3 == pytest.approx(np.count_nonzero(mask), rel=0.005)


@pytest.mark.parametrize("seed", range(4))
def test_every_centre_stays_on_its_side_and_the_surface_within_half_a_voxel(seed):
    mask = blobs((18, 17, 16), seed).values > 0
    field = smoothest_field(mask)
    assert ((field > 0) == mask).all()
    # A vertex lies on a grid edge between two centres of different sides.
    index = meshed(mask).vertices_mm
    assert np.abs(np.abs(index - np.round(index)).max(axis=1)).max() <= 0.5
    assert judge(meshed(mask)).valid


def test_single_voxels_threads_and_thin_shells_stay():
    mask = np.zeros((40, 40, 40), bool)
    mask[2, 2, 2] = mask[6, 6, 2:38] = True
    result = judge(meshed(mask))
    assert result.valid
    assert result.components == 2
    thin = field_of(shell((20.2, 20.1, 20.3), 15, 13.5), grid((41, 41, 41))).values > 0
    assert judge(meshed(thin)).cavities >= 1


def test_every_label_of_a_map_gets_its_field_on_its_own_block():
    array = np.zeros((30, 20, 10), np.uint8)
    array[3:9, 4:12, 2:7], array[20:28, 3:15, 1:9] = 2, 7
    labels = LabelMap(array, grid((30, 20, 10)), (Label(7, "b"), Label(2, "a"), Label(9, "none")))
    fields = fields_from_labels(labels)
    assert [f.label.name for f in fields] == ["a", "b"]
    assert fields[0].start == (0, 1, 0)
    for field, (low, high) in zip(
        fields, [((3, 4, 2), (8, 11, 6)), ((20, 3, 1), (27, 14, 8))], strict=True
    ):
        bounds = extract_surface(field).bounds_mm
        assert (bounds[0] <= low).all()
        assert (bounds[1] >= high).all()
        assert (bounds[0] >= np.array(low) - 1).all()


def sliced_ball(spacing, radius=12.0, offset=0.3):
    shape = [int((2 * radius + 9) / s) for s in spacing]
    geometry = grid(shape, spacing, (10, -20, 30))
    centre = geometry.mm_from_index([(np.array(shape) - 1) / 2 + offset])[0]
    mask = field_of(sphere(centre, radius), geometry).values > 0
    return LabelMap(mask.astype(np.uint8), geometry, (LABEL,)), centre


@pytest.mark.parametrize("axis", range(3))
def test_a_ball_in_thick_slices_has_no_stairs_along_any_axis(axis):
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 3.0
    labels, centre = sliced_ball(tuple(spacing))
    (field,) = fields_from_labels(labels)
    mesh = extract_surface(field)
    assert judge(mesh).euler == 2
    away = np.abs(np.linalg.norm(mesh.vertices_mm - centre, axis=1) - 12)
    # Each slice's outline is known to a voxel's chance; stairs of 3 mm would reach 1.5 mm
    # at the poles and 0.3 mm on average.
    assert away.mean() < 0.15
    assert mesh.volume_mm3 == pytest.approx(3 * np.count_nonzero(labels.array), rel=1e-3)


def test_between_slices_the_middle_of_each_slice_keeps_the_masks_signs():
    labels, _ = sliced_ball((0.8, 0.8, 4.0))
    (field,) = fields_from_labels(labels)
    # 4 mm are 5 times 0.8 mm: five slices of one, the third of them in its middle.
    assert field.grid.shape[2] == 5 * labels.geometry.shape[2]
    middles = (np.arange(labels.geometry.shape[2]) * 5 + 2)[:, None] * (0, 0, 1)
    there = field.grid.mm_from_index(middles)
    here = labels.geometry.mm_from_index(np.arange(labels.geometry.shape[2])[:, None] * (0, 0, 1))
    assert np.allclose(there, here)
    first = -field.start[2] % 5
    known = field.values[:, :, (2 + first) % 5 :: 5] > 0
    block = tuple(slice(s, s + n) for s, n in zip(field.start, field.values.shape, strict=True))
    low, high = field.start[2] // 5, (field.start[2] + field.values.shape[2]) // 5
    assert (known == (labels.array[block[0], block[1], low:high] > 0)).all()


def test_fields_do_not_depend_on_the_unit_of_length_nor_on_the_frame():
    labels, _ = sliced_ball((1.0, 1.0, 3.0), radius=6)
    large = LabelMap(labels.array, grid(labels.array.shape, (10, 10, 30), (1, 2, 3)), (LABEL,))
    turned = LabelMap(
        np.flip(labels.array, 0), grid(labels.array.shape, (1, 1, 3), (0, 0, 0)), (LABEL,)
    )
    (one,), (two,), (three,) = map(fields_from_labels, (labels, large, turned))
    assert np.allclose(one.values, two.values, atol=1e-5)
    assert np.allclose(np.flip(one.values, 0), three.values, atol=1e-3)


def two_touching(shape=(30, 22, 20)):
    x, y, z = np.indices(shape) - np.array([14.2, 10.3, 9.6])[:, None, None, None]
    ball = x * x + y * y + z * z < 8.3**2
    array = np.where(ball, np.where(0.8 * x + 0.3 * y - 0.5 * z > 0, 1, 2), 0).astype(np.uint8)
    return LabelMap(array, grid(shape), (Label(1, "a"), Label(2, "b")))


def test_touching_labels_of_a_map_share_their_surface_without_gap_or_overlap():
    labels = two_touching()
    fields = fields_from_labels(labels)
    winners, origin = winners_of(fields)
    # One voxel of nothing around the map: the winners' box has one too.
    at = tuple(slice(o + 1, o + 1 + n) for o, n in zip(origin, winners.shape, strict=True))
    assert (winners == np.pad(labels.array, 1)[at]).all()
    one, two = extract_shared(fields)
    assert judge(one).valid
    assert judge(two).valid
    common = set(map(bytes, one.vertices_mm)) & set(map(bytes, two.vertices_mm))
    # The wall is a disc of 216 mm² with about a vertex on each square millimetre.
    assert len(common) > 200
    # Together they are the ball, to the half voxel that the map knows of it.
    assert one.volume_mm3 + two.volume_mm3 == pytest.approx(4 / 3 * np.pi * 8.3**3, rel=0.02)


def test_a_map_of_a_hundred_labels_is_looked_through_once_and_each_label_in_its_box(monkeypatch):
    place = np.indices((50, 50, 10)) // 5
    array = (1 + place[0] * 10 + place[1]).astype(np.uint8)
    names = tuple(Label(n, f"label_{n}") for n in range(1, 101))
    planes = []
    widen = label_loops.widen_boxes
    monkeypatch.setattr(label_loops, "widen_boxes", lambda *a: planes.append(a[1]) or widen(*a))
    fields = fields_from_labels(LabelMap(array, grid(array.shape), names))
    assert len(fields) == 100
    assert planes == list(range(10))
    assert max(f.values.size for f in fields) <= 11 * 11 * 10


@pytest.mark.parametrize("step_mm", [1.2, 4.0])
def test_the_grid_of_the_fields_is_known_before_they_are_made(step_mm):
    labels, _ = sliced_ball((0.8, 0.8, step_mm), radius=6)
    grid_of = grid_of_fields(labels.geometry)
    assert all(f.grid == grid_of for f in fields_from_labels(labels))
    assert (grid_of == labels.geometry) == (step_mm < 1.6)
