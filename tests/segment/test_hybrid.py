"""Thin plates, narrow gaps and neighbours: what the hybrid boundary does at its limits.

Scans are exact: a blurred ball and a blurred box have formulas (`benchmarks/hybrid_scenes`).
The networks here are what a coarse one says, written down; `benchmarks/hybrid.py` trains one.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import label as connected
from scipy.special import ndtr

from medrecon.core import Label, Segmentation, SoftField, away_from_zero, label
from medrecon.segmentation.blur import blur_of_edges
from medrecon.segmentation.exclusive import disjoint
from medrecon.segmentation.gaps import floors_of_gaps
from medrecon.segmentation.refine import refine
from medrecon.segmentation.sheets import fit_sheets

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import hybrid_scenes as scenes


def coarse(scene: scenes.Scene, error_mm: float = 0.0) -> Segmentation:
    """A network's answer on 3 mm voxels: the true depth, wavy, sampled and interpolated."""
    depth = scene.depth(scenes.points_of(scenes.GRID)).reshape(scenes.GRID.shape)
    wave = 0.4 * np.sin(np.indices(depth.shape).sum(axis=0) / 4)
    field = away_from_zero((depth + wave + error_mm).astype(np.float32))
    one = SoftField(label("bone"), field, scenes.GRID)
    return Segmentation(scenes.GRID, (one,), "coarse net")


@pytest.mark.parametrize("thickness_mm", [2.0, 3.0])
def test_plates_of_two_and_three_millimetres_come_out_as_thick_as_they_are(thickness_mm):
    scene = scenes.plate(thickness_mm, 0)
    found = refine(coarse(scene, 0.5), scenes.scan(scene, 0))
    error = np.concatenate(scenes.distances(found.fields[0], scene))
    assert error.mean() < 0.10
    assert not found.findings.get("bone")


def test_a_plate_thinner_than_the_blur_is_called_unresolved_and_its_doubt_is_in_mm():
    scene = scenes.plate(1.0, 0)
    found = refine(coarse(scene, 0.8), scenes.scan(scene, 0))
    assert any("unresolved" in words for words in found.findings["bone"])
    doubt = found.doubts["bone"]
    # At least the blur, 0.67 mm, on most of it.
    assert np.median(doubt.mm) >= scenes.SIGMA_MM * 0.99
    shown = doubt.on(found.fields[0].values.shape)
    assert np.count_nonzero(np.isfinite(shown)) == len(doubt.index)


def test_a_small_ball_keeps_its_volume_and_its_doubt_is_small():
    scene = scenes.balls(5.0, 0)
    found = refine(coarse(scene, 0.6), scenes.scan(scene, 0))
    mesh = scenes.finest_mesh(found.fields[0])
    corners = mesh.vertices_mm[mesh.faces].astype(float)
    mm3 = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert mm3 == pytest.approx(scene.volume_mm3, rel=0.03)
    # Noise of 20 HU on an edge of 1000 HU that rises by 600 HU a millimetre: 0.03 mm.
    assert np.median(found.doubts["bone"].mm) == pytest.approx(0.033, abs=0.02)


@pytest.mark.parametrize("gap_mm", [1.0, 2.0])
def test_bones_with_a_gap_of_a_millimetre_stay_two(gap_mm):
    scene = scenes.joint(gap_mm, 1)
    found = refine(coarse(scene), scenes.scan(scene, 1))
    _, parts = connected(found.fields[0].values > 0, np.ones((3, 3, 3)))
    assert parts == 2
    assert np.concatenate(scenes.distances(found.fields[0], scene)).mean() < 0.08


@pytest.mark.parametrize("seed", range(4))
def test_bones_a_millimetre_apart_that_the_network_has_joined_come_apart(seed):
    scene = scenes.joint(1.0, seed)
    joined = coarse(scene, 0.9)
    assert connected(joined.fields[0].values > 0)[1] == 1
    found = refine(joined, scenes.scan(scene, seed))
    assert connected(found.fields[0].values > 0, np.ones((3, 3, 3)))[1] == 2
    error = np.concatenate(scenes.distances(found.fields[0], scene))
    # The gap's floor is put a voxel's half diagonal wide at most: 0.87 mm and the noise.
    assert error.mean() < 0.04
    assert error.max() < 1.1


def test_marrow_between_two_cortices_is_no_gap():
    # Bright for 3, dark for 2, bright for 3 voxels, in soft tissue: a valley inside a bone.
    along = np.full(24, 50, np.float32)
    along[8:11] = along[13:16] = 1050
    along[11:13] = 300
    image = np.broadcast_to(along[:, None, None], (24, 16, 16)).copy()
    image[:, :2] = image[:, -2:] = image[:, :, :2] = image[:, :, -2:] = 50
    image[8:16, 2:4] = image[8:16, -4:-2] = image[8:16, :, 2:4] = image[8:16, :, -4:-2] = 1050
    inside = image > 250
    places = np.argwhere(inside & (image == 300))
    least = np.full(len(places), 250, np.float32)
    assert not floors_of_gaps(image, inside, places, least, (1.0, 1.0, 1.0)).any()
    # Opened on one side it is a gap.
    opened, cut = image.copy(), inside.copy()
    opened[11:13, 8], cut[11:13, :9] = 50, False
    assert floors_of_gaps(opened, cut, places, least, (1.0, 1.0, 1.0)).any()
    # Towards something bright that is not the structure there is no gap to keep open.
    cut[13:] = False
    middle = (np.abs(places[:, 1:] - 7.5) < 2).all(axis=1)
    found = floors_of_gaps(opened, cut, places[middle], least[middle], (1.0, 1.0, 1.0))
    assert middle.any()
    assert not found.any()


@pytest.mark.parametrize("blur_mm", [0.5, 0.67, 0.9])
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.8, 0.8, 1.2)])
def test_the_blur_is_read_rightly_from_edges_of_every_direction(blur_mm, spacing_mm):
    normals = np.random.default_rng(0).standard_normal((3, 5000))
    normals /= np.linalg.norm(normals, axis=0)
    # A plane through a voxel: its neighbours along an axis lie n·s mm on either side.
    steps = normals * np.array(spacing_mm)[:, None]
    rise = (ndtr(steps / blur_mm) - ndtr(-steps / blur_mm)) / 2
    assert blur_of_edges(rise.astype(np.float32), spacing_mm) == pytest.approx(blur_mm, rel=0.01)
    assert blur_of_edges(rise[:, :50].astype(np.float32), spacing_mm) is None


def test_parts_that_the_network_keeps_apart_are_never_joined_whatever_the_image_shows():
    # One ball in the image; the network says two halves with a slit of two voxels.
    scene = scenes.balls(12.0, 0)
    one = coarse(scene)
    values = np.array(one.fields[0].values)
    values[scenes.SIZE // 2 - 1 : scenes.SIZE // 2 + 1] = -1
    halves = replace(one, fields=(replace(one.fields[0], values=values),))
    found = refine(halves, scenes.scan(scene, 0))
    numbered, _ = connected(found.fields[0].values > 0, np.ones((3, 3, 3)))
    left, right = numbered[29, 36, 36], numbered[43, 36, 36]
    assert left > 0
    assert right > 0
    assert left != right


def test_labels_that_exclude_one_another_never_overlap():
    x = np.broadcast_to(np.arange(20.0, dtype=np.float32)[:, None, None], (20, 8, 8))
    grid = scenes.GRID.crop((0, 0, 0), (20, 8, 8))
    # One reaches up to 11.5, the other from 8.5 on: they overlap by three voxels.
    a = SoftField(Label(1, "a"), away_from_zero(11.5 - x), grid)
    b = SoftField(Label(2, "b"), away_from_zero(x[6:] - 8.5), grid, (6, 0, 0))
    one, two = disjoint([a, b])
    inside = np.zeros((2, *grid.shape), np.bool_)
    inside[0][one.slices], inside[1][two.slices] = one.values > 0, two.values > 0
    assert not inside.all(axis=0).any()
    # They meet in the middle, at 10, and nothing is left between.
    assert inside[0, :10].all()
    assert inside[1, 11:].all()
    apart = SoftField(Label(2, "b"), away_from_zero(x[13:] - 13.5), grid, (13, 0, 0))
    assert disjoint([a, apart])[0] is a


def test_a_sheet_of_known_blur_gives_thickness_and_contrast():
    # t = 2.5 mm, C = 800, σ = 0.8 mm on an axis, without noise: the area is C·t exactly.
    x = np.arange(-15.0, 16.0)
    shares = scenes.blurred_box(x[:, None], np.array([1.25]), 0.8)
    image = np.broadcast_to((100 + 800 * shares)[:, None, None], (31, 12, 12)).astype(np.float32)
    places = np.argwhere(np.ones((2, 6, 6), np.bool_)) + np.array([15, 3, 3])
    for sign in (1.0, -1.0):
        sheet = fit_sheets(sign * image, places, (1.0, 1.0, 1.0), 0.8, sign=sign)
        assert sheet.resolved.all()
        assert sheet.thickness_mm == pytest.approx(2.5, abs=0.2)
        assert sign * sheet.contrast == pytest.approx(800, rel=0.08)
        # At its edge the sheet shows C·(Φ(t/σ) − ½) = 0.4991·C.
        assert sign * sheet.level == pytest.approx(100 + 0.4991 * 800, rel=0.08)
