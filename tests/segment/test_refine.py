"""The surface goes to the image's half-maximum, and stays where the image cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scenes import Shape, ball, box, ct, grid, rod, shell, torso

from medrecon.core import Geometry, Mesh, Segmentation, SoftField, Volume, label
from medrecon.errors import GeometryError
from medrecon.segmentation.refine import RefineOptions, refine
from medrecon.segmentation.tissues import TissueSegmenter
from medrecon.surface.extract import extract_surface

WIDE = ((lambda x, y, z: 99 + 0 * x), 50.0)


def field_of(volume: Volume, inside: npt.NDArray[np.bool_], name: str) -> Segmentation:
    """A coarse net's answer: right in the middle, a staircase at the edge."""
    values = np.where(inside, 1.0, -1.0).astype(np.float32)
    field = SoftField(label(name), values, volume.geometry)
    return Segmentation(volume.geometry, (field,), "coarse net")


def signed_mm(mesh: Mesh, shape: Shape) -> npt.NDArray[np.float64]:
    """Distances of the vertices that are not on the caps at the scan's ends."""
    x, y, z = mesh.vertices_mm.astype(float).T
    middle = np.abs(z) < np.abs(z).max() - 1.5
    return shape(x[middle], y[middle], z[middle])


def voxels(geometry: Geometry, shape: Shape) -> npt.NDArray[np.bool_]:
    index = np.stack(np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij"), -1)
    x, y, z = geometry.mm_from_index(index.reshape(-1, 3)).T
    return (shape(x, y, z) > 0).reshape(geometry.shape)


@pytest.mark.parametrize("error_mm", [-2.0, 0.0, 2.0])
def test_a_ball_found_two_voxels_wrong_comes_out_right(error_mm: float) -> None:
    # The half-maximum of a ball of radius R lies σ²/R inside it: 0.5 / 16 = 0.03 mm.
    organ = ball((0.3, -0.2, 0.4), 16)
    volume = ct(grid((60, 60, 60)), [WIDE, (organ, 250.0)])
    coarse = field_of(volume, voxels(volume.geometry, ball((0, 0, 0), 16 + error_mm)), "liver")
    mesh = extract_surface(refine(coarse, volume).fields[0])
    distance = signed_mm(mesh, organ)
    assert np.abs(distance).mean() < 0.1
    assert np.abs(distance).max() < 0.6


def test_a_dark_organ_is_placed_as_well_as_a_bright_one() -> None:
    organ = ball((0.3, -0.2, 0.4), 16)
    volume = ct(grid((60, 60, 60)), [WIDE, (organ, -850.0)])
    coarse = field_of(volume, voxels(volume.geometry, ball((0, 0, 0), 15)), "lung_left")
    distance = signed_mm(extract_surface(refine(coarse, volume).fields[0]), organ)
    assert np.abs(distance).mean() < 0.06


def test_a_thick_bone_is_placed_at_its_half_maximum_not_at_a_fixed_threshold() -> None:
    # At 180 HU the edge from 50 to 1200 HU lies at Φ⁻¹(130/1150) = −1.21 σ: 0.85 mm outside.
    bone = rod(0.2, 0.3, 12)
    volume = ct(grid((100, 96, 24)), [*torso(46, 44), (bone, 1200.0)])
    found = TissueSegmenter(["bone"]).segment(volume)
    before = signed_mm(extract_surface(found.fields[0]), bone)
    after = signed_mm(extract_surface(refine(found, volume).fields[0]), bone)
    assert -before.mean() == pytest.approx(0.85, abs=0.1)
    assert np.abs(after.mean()) < 0.08


def test_a_thin_cortex_is_placed_at_its_true_edge() -> None:
    # A wall of 2 mm under a blur of 0.7 mm shows Φ(1.43) − Φ(−1.43) = 85 % of itself: its
    # half-maximum would lie 0.1 mm outside. A solid rod beside it shows the full density.
    outer, inner = shell(rod(-15, 0, 10), 2.0)
    scene = [*torso(46, 44), (outer, 1200.0), (inner, 200.0), (rod(17, 0, 9), 1200.0)]
    volume = ct(grid((100, 96, 24)), scene)
    found = refine(TissueSegmenter(["bone"]).segment(volume), volume)
    distance = signed_mm(extract_surface(found.fields[0]), outer)
    near = np.abs(distance) < 2  # the solid rod lies further away
    assert np.abs(distance[near].mean()) < 0.06


def test_what_the_image_does_not_show_stays_where_it_was_and_is_reported() -> None:
    # 8 HU of contrast in 8 HU of noise: 1, where 4 is asked for.
    organ = ball((0, 0, 0), 14)
    volume = ct(grid((48, 48, 48)), [WIDE, (organ, 58.0)])
    coarse = field_of(volume, voxels(volume.geometry, organ), "liver")
    refined = refine(coarse, volume)
    assert np.array_equal(refined.fields[0].values > 0, coarse.fields[0].values > 0)
    assert "uncertain" in refined.findings["liver"][0]


def test_a_joint_or_fracture_is_never_closed_by_refinement() -> None:
    bones = [(ball((-13, 0, 0), 12), 1000.0), (ball((13, 0, 0), 12), 1000.0)]  # 2 mm apart
    volume = ct(grid((100, 96, 40)), [*torso(46, 44), *bones])
    found = TissueSegmenter(["bone"]).segment(volume)
    before, after = found.fields[0].values > 0, refine(found, volume).fields[0].values > 0
    assert not (after & ~before).any()


def test_bands_with_two_edges_are_left_alone() -> None:
    volume = ct(grid((96, 96, 12)), torso(44, 42))
    found = TissueSegmenter(["fat"]).segment(volume)
    assert refine(found, volume).fields[0] is found.fields[0]


def test_the_band_limits_how_far_a_surface_moves() -> None:
    organ = ball((0, 0, 0), 18)
    volume = ct(grid((60, 60, 60)), [WIDE, (organ, 250.0)])
    coarse = field_of(volume, voxels(volume.geometry, ball((0, 0, 0), 17)), "liver")
    coarse = replace(coarse, source="tissue")
    near = refine(coarse, volume, RefineOptions(band_voxels=1)).fields[0].values > 0
    far = refine(coarse, volume, RefineOptions(band_voxels=4)).fields[0].values > 0
    assert far.sum() > near.sum() > (coarse.fields[0].values > 0).sum()


def test_thick_slices_are_placed_as_well_along_their_normal() -> None:
    organ = ball((0.3, -0.2, 0.4), 16)
    geometry = grid((60, 60, 24), (0.9, 0.9, 2.5))
    volume = ct(geometry, [WIDE, (organ, 250.0)])
    coarse = field_of(volume, voxels(geometry, ball((0, 0, 0), 16)), "liver")
    distance = signed_mm(extract_surface(refine(coarse, volume).fields[0]), organ)
    assert np.abs(distance).mean() < 0.2


def test_another_grid_is_refused() -> None:
    volume = ct(grid((20, 20, 20)), [WIDE])
    other = ct(grid((21, 20, 20)), [WIDE])
    coarse = field_of(volume, np.ones((20, 20, 20), dtype=bool), "liver")
    with pytest.raises(GeometryError):
        refine(coarse, other)


def test_refining_twice_gives_the_same_bytes_and_keeps_its_input() -> None:
    volume = ct(grid((80, 80, 16)), [*torso(36, 34), (box((-9, -9, -99), (9, 9, 99)), 900.0)])
    found = TissueSegmenter(["bone"]).segment(volume)
    kept = found.fields[0].values.copy()
    one, two = (refine(found, volume).fields[0].values for _ in range(2))
    assert one.tobytes() == two.tobytes()
    assert np.array_equal(found.fields[0].values, kept)


def test_progress_ends_at_one() -> None:
    volume = ct(grid((80, 80, 16)), torso(36, 34))
    told: list[float] = []
    found = TissueSegmenter(["skin"]).segment(volume, progress=told.append)
    refine(found, volume, progress=told.append)
    assert told == [1.0, 1.0]
