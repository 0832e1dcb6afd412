import math

import numpy as np
import pytest
from solids import LABEL, blobs, box, field_of, grid, shell, sphere, torus
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

from medrecon.core import Mesh, SoftField
from medrecon.surface import extract
from medrecon.surface.extract import extract_surface
from medrecon.surface.intersections import self_intersections
from medrecon.surface.validity import judge

# A screw-like placement: rotated about two axes, so that no axis is a patient axis.
C, S = math.cos(0.4), math.sin(0.4)
OBLIQUE = np.array([[C, -S, 0], [S, C, 0], [0, 0, 1]]) @ np.array(
    [[1, 0, 0], [0, C, -S], [0, S, C]]
)


def test_sphere_of_20_mm_keeps_its_volume_within_half_a_percent():
    # 4/3 π 20³ = 33510 mm³. A distance field interpolated linearly between voxels lies
    # inside the sphere by at most 1/8 voxel² / R = 0.006 mm: 0.1 % of the volume; the
    # facets' sagitta is of the same size.
    mesh = extract_surface(field_of(sphere((24.3, 23.9, 24.2), 20), grid((48, 48, 48))))
    assert mesh.volume_mm3 == pytest.approx(4 / 3 * np.pi * 20**3, rel=5e-3)
    assert judge(mesh).valid
    assert judge(mesh).euler == 2


@pytest.mark.parametrize("mirror", [1, -1])
@pytest.mark.parametrize("shear", [0.0, 0.3])
def test_an_oblique_sheared_or_left_handed_grid_gives_the_same_solid(mirror, shear):
    direction = OBLIQUE.copy()
    direction[:, 2] = direction[:, 2] + shear * direction[:, 1]
    direction[:, 2] *= mirror / np.linalg.norm(direction[:, 2])
    geometry = grid((40, 40, 40), (0.8, 0.8, 1.1), (-100.0, 250.0, -30.0), direction)
    centre = geometry.mm_from_index([[19.6, 20.1, 19.3]])[0]
    mesh = extract_surface(field_of(sphere(centre, 10), geometry))
    assert judge(mesh).valid
    assert mesh.volume_mm3 == pytest.approx(4 / 3 * np.pi * 1000, rel=0.01)
    assert np.abs(mesh.bounds_mm.mean(axis=0) - centre).max() < 0.05


def test_a_torus_has_one_handle_and_a_shell_one_cavity():
    handle = judge(extract_surface(field_of(torus((20, 20, 10), 12, 4), grid((40, 40, 21)))))
    assert handle.valid
    assert handle.euler == 0
    hollow = judge(extract_surface(field_of(shell((15, 15, 15), 12.2, 9.9), grid((31, 31, 31)))))
    assert hollow.valid
    assert (hollow.components, hollow.cavities) == (2, 1)


def test_a_structure_that_fills_the_scan_is_capped_at_the_voxel_edges():
    full = SoftField(LABEL, np.full((6, 7, 8), 35, np.int16), grid((6, 7, 8), (2, 1, 1)))
    mesh = extract_surface(full)
    assert mesh.bounds_mm.tolist() == [[-1, -0.5, -0.5], [11, 6.5, 7.5]]
    assert judge(mesh).valid


def test_a_structure_cut_by_the_border_ends_half_a_voxel_beyond_the_last_centre():
    mesh = extract_surface(field_of(box((3.2, 3.3, -5), (8.7, 8.6, 50)), grid((12, 12, 9))))
    # The box of 5.5 × 5.3 mm runs through 9 slices of 1 mm. Linear interpolation cuts its
    # four long edges by a triangle of at most half a square voxel each: 2 of 29 mm².
    assert mesh.bounds_mm[:, 2].tolist() == [-0.5, 8.5]
    assert 27.1 * 9 < mesh.volume_mm3 < 5.5 * 5.3 * 9


def test_caps_do_not_depend_on_how_far_inside_the_border_voxels_are():
    steep = np.ones((8, 8, 8), np.int16) * -99
    steep[2:5, 2:6, :] = np.arange(1, 16, 2, dtype=np.int16)[None, None, :] * 101
    mesh = extract_surface(SoftField(LABEL, steep, grid((8, 8, 8))))
    assert mesh.bounds_mm[:, 2].tolist() == [-0.5, 7.5]


@pytest.mark.parametrize("seed", range(8))
def test_random_blobs_that_touch_every_border_are_solids(seed):
    result = judge(extract_surface(blobs((17, 13, 19), seed, threshold=(seed % 3 - 1) * 0.7)))
    assert result.valid, result


def test_checkerboards_and_single_voxels_are_solids():
    i, j, k = np.indices((7, 6, 5))
    board = np.where((i + j + k) % 2, 3, -5).astype(np.int16)
    assert judge(extract_surface(SoftField(LABEL, board, grid((7, 6, 5))))).valid
    one = np.full((3, 3, 3), -7, np.int16)
    one[1, 1, 1] = 1
    assert judge(extract_surface(SoftField(LABEL, one, grid((3, 3, 3))))).valid


def test_values_next_to_zero_make_no_degenerate_faces_far_from_the_origin():
    # 1 against 32001 puts a crossing 3e-5 of a voxel from a centre: at 1.5 m from the
    # origin float32 steps are 1.2e-4 mm, so unspread vertices would coincide.
    rng = np.random.default_rng(3)
    values = rng.choice(np.array([1, -1, 32001, -32001], np.int16), (14, 14, 14))
    field = SoftField(LABEL, values, grid((14, 14, 14), (0.3, 0.3, 0.3), (1500, -1500, 900)))
    mesh = extract_surface(field)
    assert judge(mesh).valid
    assert len(self_intersections(mesh.vertices_mm, mesh.faces)) == 0


def test_an_absent_structure_gives_an_empty_mesh():
    nothing = SoftField(LABEL, np.full((4, 4, 4), -1, np.int16), grid((4, 4, 4)))
    mesh = extract_surface(nothing)
    assert len(mesh.faces) == 0
    assert not judge(mesh).valid


@pytest.mark.parametrize("shape", [(40, 41, 42), (62, 90, 70), (63, 65, 71), (130, 64, 40)])
def test_threads_do_not_change_a_byte(shape, monkeypatch):
    # 62 + 2 voxels of a row fill a word of bits, 63 + 2 begin a second, 130 + 2 a third.
    field = blobs(shape, 5)
    one = extract_surface(field, threads=False)
    monkeypatch.setattr(extract, "cores", lambda: 3)
    two = extract_surface(field)
    assert one.vertices_mm.tobytes() == two.vertices_mm.tobytes()
    assert one.faces.tobytes() == two.faces.tobytes()


def test_a_block_of_a_larger_grid_lands_where_the_whole_would():
    geometry = grid((30, 30, 30), (0.7, 0.7, 1.3), (5, 6, 7))
    centre = geometry.mm_from_index([[14, 15, 16]])[0]
    whole = field_of(sphere(centre, 5), geometry)
    block = SoftField(LABEL, whole.values[4:25, 5:26, 9:24], geometry, (4, 5, 9))
    assert np.allclose(
        extract_surface(block).bounds_mm, extract_surface(whole).bounds_mm, atol=1e-4
    )


def flying_edges(values):
    image = vtkImageData()
    image.SetDimensions(*values.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(order="F"), deep=1))
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.0)
    edges.ComputeNormalsOff()
    edges.ComputeGradientsOff()
    edges.ComputeScalarsOff()
    edges.Update()
    found = edges.GetOutput()
    faces = vtk_to_numpy(found.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return Mesh(vtk_to_numpy(found.GetPoints().GetData()), faces.astype(np.int32), LABEL)


@pytest.mark.parametrize("seed", range(4))
def test_vertices_and_pieces_are_those_of_vtks_flying_edges(seed):
    values = blobs((65, 34, 35), seed, threshold=seed % 3 - 1).values.copy()
    for axis in range(3):
        face = np.moveaxis(values, axis, 0)
        face[0], face[-1] = -1, -1
    ours = extract_surface(SoftField(LABEL, values, grid(values.shape)))
    theirs = flying_edges(values)
    # Vertices nearer than a thousandth to a centre are kept off it.
    assert np.allclose(ours.vertices_mm, theirs.vertices_mm, atol=1.1e-3)
    assert len(ours.faces) == len(theirs.faces)
    one, two = judge(ours), judge(theirs)
    assert (one.euler, one.components) == (two.euler, two.components)
    assert one.volume_mm3 == pytest.approx(two.volume_mm3, rel=1e-6)


def test_a_field_of_one_slice_and_one_of_one_voxel_are_solids():
    for shape in ((1, 1, 1), (5, 1, 4), (1, 70, 2)):
        mesh = extract_surface(SoftField(LABEL, np.full(shape, 9, np.int16), grid(shape)))
        assert judge(mesh).valid
        assert mesh.bounds_mm[1].tolist() == [n - 0.5 for n in shape]
