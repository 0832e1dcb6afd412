"""One suite for every mesh format: independent readers see what was written."""

import numpy as np
import pytest
import trimesh
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOGeometry import vtkOBJReader
from vtkmodules.vtkIOPLY import vtkPLYReader

from medrecon.core import Label, Mesh
from medrecon.errors import UnreadableInputError
from medrecon.files.glb import read_glb, save_glb
from medrecon.files.obj import read_obj, save_obj
from medrecon.files.ply import read_ply, save_ply

VERTICES = np.array([[0, 0, 0], [1 / 3, 0, 0], [0, -250.1, 0], [0, 0, 12.5]], np.float32)
FACES = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]], np.int32)
BONE = Mesh(VERTICES, FACES, Label(1, "bone", (250, 240, 200)))
VEIN = Mesh(VERTICES + np.float32(50), FACES, Label(2, "vena cava", (0, 10, 255)))


def test_ply_comes_back_exactly_and_others_read_it(tmp_path):
    scalars = np.array([0, 0.5, -1, 2], np.float32)
    save_ply(Mesh(VERTICES, FACES, BONE.label, scalars), tmp_path / "a.ply")
    vertices, faces = read_ply(tmp_path / "a.ply")
    assert (vertices == VERTICES).all()
    assert (faces == FACES).all()
    other = trimesh.load(tmp_path / "a.ply", process=False)
    assert (other.vertices == VERTICES).all()
    assert other.visual.vertex_colors[0].tolist() == [250, 240, 200, 255]
    reader = vtkPLYReader()
    reader.SetFileName(str(tmp_path / "a.ply"))
    reader.Update()
    assert (vtk_to_numpy(reader.GetOutput().GetPoints().GetData()) == VERTICES).all()
    assert other.metadata["_ply_raw"]["vertex"]["data"]["quality"].tolist() == scalars.tolist()


def test_obj_keeps_names_and_colours_and_others_read_it(tmp_path):
    save_obj([BONE, VEIN], tmp_path / "a.obj")
    vertices, faces = read_obj(tmp_path / "a.obj")
    assert (vertices == np.concatenate([VERTICES, VEIN.vertices_mm])).all()
    assert (faces == np.concatenate([FACES, FACES + 4])).all()
    scene = trimesh.load(tmp_path / "a.obj", group_material=False)
    materials = {g.visual.material.name: g.visual.material for g in scene.geometry.values()}
    assert sorted(materials) == ["bone", "vena_cava"]
    assert materials["vena_cava"].diffuse[:3].tolist() == [0, 10, 255]
    reader = vtkOBJReader()
    reader.SetFileName(str(tmp_path / "a.obj"))
    reader.Update()
    bounds = np.reshape(reader.GetOutput().GetBounds(), (3, 2)).T
    assert np.allclose(bounds, [vertices.min(axis=0), vertices.max(axis=0)], atol=1e-4)


def test_glb_is_in_metres_with_y_up_names_and_colours(tmp_path):
    save_glb([BONE, VEIN], tmp_path / "a.glb")
    (name, vertices, faces), (second, *_) = read_glb(tmp_path / "a.glb")
    assert (name, second) == ("bone", "vena cava")
    assert (vertices == VERTICES).all()
    assert (faces == FACES).all()
    scene = trimesh.load(tmp_path / "a.glb")
    # Head (LPS +z) is up (+y), the front (LPS −y) looks at the viewer (+z).
    low, high = BONE.bounds_mm[0], VEIN.bounds_mm[1]
    assert np.allclose(scene.bounds[0] * 1000, [low[0], low[2], -high[1]], atol=1e-4)
    assert np.allclose(scene.bounds[1] * 1000, [high[0], high[2], -low[1]], atol=1e-4)
    assert sorted(scene.geometry) == ["bone", "vena cava"]
    # sRGB 250 is 0.956 in linear light.
    base = scene.geometry["bone"].visual.material.baseColorFactor
    assert base[0] == pytest.approx(0.956 * 255, abs=1)


@pytest.mark.parametrize("kind", ["ply", "obj", "glb"])
def test_the_same_mesh_gives_the_same_bytes(tmp_path, kind):
    save = {"ply": lambda p: save_ply(BONE, p), "obj": lambda p: save_obj([BONE], p)}.get(
        kind, lambda p: save_glb([BONE], p)
    )
    paths = [tmp_path / f"{n}" / f"m.{kind}" for n in "ab"]
    for path in paths:
        path.parent.mkdir()
        save(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(("kind", "read"), [("ply", read_ply), ("glb", read_glb)])
def test_a_file_cut_short_is_refused(tmp_path, kind, read):
    whole = tmp_path / f"a.{kind}"
    save_ply(BONE, whole) if kind == "ply" else save_glb([BONE], whole)
    (tmp_path / "b").write_bytes(whole.read_bytes()[:-5])
    with pytest.raises(UnreadableInputError):
        read(tmp_path / "b")


def test_an_obj_with_quadrilaterals_or_missing_vertices_is_refused(tmp_path):
    for text in ("v 0 0 0\nf 1 1 1 1\n", "v 0 0 0\nf 1 1 2\n", "v 0 zero 0\n"):
        (tmp_path / "a.obj").write_text(text)
        with pytest.raises(UnreadableInputError):
            read_obj(tmp_path / "a.obj")
