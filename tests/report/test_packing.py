"""What the page holds is the mesh and the image, in fewer bytes."""

from __future__ import annotations

import base64
import gzip

import imagecodecs
import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from medrecon.core import Acquisition, Geometry, HuStatus, Label, Mesh, Modality, Volume
from medrecon.core.canonical import display_grid
from medrecon.report.display import display_meshes
from medrecon.report.frames import levels, pack_slices
from medrecon.report.packing import pack_mesh


def ball(radius_mm: float = 50.0, subdivisions: int = 3) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius_mm)
    return Mesh(sphere.vertices + np.array([10, -20, 30]), sphere.faces, Label(1, "ball"))


def unpacked(mesh: Mesh) -> Mesh:
    """The page's decoder, written again: an independent reading of the format."""
    packed = pack_mesh(mesh)
    data = np.frombuffer(gzip.decompress(base64.b64decode(packed.data)), np.uint8)
    n, m = packed.header["vertices"], packed.header["triangles"]
    grid = []
    for axis in range(3):
        low, high = data[2 * n * axis :][:n], data[2 * n * axis + n :][:n]
        grid.append(np.cumsum(low.astype(np.int64) + 256 * high.astype(np.int64)) % 65536)
    columns = data[6 * n :].reshape(3, 4, m).astype(np.int64)
    a, b, c = (columns * (1 << np.array([0, 8, 16, 24]))[None, :, None]).sum(axis=1)
    first = np.cumsum(a)
    vertices = np.stack(grid, axis=1) * packed.header["step"] + packed.header["low"]
    return Mesh(vertices, np.stack([first, first + b, first + c], axis=1), mesh.label)


def test_a_mesh_comes_back_within_a_step_and_wound_as_before():
    mesh = ball()
    back = unpacked(mesh)
    # A step is 100 mm / 65535 = 1.5 µm: a vertex is within √3/2 of it, 1.3 µm, plus 4 µm of
    # float32 at 80 mm. The volume changes by 3 · 0.0008 mm / 50 mm at most.
    distance, _ = cKDTree(back.vertices_mm).query(mesh.vertices_mm)
    assert distance.max() < 0.006
    assert back.volume_mm3 == pytest.approx(mesh.volume_mm3, rel=5e-5)
    assert len(back.faces) == len(mesh.faces)


def test_large_meshes_are_made_lighter_and_small_ones_kept():
    large, small = ball(subdivisions=5), ball(5.0, 2)
    shown = display_meshes([large, small], total_triangles=5000)
    assert shown[1].mesh is small
    assert sum(len(d.mesh.faces) for d in shown) <= 5000
    assert shown[0].of_triangles == len(large.faces)
    # About 4,700 triangles on a ball of 50 mm have edges of 50·√(16π/(√3·4700)) = 3.9 mm,
    # whose middle lies 3.9²/(8·50) = 0.04 mm inside the ball.
    assert 0 < shown[0].deviation_mm < 0.3


def test_slices_are_turned_to_the_patients_axes_and_not_tilted():
    # A sagittal series: i runs to the back (P), j to the feet (−S), k to the right (−L).
    direction = ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
    source = Geometry((40, 50, 20), (0.7, 0.8, 3.0), (30.0, -10.0, 100.0), direction)
    grid = display_grid(source, longest_axis=320)
    assert grid.shape == (20, 40, 50)
    assert grid.spacing_mm == pytest.approx((3.0, 0.7, 0.8))
    assert np.allclose(grid.direction, np.eye(3))
    assert grid.origin_mm == pytest.approx((30.0 - 19 * 3, -10.0, 100.0 - 49 * 0.8))
    assert display_grid(source, longest_axis=25).shape == (20, 25, 25)


def test_soft_tissue_keeps_steps_of_four_hounsfield_units():
    values = np.arange(-150, 250, 4, dtype=np.int16).reshape(-1, 1, 1)
    curve = pack_slices(scan(values)).header["curve"]
    shades = levels(values, tuple((v, g) for v, g in curve)).ravel().astype(int)
    assert np.diff(shades).min() >= 1


def test_frames_hold_the_grey_levels_of_the_image():
    array = np.full((32, 24, 3), -1000, np.int16)
    array[8:24, 6:18, 1] = 100
    packed = pack_slices(scan(array))
    data, lengths = base64.b64decode(packed.data), packed.header["lengths"]
    frame = imagecodecs.jpeg8_decode(data[lengths[0] : lengths[0] + lengths[1]])
    assert frame.shape == (24, 32)
    # Level of 100 HU: 80 + 132·300/500 = 159.2; of −1000 HU: 80·24/824 = 2.3.
    assert frame[12, 16] == pytest.approx(159, abs=4)
    assert frame[1, 1] == pytest.approx(2, abs=4)


def scan(array: np.ndarray) -> Volume:
    geometry = Geometry(array.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return Volume(array, geometry, Acquisition(Modality.CT, HuStatus.VERIFIED))
