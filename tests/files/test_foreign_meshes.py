"""Mesh files as other programs write them."""

import base64
import io
import json
import re
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

from medrecon.core import Label, Mesh, Space
from medrecon.core.nearest import as_poly_data
from medrecon.errors import (
    ArchiveError,
    DamagedInputError,
    UnreadableInputError,
    UnsupportedEncodingError,
)
from medrecon.files.meshes import read_meshes, save_meshes

VERTICES = np.array([[0, 0, 0], [2, 0, 0], [0, 3, 0], [0, 0, 5]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
SOLID = Mesh(VERTICES, FACES, Label(1, "solid", (10, 200, 30)))
# One sixth of the box 2 × 3 × 5.
VOLUME = 5.0

CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
RELS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Target="/3D/a.model" Id="r" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)


def package(path, **parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("_rels/.rels", RELS)
        for name, text in parts.items():
            zipped.writestr(f"3D/{name}.model", text)
    return path


def tetrahedron_xml():
    v = "".join(f'<vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in VERTICES.tolist())
    f = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in FACES.tolist())
    return f"<mesh><vertices>{v}</vertices><triangles>{f}</triangles></mesh>"


def test_3mf_units_components_and_build_transforms_are_applied(tmp_path):
    text = (
        f'<model unit="inch" xmlns="{CORE}"><resources>'
        f'<object id="1" name="tip">{tetrahedron_xml()}</object>'
        '<object id="2" name="pair"><components><component objectid="1"/>'
        '<component objectid="1" transform="1 0 0 0 1 0 0 0 1 10 0 0"/></components></object>'
        '</resources><build><item objectid="2" transform="0 1 0 -1 0 0 0 0 1 0 0 7"/></build>'
        "</model>"
    )
    one, two = read_meshes(package(tmp_path / "a.3mf", a=text))
    # Row vectors: x → y, y → −x, z + 7; then inches. The second was moved by x + 10 first.
    expected = np.stack([-VERTICES[:, 1], VERTICES[:, 0], VERTICES[:, 2] + 7], axis=1) * 25.4
    assert np.allclose(one.vertices_mm, expected, atol=1e-4)
    assert np.allclose(two.vertices_mm, np.add(expected, (0, 254, 0)), atol=1e-4)
    assert one.label.name == "tip"
    assert one.volume_mm3 == pytest.approx(VOLUME * 25.4**3, rel=1e-5)


def test_a_mirroring_3mf_transform_keeps_the_solid_outward(tmp_path):
    text = (
        f'<model unit="centimeter" xmlns="{CORE}"><resources>'
        f'<object id="1">{tetrahedron_xml()}</object></resources>'
        '<build><item objectid="1" transform="-1 0 0 0 1 0 0 0 1 0 0 0"/></build></model>'
    )
    (found,) = read_meshes(package(tmp_path / "a.3mf", a=text))
    assert found.volume_mm3 == pytest.approx(VOLUME * 1000, rel=1e-5)
    assert found.vertices_mm[:, 0].min() == -20


def test_3mf_objects_in_other_parts_are_found(tmp_path):
    more = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06"
    root = (
        f'<model xmlns="{CORE}" xmlns:p="{more}"><resources><object id="1"><components>'
        '<component objectid="9" p:path="/3D/b.model"/></components></object></resources>'
        '<build><item objectid="1"/></build></model>'
    )
    inner = (
        f'<model xmlns="{CORE}"><resources><object id="9">{tetrahedron_xml()}</object>'
        "</resources><build/></model>"
    )
    (found,) = read_meshes(package(tmp_path / "a.3mf", a=root, b=inner))
    assert found.volume_mm3 == pytest.approx(VOLUME)


def test_3mf_that_turn_in_circles_or_explode_are_refused(tmp_path):
    circle = (
        f'<model xmlns="{CORE}"><resources><object id="1"><components>'
        '<component objectid="1"/></components></object></resources>'
        '<build><item objectid="1"/></build></model>'
    )
    with pytest.raises(UnreadableInputError, match="deep"):
        read_meshes(package(tmp_path / "a.3mf", a=circle))
    with pytest.raises(ArchiveError, match="attack"):
        read_meshes(package(tmp_path / "b.3mf", a=" " * 50_000_000))


def glb_of(tree, body):
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<IIIII", 0x46546C67, 2, 28 + len(text) + len(body), len(text), 0x4E4F534A)
    return head + text + struct.pack("<II", len(body), 0x004E4942) + body


def gltf_tree(**extra):
    body = VERTICES.tobytes() + FACES.astype("<u2").tobytes()
    tree = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"translation": [1, 2, 3], "scale": [2, 2, 2], "children": [1]},
            # 90° about y: z → x, x → −z.
            {"rotation": [0, np.sqrt(0.5), 0, np.sqrt(0.5)], "mesh": 0, "name": "turned"},
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 12, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 48},
            {"buffer": 0, "byteOffset": 48, "byteLength": 24},
        ],
        "buffers": [{"byteLength": 72}],
    }
    return tree | extra, body


def test_a_foreign_glb_is_placed_by_all_its_nodes_in_millimetres(tmp_path):
    tree, body = gltf_tree()
    (tmp_path / "a.glb").write_bytes(glb_of(tree, body))
    (found,) = read_meshes(tmp_path / "a.glb")
    x, y, z = VERTICES.T
    metres = np.stack([z, y, -x], axis=1) * 2 + (1, 2, 3)
    lps_mm = np.stack([metres[:, 0], -metres[:, 2], metres[:, 1]], axis=1) * 1000
    assert np.allclose(found.vertices_mm, lps_mm, atol=1e-2)
    assert found.volume_mm3 == pytest.approx(VOLUME * 8e9, rel=1e-5)
    assert found.space is Space.UNSTATED
    other = trimesh.load_scene(tmp_path / "a.glb").to_mesh()
    assert other.volume * 1e9 == pytest.approx(found.volume_mm3, rel=1e-5)


def test_a_gltf_with_its_buffer_inside_reads_and_one_that_reaches_out_does_not(tmp_path):
    tree, body = gltf_tree()
    inside = "data:application/octet-stream;base64," + base64.b64encode(body).decode()
    tree["buffers"][0]["uri"] = inside
    (tmp_path / "a.gltf").write_text(json.dumps(tree))
    assert len(read_meshes(tmp_path / "a.gltf")[0].faces) == 4
    for uri in ("../secret.bin", "/etc/passwd", "missing.bin"):
        tree["buffers"][0]["uri"] = uri
        (tmp_path / "b.gltf").write_text(json.dumps(tree))
        with pytest.raises(UnreadableInputError):
            read_meshes(tmp_path / "b.gltf")


def test_compressed_and_overlong_gltf_are_refused_in_words(tmp_path):
    tree, body = gltf_tree(extensionsRequired=["KHR_draco_mesh_compression"])
    (tmp_path / "a.glb").write_bytes(glb_of(tree, body))
    with pytest.raises(UnsupportedEncodingError, match="without compression"):
        read_meshes(tmp_path / "a.glb")
    tree, body = gltf_tree()
    tree["accessors"][0]["count"] = 4000
    (tmp_path / "b.glb").write_bytes(glb_of(tree, body))
    with pytest.raises(DamagedInputError, match="end at byte"):
        read_meshes(tmp_path / "b.glb")


def test_gltf_strips_and_fans_are_triangles(tmp_path):
    for mode, faces in ((5, [[0, 1, 2], [1, 3, 2]]), (6, [[1, 2, 0], [2, 3, 0]])):
        tree, body = gltf_tree()
        tree["meshes"][0]["primitives"][0] = {"attributes": {"POSITION": 0}, "mode": mode}
        (tmp_path / "a.glb").write_bytes(glb_of(tree, body))
        found = read_meshes(tmp_path / "a.glb")[0].faces
        assert sorted(map(sorted, found.tolist())) == sorted(map(sorted, faces))


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_in_every_order_with_quadrilaterals_and_further_properties(tmp_path, order):
    points = [(0, 0, 0), (2, 0, 0), (2, 3, 0), (0, 3, 0)]
    head = (
        f"ply\nformat {order} 1.0\nelement vertex 4\nproperty double x\nproperty double y\n"
        "property double z\nproperty uchar red\nproperty uchar green\nproperty uchar blue\n"
        "element face 2\nproperty list uchar uint vertex_indices\nend_header\n"
    ).encode()
    if order == "ascii":
        rows = "".join(f"{x} {y} {z} 1 2 3\n" for x, y, z in points)
        body = (rows + "4 0 1 2 3\n3 0 1 2\n").encode()
    else:
        sign = "<" if "little" in order else ">"
        body = b"".join(struct.pack(f"{sign}3d3B", *p, 1, 2, 3) for p in points)
        body += struct.pack(f"{sign}B4I", 4, 0, 1, 2, 3) + struct.pack(f"{sign}B3I", 3, 0, 1, 2)
    (tmp_path / "a.ply").write_bytes(head + body)
    (found,) = read_meshes(tmp_path / "a.ply")
    assert found.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert found.label.color == (1, 2, 3)
    assert found.area_mm2 == pytest.approx(9)


def test_obj_of_others_groups_polygons_counts_from_the_end_and_vertex_colours(tmp_path):
    (tmp_path / "m.mtl").write_text("newmtl red\nKd 1 0 0\n")
    (tmp_path / "a.obj").write_text(
        "mtllib ../elsewhere/m.mtl\nv 0 0 0\nv 2 0 0\nv 2 3 0\nv 0 3 0\nvn 0 0 1\n"
        "g sheet\nusemtl red\nf 1//1 2//1 3//1 4//1\n"
        "v 0 0 5 0.2 0.4 1\nv 1 0 5 0.2 0.4 1\nv 0 1 5 0.2 0.4 1\no flag\nf -3 -2 -1\n"
    )
    sheet, flag = read_meshes(tmp_path / "a.obj")
    assert (sheet.label.name, sheet.label.color) == ("sheet", (255, 0, 0))
    assert sheet.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert sheet.colors is None
    assert flag.colors.tolist() == [[51, 102, 255]] * 3
    assert flag.vertices_mm[:, 2].tolist() == [5, 5, 5]
    (tmp_path / "b.obj").write_text("v 0 0 0\nv 1 0 0\nf 1 2 9\n")
    with pytest.raises(DamagedInputError, match="name vertices"):
        read_meshes(tmp_path / "b.obj")


def test_an_ascii_stl_reads_as_the_binary_one(tmp_path):
    solid = trimesh.Trimesh(VERTICES, FACES, process=False)
    (tmp_path / "a.stl").write_text(trimesh.exchange.stl.export_stl_ascii(solid))
    (found,) = read_meshes(tmp_path / "a.stl")
    assert found.volume_mm3 == pytest.approx(VOLUME)
    assert len(found.vertices_mm) == 4


def test_slicers_ras_files_come_into_lps(tmp_path):
    save_meshes([SOLID], tmp_path / "a.stl")
    content = (tmp_path / "a.stl").read_bytes()
    (tmp_path / "b.stl").write_bytes(b"3D Slicer output. SPACE=RAS".ljust(80) + content[80:])
    (found,) = read_meshes(tmp_path / "b.stl")
    assert found.space is Space.LPS
    assert found.vertices_mm[:, 0].min() == -2
    assert found.volume_mm3 == pytest.approx(VOLUME)


@pytest.mark.parametrize("mode", ["Ascii", "Binary", "Appended"])
@pytest.mark.parametrize("packed", [False, True])
def test_vtps_that_vtk_wrote_read_in_every_encoding(tmp_path, mode, packed):
    writer = vtkXMLPolyDataWriter()
    writer.SetInputData(as_poly_data(VERTICES, FACES))
    writer.SetFileName(str(tmp_path / "a.vtp"))
    getattr(writer, f"SetDataModeTo{mode}")()
    writer.SetCompressorTypeToZLib() if packed else writer.SetCompressorTypeToNone()
    writer.Write()
    (found,) = read_meshes(tmp_path / "a.vtp")
    assert (found.vertices_mm == VERTICES).all()
    assert (found.faces == FACES).all()


def test_a_usdz_of_another_scale_and_axis_comes_in_millimetres(tmp_path):
    scene = (
        '#usda 1.0\n(\n metersPerUnit = 0.01\n upAxis = "Z"\n)\n'
        'def Xform "a"\n{\n double3 xformOp:translate = (1, 2, 3)\n'
        ' uniform token[] xformOpOrder = ["xformOp:translate"]\n'
        ' def Mesh "quad"\n {\n  int[] faceVertexCounts = [4]\n'
        "  int[] faceVertexIndices = [0, 1, 2, 3]\n"
        "  point3f[] points = [(0,0,0), (2,0,0), (2,3,0), (0,3,0)]\n }\n}\n"
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as zipped:
        entry = zipfile.ZipInfo("a.usda")
        entry.extra = b"\x86\x19" + (24).to_bytes(2, "little") + bytes(24)
        zipped.writestr(entry, scene)
    (tmp_path / "a.usdz").write_bytes(stream.getvalue())
    (found,) = read_meshes(tmp_path / "a.usdz")
    assert found.bounds_mm.tolist() == [[10, 20, 30], [30, 50, 30]]
    assert found.area_mm2 == pytest.approx(600)


@pytest.mark.parametrize("kind", ["stl", "ply", "obj", "gltf", "glb", "3mf", "usdz"])
def test_a_file_marked_as_ras_comes_into_lps_whatever_its_format(tmp_path, kind):
    marked = replace(SOLID, space=Space.LPS)
    path = tmp_path / f"a.{kind}"
    save_meshes([marked], path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as zipped:
            parts = {entry: zipped.read(entry) for entry in zipped.infolist()}
        with zipfile.ZipFile(path, "w") as zipped:
            for entry, content in parts.items():
                zipped.writestr(entry, as_ras(content))
    else:
        path.write_bytes(as_ras(path.read_bytes()))
    (found,) = read_meshes(path)
    assert found.space is Space.LPS
    assert found.bounds_mm.tolist() == pytest.approx(np.array([[-2, -3, 0], [0, 0, 5]]))
    assert found.volume_mm3 == pytest.approx(VOLUME)


def as_ras(content):
    """The same file with the other frame's mark."""
    return re.sub(rb"(SPACE\W{1,4})LPS", rb"\1RAS", content)


def test_obj_lines_are_words_between_any_blanks_and_may_go_on(tmp_path):
    (tmp_path / "a.obj").write_text(
        "# drawn in C:\\\no  flat sheet \n\tv\t0 0 0\n  v 2 0\\\n 0\nv 0 3 0\n\n  f 1\t2 \\\n3\n"
    )
    (found,) = read_meshes(tmp_path / "a.obj")
    assert found.label.name == "flat sheet"
    assert found.vertices_mm.tolist() == [[0, 0, 0], [2, 0, 0], [0, 3, 0]]
    assert found.faces.tolist() == [[0, 1, 2]]


def test_an_obj_that_counts_from_nought_is_refused(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n")
    with pytest.raises(DamagedInputError, match="vertex 0"):
        read_meshes(tmp_path / "a.obj")
