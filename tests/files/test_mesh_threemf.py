import io
import zipfile
from xml.etree import ElementTree

import numpy as np
import trimesh

from medrecon.core import Label, Mesh
from medrecon.files.threemf import MODEL_PATH, save_3mf, write_3mf

VERTICES = np.array([[0, 0, 0], [1 / 3, 0, 0], [0, -250.1, 0], [0, 0, 1e-3]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
MESHES = [
    Mesh(VERTICES, FACES, Label(1, "bone", (250, 240, 200))),
    Mesh(VERTICES + np.float32(5), FACES, Label(2, 'vena "cava"', (0, 10, 255))),
]
NS = {"m": "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"}


def model_of(meshes):
    stream = io.BytesIO()
    write_3mf(meshes, stream)
    with zipfile.ZipFile(stream) as package:
        return ElementTree.fromstring(package.read(MODEL_PATH))


def test_every_label_is_an_object_with_its_name_and_colour_in_millimetres():
    model = model_of(MESHES)
    assert model.get("unit") == "millimeter"
    assert [o.get("name") for o in model.iterfind(".//m:object", NS)] == ["bone", 'vena "cava"']
    colors = [b.get("displaycolor") for b in model.iterfind(".//m:base", NS)]
    assert colors == ["#FAF0C8FF", "#000AFFFF"]
    assert [i.get("objectid") for i in model.iterfind(".//m:item", NS)] == ["2", "3"]


def test_coordinates_come_back_as_the_same_float32():
    rows = model_of(MESHES[:1]).iterfind(".//m:vertex", NS)
    read = np.array([[float(r.get(a)) for a in "xyz"] for r in rows], np.float32)
    assert (read == VERTICES).all()


def test_the_same_meshes_give_the_same_bytes(tmp_path):
    save_3mf(MESHES, tmp_path / "a.3mf")
    save_3mf(MESHES, tmp_path / "b.3mf")
    assert (tmp_path / "a.3mf").read_bytes() == (tmp_path / "b.3mf").read_bytes()


def test_an_independent_reader_finds_both_solids(tmp_path):
    save_3mf(MESHES, tmp_path / "a.3mf")
    scene = trimesh.load(tmp_path / "a.3mf")
    assert len(scene.geometry) == 2
    assert np.allclose(scene.bounds[0], [0, -250.1, 0], atol=1e-4)
