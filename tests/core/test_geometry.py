"""Laws of a grid's placement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrecon.core import Geometry, lps_from_ras, ras_from_lps
from medrecon.errors import GeometryError

spacings = st.tuples(*[st.floats(0.1, 10)] * 3)
origins = st.tuples(*[st.floats(-2000, 2000)] * 3)
shapes = st.tuples(*[st.integers(1, 40)] * 3)


def rotation(seed: int) -> np.ndarray:
    """A random orthogonal matrix, right- or left-handed."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    matrix = rotation(draw(st.integers(0, 10_000))) * draw(spacings)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, draw(origins)
    return Geometry.from_affine(affine, draw(shapes))


@given(geometries(), st.tuples(*[st.floats(-50, 50)] * 3))
def test_index_to_mm_and_back_is_identity(geometry, index):
    back = geometry.index_from_mm(geometry.mm_from_index([index]))[0]
    assert np.allclose(back, index, atol=1e-7)


@given(geometries())
def test_lps_to_ras_and_back_is_identity(geometry):
    assert np.array_equal(lps_from_ras(ras_from_lps(geometry.affine_lps)), geometry.affine_lps)


@given(geometries(), st.floats(0.3, 4))
def test_an_isotropic_grid_reaches_every_old_centre_and_less_than_a_voxel_further(geometry, mm):
    target = geometry.isotropic(mm)
    index = target.index_from_mm(geometry.corners_mm)
    assert index.min() >= -1e-4
    beyond = np.asarray(target.shape) - 1 - index.max(axis=0)
    assert (beyond >= -1e-4).all()
    assert (beyond < 1).all()


@given(geometries())
def test_an_orthogonal_grid_keeps_its_first_voxel_when_made_isotropic(geometry):
    assert np.allclose(geometry.isotropic(1.0).origin_mm, geometry.origin_mm, atol=1e-6)


def test_a_crop_starts_where_its_first_voxel_lay():
    g = Geometry((10, 10, 10), (1.0, 2.0, 3.0), (5.0, 6.0, 7.0))
    # 2 voxels of 1 mm, −1 of 2 mm, 4 of 3 mm from (5, 6, 7).
    assert g.crop((2, -1, 4), (3, 3, 3)).origin_mm == (7.0, 4.0, 19.0)


def test_a_tilted_grid_is_sheared_and_its_isotropic_grid_is_not():
    tilt = np.deg2rad(20)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 2] = [0, np.sin(tilt), np.cos(tilt)]
    g = Geometry.from_affine(affine, (10, 10, 10))
    assert g.is_sheared
    assert not g.isotropic(1.0).is_sheared
    # A parallelepiped's volume is base times height: cos 20° of the cube's.
    assert g.voxel_volume_mm3 == pytest.approx(np.cos(tilt))


@pytest.mark.parametrize(
    ("spacing", "origin", "direction"),
    [
        ((0.0, 1, 1), (0, 0, 0), np.eye(3)),
        ((-1.0, 1, 1), (0, 0, 0), np.eye(3)),
        ((1, 1, 1), (np.nan, 0, 0), np.eye(3)),
        ((1, 1, 1), (0, 0, 0), np.ones((3, 3)) / np.sqrt(3)),
        ((1, 1, 1), (0, 0, 0), 2 * np.eye(3)),
    ],
)
def test_a_grid_that_cannot_be_is_refused(spacing, origin, direction):
    with pytest.raises(GeometryError):
        Geometry((2, 2, 2), spacing, origin, tuple(map(tuple, direction)))
