import numpy as np
from solids import LABEL, field_of, grid, sphere, torus

from medrecon.core import SoftField
from medrecon.surface.extract import extract_surface
from medrecon.surface.upsample import is_thin, upsampled
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
