"""A mesh or label map that came back from elsewhere, beside the run that it began as."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medrecon.core import Label, Mesh
from medrecon.errors import RenderingError, UsageError
from medrecon.files import meshes as mesh_files
from medrecon.files.atomic import as_output_error, write_json
from medrecon.files.label_maps import SUFFIXES, read_label_map
from medrecon.options import require_length
from medrecon.outputs.opened import open_run
from medrecon.quality.alignment import Apart, apart, moved, rigid_motion
from medrecon.quality.gate import P95_LIMIT_MM
from medrecon.recipes.meshing import segmented_from_labels

COMPARISON = "comparison.json"
OVERLAY = "overlay.png"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came back beside what went out.

    Parameters
    ----------
    structure : str
    distances : Apart
    registered : bool
        Whether it was moved onto the run's surface first; the distances are those after.
    moved_lps_mm : tuple of float or None
        By how much, if so.
    passed : bool
        Two-sided 95th percentile within 0.5 mm and maximum within what is accepted.
    """

    structure: str
    distances: Apart
    registered: bool
    moved_lps_mm: tuple[float, float, float] | None
    passed: bool

    def as_dict(self) -> Mapping[str, Any]:
        """Content of `comparison.json`."""
        return {
            "schema_version": 1,
            **dataclasses.asdict(self),
            "statement": "distance from the run's surface; how well either follows the "
            "patient is unknown",
        }


def compare_with(
    folder: Path,
    other: Path,
    *,
    output: Path,
    structure: str | None = None,
    register: bool = False,
    accept_mm: float = 1.0,
) -> tuple[Comparison, str | None]:
    """Compare a file with a structure of a run; also a warning if no picture was drawn.

    Parameters
    ----------
    folder : Path
        A finished run.
    other : Path
        Mesh in LPS mm, or a label map with one structure.
    output : Path
        Folder for `comparison.json` and `overlay.png`; made if missing.
    structure : str, optional
        Which one; not needed if the run has one only.
    register : bool
        Move the other rigidly onto the run's surface first: for scans of a printed part.
    accept_mm : float

    Raises
    ------
    UsageError
        If the structure is not there or not said, `accept_mm` is no length, or the file
        holds not exactly one surface.
    UnreadableInputError, DamagedInputError
        If the file is no mesh and no label map.
    """
    require_length("accept_mm", accept_mm, zero=True)
    run = open_run(folder)
    ours = _structure(run.meshes(), structure)
    theirs = _read(other)
    shift = None
    if register:
        motion = rigid_motion(ours, theirs)
        centre = theirs.vertices_mm.astype(np.float64).mean(axis=0)
        x, y, z = (float(v) for v in motion[:3, :3] @ centre + motion[:3, 3] - centre)
        shift = (x, y, z)
        theirs = moved(theirs, motion)
    found = apart(ours, theirs)
    passed = found.p95_mm <= P95_LIMIT_MM and found.max_mm <= accept_mm
    comparison = Comparison(ours.label.name, found, register, shift, passed)
    with as_output_error():
        output.mkdir(parents=True, exist_ok=True)
    write_json(output / COMPARISON, comparison.as_dict())
    return comparison, _draw(folder, ours, theirs, output)


def _structure(meshes: tuple[Mesh, ...], name: str | None) -> Mesh:
    names = ", ".join(m.label.name for m in meshes)
    if name is None and len(meshes) == 1:
        return meshes[0]
    for mesh in meshes:
        if mesh.label.name == name:
            return mesh
    raise UsageError(f"name one structure of the run with --structure; there are: {names}")


def _read(path: Path) -> Mesh:
    label = Label(60_000, "compared", (230, 120, 40))
    if path.name.lower().endswith(SUFFIXES):
        from medrecon.surface.extract import extract_surface

        fields = segmented_from_labels((read_label_map(path),), "label map").fields
        if len(fields) != 1:
            raise UsageError("the label map holds several structures; compare one at a time")
        found = extract_surface(fields[0])
        return Mesh(found.vertices_mm, found.faces, label)
    meshes = mesh_files.read_meshes(path)
    if len(meshes) != 1:
        raise UsageError("the file holds several meshes; compare one at a time")
    if not len(meshes[0].faces):
        raise UsageError("the file holds points and no faces; compare a surface")
    return Mesh(meshes[0].vertices_mm, meshes[0].faces, label)


def _draw(folder: Path, ours: Mesh, theirs: Mesh, output: Path) -> str | None:
    """Both surfaces' outlines on the image's slices, and in space."""
    from medrecon.recipes.view import collect, draw
    from medrecon.view.content import Shown

    content = collect([folder])
    both = Shown("compared", (ours, theirs))
    shown = dataclasses.replace(content, runs=(both,))
    try:
        draw(shown, output / OVERLAY, view_file=output / "view.json", keys=("Tab",))
    except RenderingError as error:
        return f"no {OVERLAY}: {error}"
    return None
