"""Voxels made from solids: partial volume, blur and noise have the sizes they claim."""

from __future__ import annotations

import math

import numpy as np
import pytest

from medrecon.core import Geometry
from medrecon.phantom.primitives import half_space, sphere
from medrecon.phantom.render import Layer, contains, occupancy, paint
from medrecon.phantom.scanner import Scanner, blurred, noise, scan
from medrecon.phantom.solid import Solid

BALL = sphere((0.3, -0.2, 0.1), 9.7)
BALL_MM3 = 4 / 3 * math.pi * 9.7**3
QUIET = Scanner(sigma_mm=(0, 0, 0), noise_hu=0)


def _turned(degrees: float) -> tuple[tuple[float, float, float], ...]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    tilt = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.array(
        [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    )
    return tuple(tuple(float(v) for v in row) for row in tilt)


def _oblique() -> Geometry:
    turned = np.asarray(_turned(25))
    first = -turned @ (np.array([39, 39, 19]) / 2 * (0.9, 0.9, 2.0))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turned * (0.9, 0.9, 2.0), first
    return Geometry.from_affine(affine, (40, 40, 20))


GRIDS = {
    "isotropic": Geometry((24, 24, 24), (1, 1, 1), (-11.5, -11.5, -11.5)),
    "anisotropic": Geometry((24, 30, 8), (1.0, 0.8, 3.1), (-11.6, -11.9, -10.9)),
    "flipped": Geometry(
        (24, 24, 24), (1, 1, 1), (11.5, 11.4, -11.5), ((-1, 0, 0), (0, -1, 0), (0, 0, 1))
    ),
    "oblique": _oblique(),
}


@pytest.mark.parametrize("name", GRIDS)
def test_the_shares_of_a_ball_add_up_to_its_volume_on_any_grid(name: str) -> None:
    grid = GRIDS[name]
    index = grid.index_from_mm([[0.3, -0.2, 0.1]])[0]
    margin = 10.5 / np.asarray(grid.spacing_mm)
    assert (index - margin > -0.5).all()
    assert (index + margin < np.asarray(grid.shape) - 0.5).all()
    share = occupancy(BALL, grid)
    # A sub-cell's middle is deeper than its mean by Σh² / (24 R) · 2/3, hence the volume is too
    # large by Σh² / (12 R²), h a third of the spacing.
    excess = sum((s / 3) ** 2 for s in grid.spacing_mm) / (12 * 9.7**2)
    volume = share.sum(dtype=float) * grid.voxel_volume_mm3
    assert volume == pytest.approx(BALL_MM3 * (1 + excess), rel=5e-5)
    centre = np.array([np.average(np.indices(grid.shape)[a], weights=share) for a in range(3)])
    assert np.allclose(grid.mm_from_index([centre])[0], (0.3, -0.2, 0.1), atol=2e-3)


def test_a_face_through_a_voxel_fills_the_share_it_cuts_off() -> None:
    grid = Geometry((4, 1, 1), (2, 2, 2), (0, 0, 0))
    # x < 3.5 mm: voxel 1 spans 1 to 3, voxel 2 spans 3 to 5: a quarter of it.
    share = occupancy(half_space((1, 0, 0), 3.5), grid).ravel()
    assert np.allclose(share, [1, 1, 0.25, 0], atol=1e-5)


def test_a_slanted_face_fills_half_of_the_voxel_it_halves() -> None:
    slope = (math.sqrt(0.5), math.sqrt(0.5), 0.0)
    grid = Geometry((3, 3, 3), (1, 1, 1), (-1, -1, -1))
    share = occupancy(half_space(slope, 0.0), grid)
    assert share[1, 1, 1] == pytest.approx(0.5, abs=1e-6)
    # The neighbour along x: the face cuts off nothing but a corner point.
    assert share[2, 1, 1] == pytest.approx(0.0, abs=0.01)


def test_more_samples_come_closer_to_a_small_ball() -> None:
    tiny = sphere((0.2, 0.1, -0.3), 1.2)
    grid = Geometry((8, 8, 8), (1, 1, 1), (-3.5, -3.5, -3.5))
    errors = [abs(occupancy(tiny, grid, n).sum() - 4 / 3 * math.pi * 1.2**3) for n in (2, 3, 8)]
    assert errors[2] < errors[1] < errors[0]
    # 7.2 mm³ by formula; the error falls with the square of the samples per axis.
    assert errors[2] < 0.03


def test_a_voxel_belongs_to_the_solid_that_holds_its_centre() -> None:
    grid = GRIDS["anisotropic"]
    points = grid.mm_from_index(np.indices(grid.shape).reshape(3, -1).T)
    near = np.linalg.norm(points - (0.3, -0.2, 0.1), axis=1).reshape(grid.shape) < 9.7
    assert np.array_equal(contains(BALL, grid), near)


def test_later_layers_lie_over_earlier_ones_and_inner_depths_inside() -> None:
    grid = Geometry((9, 1, 1), (1, 1, 1), (0, 0, 0))
    wall = Layer(half_space((1, 0, 0), 6.5), 100.0, ((2.0, 40.0),))
    image = paint(
        [wall, Layer(half_space((1, 0, 0), 1.5), -50.0)], grid, background_hu=0, supersampling=3
    )
    # −50 up to x = 1, then the inside of the wall up to 6.5 − 2 = 4.5, its shell up to 6.
    assert np.allclose(image.ravel(), [-50, -50, 40, 40, 40, 100, 100, 0, 0], atol=1e-3)


def test_the_blur_has_the_variance_it_claims_even_below_a_voxel() -> None:
    impulse = np.zeros((21, 21, 21), np.float32, order="F")
    impulse[10, 10, 10] = 1
    image = blurred(impulse, (0.4, 0.0, 1.5))
    offsets = np.indices(image.shape) - 10
    variances = [float((image * o.astype(float) ** 2).sum()) for o in offsets]
    assert np.allclose(variances, (0.16, 0.0, 2.25), rtol=0.01, atol=1e-6)
    assert image.sum(dtype=float) == pytest.approx(1, abs=1e-5)


def test_the_noise_is_of_unit_size_between_the_middle_and_the_rim() -> None:
    grain = np.stack(list(noise((64, 64, 20), np.random.default_rng(0))), axis=-1)
    # The profile falls from 1.1 in the middle to 0.6 at the rim.
    assert grain[28:36, 28:36].std() == pytest.approx(1.08, abs=0.05)
    assert grain[:6, :6].std() == pytest.approx(0.6, abs=0.04)
    neighbours = np.corrcoef(grain[:-1].ravel(), grain[1:].ravel())[0, 1]
    slices = np.corrcoef(grain[..., :-1].ravel(), grain[..., 1:].ravel())[0, 1]
    assert neighbours > 0.4
    assert abs(slices) < 0.02


def test_a_scan_depends_on_its_seed_and_on_nothing_else() -> None:
    def take(seed: int) -> np.ndarray:
        return scan([Layer(BALL, 500.0)], GRIDS["isotropic"], Scanner(), seed).array

    assert np.array_equal(take(1), take(1))
    assert not np.array_equal(take(1), take(2))


def test_a_quiet_scan_is_the_shares_in_whole_hu_and_never_below_the_lowest() -> None:
    grid = GRIDS["isotropic"]
    volume = scan([Layer(BALL, 500.0)], grid, QUIET, 0, background_hu=-1100.0)
    assert volume.array.min() == -1024
    expected = np.rint(np.maximum(-1100 + 1600 * occupancy(BALL, grid), -1024))
    assert np.abs(volume.array - expected).max() <= 1
    assert volume.acquisition.is_phantom


def test_slabs_make_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [Layer(Solid(BALL.field, BALL.low_mm, BALL.high_mm), 300.0)]
    grid = GRIDS["anisotropic"]
    whole = paint(layers, grid, background_hu=0, supersampling=3)
    monkeypatch.setattr("medrecon.phantom.render.SLAB_VOXELS", 1)
    assert np.array_equal(paint(layers, grid, background_hu=0, supersampling=3), whole)
