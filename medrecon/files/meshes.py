"""Every mesh format by its suffix: what writes it and what reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medrecon.core import Mesh
from medrecon.errors import DamagedInputError, UnreadableInputError, UsageError
from medrecon.files import gltf, gltf_reading, obj, ply, stl, threemf, threemf_reading, vtp_reading
from medrecon.files import usdz as usd
from medrecon.files import vtp as vtk_xml
from medrecon.files import xyz as points
from medrecon.files.atomic import as_output_error

SCENE_NAME = "model"
"""Stem of the one file of a format that holds all meshes."""


@dataclass(frozen=True, slots=True)
class MeshFormat:
    """A mesh format.

    Parameters
    ----------
    suffix : str
        Without the dot; also what `--format` calls it.
    about : str
        For people, in a few words.
    save_one : callable or None
        Writes one mesh to a path, where a file holds one.
    save_all : callable or None
        Writes all meshes to a path, where a file holds many.
    read : callable
        All meshes of a file, in millimetres if it states a unit.
    states_unit : bool
        Whether every file of the format says what its numbers mean.
    """

    suffix: str
    about: str
    save_one: Callable[[Mesh, Path], None] | None
    save_all: Callable[[Sequence[Mesh], Path], None] | None
    read: Callable[[Path], list[Mesh]]
    states_unit: bool = False


def _one(read: Callable[[Path], Mesh]) -> Callable[[Path], list[Mesh]]:
    return lambda path: [read(path)]


FORMATS = {
    f.suffix: f
    for f in (
        MeshFormat("stl", "binary STL", stl.save_stl, None, _one(stl.read_stl_mesh)),
        MeshFormat("3mf", "3MF", None, threemf.save_3mf, threemf_reading.read_3mf, True),
        MeshFormat("obj", "OBJ with MTL", None, obj.save_obj, obj.read_obj),
        MeshFormat("ply", "binary PLY", ply.save_ply, None, _one(ply.read_ply)),
        MeshFormat("glb", "binary glTF 2.0", None, gltf.save_glb, gltf_reading.read_gltf, True),
        MeshFormat("gltf", "glTF 2.0 and .bin", None, gltf.save_gltf, gltf_reading.read_gltf, True),
        MeshFormat("usdz", "USDZ", None, usd.save_usdz, usd.read_usdz, True),
        MeshFormat("vtp", "VTK PolyData", vtk_xml.save_vtp, None, _one(vtp_reading.read_vtp)),
        MeshFormat("xyz", "points with normals", points.save_xyz, None, _one(points.read_xyz)),
    )
}


def mesh_format(name: str) -> MeshFormat:
    """The format of that suffix, with or without its dot, in any case.

    Raises
    ------
    UsageError
        If there is none.
    """
    try:
        return FORMATS[name.lower().lstrip(".")]
    except KeyError:
        known = ", ".join(FORMATS)
        raise UsageError(f"no mesh format is called {name!r}; known are: {known}") from None


def write_meshes(
    meshes: Sequence[Mesh], folder: Path, formats: Sequence[str], *, stem: str = SCENE_NAME
) -> tuple[Path, ...]:
    """The meshes in each of the formats; the paths, in the formats' order.

    A format that holds one mesh a file makes ``folder/<label>.<suffix>`` of each, one
    that holds many ``folder/<stem>.<suffix>``. Files beside them (an OBJ's .mtl, a
    glTF's .bin) are not among the paths.

    Parameters
    ----------
    meshes : sequence of Mesh
        Of one frame (`Mesh.space`), which every format with a header states. Label
        names become file names.
    folder : Path
        Made if missing.
    formats : sequence of str
        Suffixes; a word that comes twice counts once.
    stem : str

    Raises
    ------
    UsageError
        If a format is not known, or two meshes have one name.
    OutputError
        If a file cannot be written.
    """
    chosen = [mesh_format(name) for name in dict.fromkeys(formats)]
    names = [file_stem(mesh) for mesh in meshes]
    if len(set(names)) < len(names):
        raise UsageError("two meshes have one name, so that one file would replace the other")
    with as_output_error():
        folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for kind in chosen:
        if kind.save_all is not None:
            written.append(folder / f"{stem}.{kind.suffix}")
            kind.save_all(meshes, written[-1])
        elif kind.save_one is not None:
            for mesh, name in zip(meshes, names, strict=True):
                written.append(folder / f"{name}.{kind.suffix}")
                kind.save_one(mesh, written[-1])
    return tuple(written)


def save_meshes(meshes: Sequence[Mesh], path: Path) -> None:
    """Write meshes to one path in the format of its suffix.

    Raises
    ------
    UsageError
        If the format is not known, or holds one mesh a file and there are more.
    OutputError
        If it cannot be written.
    """
    kind = mesh_format(path.suffix)
    if kind.save_all is not None:
        kind.save_all(meshes, path)
    elif kind.save_one is not None and len(meshes) == 1:
        kind.save_one(meshes[0], path)
    else:
        raise UsageError(
            f"a .{kind.suffix} holds one mesh, and there are {len(meshes)}; "
            "choose 3mf, obj, glb, gltf or usdz"
        )


def read_meshes(path: Path) -> tuple[Mesh, ...]:
    """Every mesh of a file, by its suffix; in millimetres if the format states its unit.

    Raises
    ------
    UnreadableInputError
        If the suffix is not known, or the file is not what it says.
    DamagedInputError
        If the numbers make no mesh, or there is no mesh in the file.
    """
    if path.suffix.lower().lstrip(".") not in FORMATS:
        known = ", ".join(FORMATS)
        raise UnreadableInputError(
            f"a mesh file with the suffix {path.suffix or '(none)'}; {known} expected"
        )
    found = tuple(mesh_format(path.suffix).read(path))
    if not any(len(mesh.vertices_mm) for mesh in found):
        raise DamagedInputError("the file holds no mesh")
    return found


def file_stem(mesh: Mesh) -> str:
    """The mesh's name as a file name: no separators, no leading dot."""
    plain = "".join(c if c.isalnum() or c in "-_.+ " else "_" for c in mesh.label.name)
    return plain.strip(" .") or "mesh"
