"""USDZ: what phones and headsets show in the room, one mesh a label.

The scene is text (usda) in an uncompressed zip whose content begins at a multiple of 64
bytes, as the format wants; no library is needed to write it.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.errors import UnreadableInputError
from medrecon.files.atomic import open_atomic
from medrecon.files.mesh_values import (
    GREY,
    as_color,
    checked_mesh,
    fans,
    in_lps,
    linear_from_srgb,
    one_space,
    srgb_from_linear,
)

_INNER = "model.usda"
_ALIGNED = 64
_ZIP_HEADER = 30
"""Bytes of a zip's local file header before the name."""
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_BLOCK = 65536

# USD multiplies row vectors: x stays, LPS y (back) becomes −z, LPS z (head) becomes y.
_UPRIGHT = "( (1, 0, 0, 0), (0, 0, -1, 0), (0, 1, 0, 0), (0, 0, 0, 1) )"


def write_usdz(meshes: Sequence[Mesh], stream: IO[bytes]) -> None:
    """Write all meshes as one scene, millimetres, y up, with names and colours.

    References
    ----------
    OpenUSD documentation, "Usdz File Format Specification" 1.3: no compression, 64-byte
    alignment, the first file is the scene.
    """
    padding = -(_ZIP_HEADER + len(_INNER) + 4) % _ALIGNED
    entry = zipfile.ZipInfo(_INNER, _NO_TIME)
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    # A field of an unused number that says only how long it is.
    entry.extra = b"\x86\x19" + padding.to_bytes(2, "little") + bytes(padding)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as package:
        package.writestr(entry, b"".join(_scene(meshes)))


def save_usdz(meshes: Sequence[Mesh], path: Path) -> None:
    """`write_usdz` to a file that appears when it is whole."""
    with open_atomic(path) as stream:
        write_usdz(meshes, stream)


def _scene(meshes: Sequence[Mesh]) -> Iterator[bytes]:
    space = one_space(meshes).value
    names = _identifiers([mesh.label.name for mesh in meshes])
    yield (
        '#usda 1.0\n(\n    defaultPrim = "model"\n    metersPerUnit = 0.001\n    upAxis = "Y"\n'
        f'    customLayerData = {{\n        string SPACE = "{space}"\n'
        '        string UNIT = "mm"\n    }\n)\n\n'
        f'def Xform "model" (\n    kind = "component"\n)\n{{\n'
        f"    matrix4d xformOp:transform = {_UPRIGHT}\n"
        '    uniform token[] xformOpOrder = ["xformOp:transform"]\n\n'
    ).encode()
    for mesh, name in zip(meshes, names, strict=True):
        yield from _prim(mesh, name)
    yield b'    def Scope "materials"\n    {\n'
    for mesh, name in zip(meshes, names, strict=True):
        if mesh.colors is None:
            yield _material(mesh, name)
    yield b"    }\n}\n"


def _prim(mesh: Mesh, name: str) -> Iterator[bytes]:
    shown = mesh.label.name.replace("\\", "").replace('"', "'").replace("\n", " ")
    low, high = mesh.bounds_mm.tolist() if len(mesh.vertices_mm) else ([0] * 3, [0] * 3)
    applied = bound = ""
    if mesh.colors is None:
        # A material of one colour would hide those of the vertices.
        applied = '        prepend apiSchemas = ["MaterialBindingAPI"]\n'
        bound = f"        rel material:binding = </model/materials/{name}>\n"
    yield (
        f'    def Mesh "{name}" (\n        displayName = "{shown}"\n{applied}    )\n    {{\n'
        f"        float3[] extent = [{_row(low)}, {_row(high)}]\n"
        f'        uniform token subdivisionScheme = "none"\n{bound}'
        "        int[] faceVertexCounts = ["
    ).encode()
    yield b", ".join([b"3"] * len(mesh.faces))
    yield b"]\n        int[] faceVertexIndices = ["
    yield from _listed("%d", mesh.faces.ravel())
    yield b"]\n        point3f[] points = ["
    yield from _listed("(%.9g, %.9g, %.9g)", mesh.vertices_mm.astype(np.float64))
    colors = np.array([mesh.label.color]) if mesh.colors is None else mesh.colors
    yield b"]\n        color3f[] primvars:displayColor = ["
    yield from _listed("(%.6g, %.6g, %.6g)", linear_from_srgb(colors))
    held = "constant" if mesh.colors is None else "vertex"
    yield f'] (\n            interpolation = "{held}"\n        )\n    }}\n\n'.encode()


def _material(mesh: Mesh, name: str) -> bytes:
    color = _row(linear_from_srgb(mesh.label.color).round(6).tolist())
    surface = f"</model/materials/{name}/surface.outputs:surface>"
    return (
        f'        def Material "{name}"\n        {{\n'
        f"            token outputs:surface.connect = {surface}\n"
        '            def Shader "surface"\n            {\n'
        '                uniform token info:id = "UsdPreviewSurface"\n'
        f"                color3f inputs:diffuseColor = {color}\n"
        "                float inputs:roughness = 0.6\n"
        "                token outputs:surface\n            }\n        }\n"
    ).encode()


def _identifiers(names: Sequence[str]) -> list[str]:
    """Names that USD allows, each once."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII) or "mesh"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        number = 2
        unique = plain
        while unique in found or unique == "materials":
            unique, number = f"{plain}_{number}", number + 1
        found.append(unique)
    return found


def _row(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{v:.9g}" for v in values) + ")"


def _listed(row: str, numbers: npt.NDArray[Any]) -> Iterator[bytes]:
    for low in range(0, len(numbers), _BLOCK):
        part = numbers[low : low + _BLOCK]
        text = ", ".join([row] * len(part)) % tuple(part.ravel().tolist())
        yield (", " if low else "").encode() + text.encode()


def read_usdz(path: Path) -> list[Mesh]:
    """A mesh for every visible mesh of a USD scene, in millimetres with z up.

    Reading needs OpenUSD (`pip install "medrecon[usdz]"`), since other programs' scenes
    are binary.

    Raises
    ------
    UnreadableInputError
        If OpenUSD is not installed, or finds no scene.
    DamagedInputError
        If the numbers make no mesh.
    """
    try:
        from pxr import Tf, Usd
    except ImportError as error:
        raise UnreadableInputError(
            'reading USDZ needs OpenUSD; pip install "medrecon[usdz]"'
        ) from error
    if not zipfile.is_zipfile(path):
        raise UnreadableInputError("no USDZ: it is missing, cut short or no zip")
    try:
        return _read_stage(Usd.Stage.Open(str(path)))
    except (Tf.ErrorException, ValueError, TypeError) as error:
        raise UnreadableInputError("no USD scene, or a damaged one") from error


def _read_stage(stage: Any) -> list[Mesh]:
    from pxr import UsdGeom

    scale_mm = UsdGeom.GetStageMetersPerUnit(stage) * 1000
    z_up = UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.z
    says = stage.GetRootLayer().customLayerData
    words = " ".join(f"{k}={v}" for k, v in says.items())
    prims = [UsdGeom.Mesh(p) for p in stage.Traverse() if p.IsA(UsdGeom.Mesh)]
    return [_read_prim(prim, scale_mm, words, z_up=z_up) for prim in prims]


def _read_prim(prim: Any, scale_mm: float, words: str, *, z_up: bool) -> Mesh:
    matrix = np.array(prim.ComputeLocalToWorldTransform(0.0), np.float64)
    points = np.array(prim.GetPointsAttr().Get() or np.zeros((0, 3)), np.float64)
    placed = (points @ matrix[:3, :3] + matrix[3, :3]) * scale_mm
    if not z_up:
        placed = np.stack([placed[:, 0], -placed[:, 2], placed[:, 1]], axis=1)
    placed, space = in_lps(placed, words)
    counts = np.array(prim.GetFaceVertexCountsAttr().Get() or (), np.int64)
    corners = np.array(prim.GetFaceVertexIndicesAttr().Get() or (), np.int64)
    faces = fans(counts, corners)
    if (np.linalg.det(matrix[:3, :3]) < 0) != (prim.GetOrientationAttr().Get() == "leftHanded"):
        faces = faces[:, ::-1]
    shown = prim.GetDisplayColorAttr().Get()
    colors = None if shown is None else srgb_from_linear(np.array(shown, np.float64))
    return checked_mesh(
        placed,
        faces,
        prim.GetPrim().GetDisplayName() or prim.GetPrim().GetName(),
        color=GREY if colors is None or not len(colors) else as_color(colors[0]),
        colors=colors if colors is not None and len(colors) == len(points) > 1 else None,
        space=space,
    )
