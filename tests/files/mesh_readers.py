"""What other people's libraries see in a mesh file: name → points in mm (LPS) and colour.

None of them is medrecon's own reader. glTF and USD are y-up, so their points are turned
back here: (x, y, z) ← (x, −z, y).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import numpy as np
from vtkmodules.util.numpy_support import vtk_to_numpy


@dataclass
class Seen:
    """One mesh as a reader saw it; None is what the reader cannot tell."""

    points: np.ndarray
    name: str | None = None
    color: tuple[int, ...] | None = None
    vertex_colors: np.ndarray | None = None
    triangles: int | None = None


def trimesh_sees(path):
    import trimesh

    kind = path.suffix[1:]
    scene = trimesh.load_scene(path, **({"group_material": False} if kind == "obj" else {}))
    found = []
    for node in scene.graph.nodes_geometry:
        matrix, key = scene.graph[node]
        thing = scene.geometry[key]
        points = thing.vertices @ matrix[:3, :3].T + matrix[:3, 3]
        visual = getattr(thing, "visual", None)
        if kind in ("glb", "gltf"):
            points = upright(points * 1000)
        name = key if kind in ("glb", "gltf") else None
        if kind == "obj":
            name = visual.material.name
        seen = Seen(points, name, triangles=len(getattr(thing, "faces", [])))
        if kind == "ply":
            seen.vertex_colors = np.asarray(visual.vertex_colors)[:, :3]
        found.append(seen)
    return found


def upright(points):
    x, y, z = points.T
    return np.stack([x, -z, y], axis=1)


def srgb(linear):
    c = np.clip(np.asarray(linear, float), 0, 1)
    return np.round(
        255 * np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055)
    ).astype(int)


def vtk_sees(path):
    kind = path.suffix[1:]
    if kind in ("glb", "gltf"):
        return _vtk_gltf(path)
    surface = _vtk_surface(kind, path)
    points = vtk_to_numpy(surface.GetPoints().GetData())
    seen = Seen(points, triangles=surface.GetNumberOfPolys())
    if kind == "vtp":
        seen.name = surface.GetFieldData().GetAbstractArray("label").GetValue(0)
        seen.vertex_colors = vtk_to_numpy(surface.GetPointData().GetArray("color"))
    if kind == "ply":
        seen.vertex_colors = vtk_to_numpy(surface.GetPointData().GetScalars())[:, :3]
    return [seen]


def _vtk_surface(kind, path):
    from vtkmodules.vtkIOGeometry import vtkOBJReader, vtkSTLReader
    from vtkmodules.vtkIOPLY import vtkPLYReader
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    kinds = {
        "stl": vtkSTLReader,
        "ply": vtkPLYReader,
        "obj": vtkOBJReader,
        "vtp": vtkXMLPolyDataReader,
    }
    reader = kinds[kind]()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


def _vtk_gltf(path):
    from vtkmodules.vtkIOGeometry import vtkGLTFReader

    reader = vtkGLTFReader()
    reader.SetFileName(str(path))
    reader.ApplyDeformationsToGeometryOn()
    reader.Update()
    found, waiting = [], [reader.GetOutput()]
    while waiting:
        block = waiting.pop(0)
        if block.IsA("vtkPolyData"):
            points = vtk_to_numpy(block.GetPoints().GetData()).astype(float) * 1000
            found.append(Seen(upright(points), triangles=block.GetNumberOfPolys()))
        else:
            waiting += [block.GetBlock(n) for n in range(block.GetNumberOfBlocks())]
    return found


def gltf_sees(path):
    from pygltflib import GLTF2

    tree = GLTF2().load(str(path))
    matrix = np.reshape(tree.nodes[0].matrix, (4, 4)).T
    found = []
    for number in tree.nodes[0].children:
        node = tree.nodes[number]
        part = tree.meshes[node.mesh].primitives[0]
        points = _accessor(tree, part.attributes.POSITION, "<f4", 3)
        color = tree.materials[part.material].pbrMetallicRoughness.baseColorFactor[:3]
        seen = Seen(upright((points @ matrix[:3, :3].T) * 1000), node.name, tuple(srgb(color)))
        seen.triangles = tree.accessors[part.indices].count // 3
        if part.attributes.COLOR_0 is not None:
            seen.color = None
            linear = _accessor(tree, part.attributes.COLOR_0, "<u2", 4)[:, :3] / 65535
            seen.vertex_colors = srgb(linear)
        found.append(seen)
    return found


def _accessor(tree, number, kind, width):
    accessor = tree.accessors[number]
    view = tree.bufferViews[accessor.bufferView]
    content = tree.get_data_from_buffer_uri(tree.buffers[0].uri)
    if content is None:
        content = tree.binary_blob()
    start = view.byteOffset + (accessor.byteOffset or 0)
    return np.frombuffer(content, kind, accessor.count * width, start).reshape(-1, width)


def lib3mf_sees(path):
    from lib3mf import Wrapper

    model = Wrapper().CreateModel()
    reader = model.QueryReader("3mf")
    reader.SetStrictModeActive(True)
    reader.ReadFromFile(str(path))
    assert reader.GetWarningCount() == 0
    found = []
    things = model.GetMeshObjects()
    while things.MoveNext():
        thing = things.GetCurrentMeshObject()
        points = np.array([list(v.Coordinates) for v in thing.GetVertices()])
        group, index, _ = thing.GetObjectLevelProperty()
        base = model.GetBaseMaterialGroupByID(group).GetDisplayColor(index)
        seen = Seen(points, thing.GetName(), (base.Red, base.Green, base.Blue))
        seen.triangles = thing.GetTriangleCount()
        if len({p.ResourceID for p in thing.GetAllTriangleProperties()} - {group}):
            seen.color = None
            seen.vertex_colors = np.zeros((len(points), 3), int)
            for n, own in enumerate(thing.GetAllTriangleProperties()):
                colors = model.GetColorGroupByID(own.ResourceID)
                for corner, key in zip(thing.GetTriangle(n).Indices, own.PropertyIDs, strict=True):
                    c = colors.GetColor(key)
                    seen.vertex_colors[corner] = c.Red, c.Green, c.Blue
        found.append(seen)
    return found


def openusd_sees(path):
    from pxr import Usd, UsdGeom, UsdShade

    stage = Usd.Stage.Open(str(path))
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    scale_mm = UsdGeom.GetStageMetersPerUnit(stage) * 1000
    found = []
    for prim in filter(lambda p: p.IsA(UsdGeom.Mesh), stage.Traverse()):
        mesh = UsdGeom.Mesh(prim)
        matrix = np.array(mesh.ComputeLocalToWorldTransform(0))
        points = np.array(mesh.GetPointsAttr().Get()) @ matrix[:3, :3] + matrix[3, :3]
        shown = srgb(mesh.GetDisplayColorAttr().Get())
        seen = Seen(upright(points * scale_mm), prim.GetDisplayName())
        seen.triangles = len(mesh.GetFaceVertexCountsAttr().Get())
        if len(shown) > 1:
            seen.vertex_colors = shown
        else:
            material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
            surface, *_ = material.ComputeSurfaceSource()
            seen.color = tuple(shown[0])
            assert seen.color == tuple(srgb(surface.GetInput("diffuseColor").Get()))
        found.append(seen)
    return found


def tinyusdz_sees(path):
    import tinyusdz

    stage = tinyusdz.load(str(path))
    scene = tinyusdz.tydra.convert_to_render_scene(stage)
    matrix = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    found = []
    for mesh in scene.meshes():
        # Points come as stored; the one transform above them is checked with OpenUSD.
        points = upright(np.asarray(mesh.points) @ matrix)
        found.append(
            Seen(points, mesh.display_name, triangles=len(np.asarray(mesh.face_vertex_counts)))
        )
    return found


def numpy_sees(path):
    return [Seen(np.loadtxt(path)[:, :3])]


def xml_sees(path):
    """A VTP taken apart by hand: VTK is the only library that reads the format."""
    head, _, rest = path.read_bytes().partition(b'<AppendedData encoding="raw">\n_')
    tree = ElementTree.fromstring(head + b"</VTKFile>")
    found = {}
    for array in tree.iter("DataArray"):
        start = int(array.get("offset"))
        size = int.from_bytes(rest[start : start + 8], "little")
        kind = {"Float32": "<f4", "UInt8": "u1", "Int64": "<i8"}[array.get("type")]
        values = np.frombuffer(rest[start + 8 : start + 8 + size], kind)
        found[array.get("Name")] = values.reshape(-1, int(array.get("NumberOfComponents")))
    label = next(a for a in tree.iter("Array") if a.get("Name") == "label")
    name = bytes(int(code) for code in label.text.split())[:-1].decode()
    return [Seen(found["Points"], name, None, found["color"], len(found["offsets"]))]
