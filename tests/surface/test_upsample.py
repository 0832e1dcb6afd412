import numpy as np
import pytest
from scipy.ndimage import label as connected
from solids import LABEL, field_of, grid, sphere, torus

from medrecon.core import Geometry, SoftField
from medrecon.surface.extract import extract_surface
from medrecon.surface.upsample import finest, is_thin, upsampled
from medrecon.surface.validity import judge


def error(mesh, centre, ring, tube):
    x, y, z = (mesh.vertices_mm - np.asarray(centre)).T
    return np.abs(np.hypot(np.hypot(x, y) - ring, z) - tube).mean()


def test_a_thin_torus_is_at_least_three_times_nearer_to_the_truth():
    centre = (20.3, 20.1, 10.2)
    field = field_of(torus(centre, 12, 4), grid((42, 42, 22)))
    plain, fine = extract_surface(field), extract_surface(upsampled(field))
    assert judge(fine).valid
    assert error(fine, centre, 12, 4) < min(0.01, error(plain, centre, 12, 4) / 3)


def test_voxel_edges_stay_where_they_are():
    field = SoftField(LABEL, np.ones((5, 6, 7), np.float32), grid((5, 6, 7), (1, 2, 1), (3, 4, 5)))
    whole, fine = extract_surface(field), extract_surface(upsampled(field))
    assert np.array_equal(whole.bounds_mm, fine.bounds_mm)


def test_only_what_a_few_voxels_describe_is_thin():
    # 2 V / A is 2 R / 3 for a ball and R for a rod or a torus' tube.
    ball = extract_surface(field_of(sphere((20, 20, 20), 15), grid((41, 41, 41))))
    tube = extract_surface(field_of(torus((20, 20, 8), 12, 3), grid((41, 41, 17))))
    assert not is_thin(ball, (1, 1, 1))
    assert is_thin(tube, (1, 1, 1))


@pytest.mark.parametrize("mirror", [1, -1])
def test_samples_between_samples_are_where_an_oblique_sheared_grid_says(mirror):
    # Turned about two axes, sheared as under gantry tilt, left- or right-handed.
    c, s = np.cos(0.5), np.sin(0.5)
    turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ [[1, 0, 0], [0, c, -s], [0, s, c]]
    affine = np.eye(4)
    affine[:3, :3] = turned @ [[0.7, 0, 0], [0, 0.8, 0.3], [0, 0, 1.9 * mirror]]
    affine[:3, 3] = (-310.5, 122.25, 987.75)
    geometry = Geometry.from_affine(affine, (12, 11, 10))
    middle = geometry.mm_from_index([[5.4, 5.1, 4.6]])[0]
    # A quadratic of the position in mm: Keys' cubic passes through it exactly, so the
    # value at each new centre is the function's at that centre's own LPS position.
    bend = np.array([[0.02, 0.01, 0], [0, -0.03, 0.02], [0, 0, 0.01]])

    def function(points):
        p = points - middle
        return 1.5 + p @ (0.4, -0.2, 0.3) + np.einsum("ni,ij,nj->n", p, bend, p)

    finer = upsampled(field_of(function, geometry))
    assert finer.grid.shape == (24, 22, 20)
    assert np.allclose(np.sort(finer.grid.spacing_mm), np.sort(geometry.spacing_mm) / 2)
    inner = np.stack(np.meshgrid(*(np.arange(3, n - 3) for n in finer.grid.shape)), -1)
    index = inner.reshape(-1, 3)
    expected = function(finer.grid.mm_from_index(index))
    # Values next to zero are moved away from it, by 1e-4 of the largest.
    plain = np.abs(expected) > 2e-4 * np.abs(finer.values).max()
    assert np.abs(finer.values[tuple(index.T)] - expected)[plain].max() < 3e-5


def test_the_surface_of_the_finer_field_stays_in_place_on_an_oblique_grid():
    turned = np.array([[0.8, -0.6, 0], [0.48, 0.64, -0.6], [0.36, 0.48, 0.8]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turned * (0.9, 0.9, 1.2), (200, -300, 1500)
    geometry = Geometry.from_affine(affine, (22, 22, 18))
    centre = geometry.mm_from_index([[10.3, 10.8, 8.6]])[0]
    field = field_of(sphere(centre, 5), geometry)
    drawn = finest(field, extract_surface(field))
    assert drawn.field.grid.shape == (44, 44, 36)
    away = np.linalg.norm(drawn.mesh.vertices_mm - centre, axis=1) - 5
    assert np.abs(away.mean()) < 0.01
    assert np.abs(drawn.mesh.centroid_mm - centre).max() < 2e-3


def overshooting(sign):
    """A block of one sign beside a steep cliff, on which a cubic swings over zero and back."""
    values = np.full((24, 20, 20), -0.05, np.float32)
    values[4:9, 6:14, 6:14] = 4.0
    values[14:17, 8:12, 8:12] = -20.0
    return SoftField(LABEL, sign * values, grid(values.shape))


@pytest.mark.parametrize("sign", [1, -1])
def test_no_piece_and_no_hole_comes_of_a_cubic_that_swings_over(sign):
    field = overshooting(sign)
    finer = upsampled(field).values
    assert connected(sign * field.values > 0)[1] == 1
    assert connected(sign * finer > 0)[1] == 1
    # What is there stays, and nothing further than a voxel from it is new.
    assert (sign * finer[8:18, 12:28, 12:28] > 0).all()
    assert not (sign * finer[20:] > 0).any()


@pytest.mark.parametrize("sign", [1, -1])
def test_a_piece_of_one_sample_is_not_lost(sign):
    values = np.full((9, 9, 9), -5.0, np.float32)
    values[4, 4, 4] = 0.5
    field = SoftField(LABEL, sign * values, grid(values.shape))
    finer = upsampled(field).values
    assert (sign * finer[8:10, 8:10, 8:10] == 0.5).all()
    assert np.count_nonzero(sign * finer > 0) == 8


def test_what_finer_voxels_moved_is_kept_beside_the_surface():
    ball = field_of(sphere((10.2, 10.1, 9.9), 4), grid((21, 21, 21)))
    large = field_of(sphere((20, 20, 20), 15), grid((41, 41, 41)))
    whole = extract_surface(ball)
    assert finest(ball, whole).given is whole
    assert finest(large, extract_surface(large)).given is None


@pytest.mark.parametrize("sign", [1, -1])
def test_a_wall_of_one_voxel_is_not_lost(sign):
    values = np.full((12, 12, 12), -5.0, np.float32)
    values[5, 2:10, 2:10] = 0.5
    # A ball that holds the block in place: the wall hangs on something.
    values[4:9, 2:5, 2:5] = 5.0
    field = SoftField(LABEL, sign * values, grid(values.shape))
    plain, fine = extract_surface(field), extract_surface(upsampled(field))
    finer = upsampled(field).values
    assert connected(sign * finer > 0)[1] == 1
    assert (sign * finer[10:12, 12:18, 12:18] > 0).all()
    if sign > 0:
        assert np.abs(plain.bounds_mm - fine.bounds_mm).max() < 0.5
