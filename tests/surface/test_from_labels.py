import numpy as np
import pytest
from solids import LABEL, blobs, field_of, grid, shell, sphere

from medrecon.core import Label, LabelMap, SoftField
from medrecon.surface.extract import extract_surface
from medrecon.surface.from_labels import fields_from_labels, smoothest_field
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
