"""May it be printed? Anybody's mesh, looked over."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medrecon.core import Mesh
from medrecon.quality.overhang import overhang
from medrecon.quality.printability import (
    Crossing,
    Printability,
    Solidity,
    Walls,
    counted,
    notes_of,
    wall_reasons,
)
from medrecon.quality.processes import Process, process, processes
from medrecon.quality.size import Size, Unit, fits_bed, unit_suspicion

PLACES = 20
"""Places of crossings and thin spots that are told of each mesh; all are counted."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What to judge against.

    Parameters
    ----------
    process : str or None
        The walls, overhangs and bed of this process decide; None only measures them.
    bed_mm : tuple of float or None
        Inner size of the user's printer instead of the process's common machine.
    unit : Unit or None
        What a file's numbers mean, if they are no millimetres.
    walls : bool
        Measure walls; the one slow part.
    """

    process: str | None = None
    bed_mm: Size | None = None
    unit: Unit | None = None
    walls: bool = True


def check_files(paths: Sequence[Path], options: CheckOptions) -> list[Printability]:
    """Every mesh of every file, measured and judged.

    A mesh of a file with several is called "file: mesh".

    Raises
    ------
    UnreadableInputError, DamagedInputError
        If a file cannot be read, or holds points without a surface.
    UsageError
        If no process has that name.
    """
    from medrecon.files.meshes import read_meshes

    found = []
    for path in paths:
        meshes = read_meshes(path)
        for mesh in meshes:
            name = path.name if len(meshes) == 1 else f"{path.name}: {mesh.label.name}"
            found.append(check_mesh(mesh, options, name=name))
    return found


def check_mesh(mesh: Mesh, options: CheckOptions, *, name: str = "") -> Printability:
    """One mesh, measured and judged.

    Parameters
    ----------
    mesh : Mesh
        As read back from its file.
    options : CheckOptions
    name : str
        By default the label's.
    """
    chosen = process(options.process) if options.process else None
    if options.unit is not None:
        scaled = mesh.vertices_mm.astype(np.float64) * options.unit.value
        mesh = dataclasses.replace(mesh, vertices_mm=scaled.astype(np.float32))
    low, high = mesh.bounds_mm
    x, y, z = (float(e) for e in high - low)
    solidity = examine_solid(mesh)
    walls = _walls(mesh) if options.walls and not solidity.faults else None
    hanging = {
        key: overhang(mesh, p.overhang_deg)
        for key, p in processes().items()
        if p.overhang_deg is not None
    }
    beds = _beds(options, chosen)
    fits = {key: fits_bed((x, y, z), bed) for key, bed in beds.items()}
    suspicion = None if options.unit else unit_suspicion((x, y, z))
    reasons = [*solidity.faults, *wall_reasons(walls, chosen)]
    if options.bed_mm or chosen:
        reasons += [_too_large((x, y, z), beds[key], key) for key, ok in fits.items() if not ok]
    if suspicion:
        reasons.append(f"{suspicion.words}; say which with --unit")
    unmeasured = () if options.walls else ("walls not measured: --no-walls",)
    return Printability(
        name=name or mesh.label.name,
        extent_mm=(x, y, z),
        solidity=solidity,
        walls=walls,
        overhangs=hanging,
        fits=fits,
        unit=suspicion,
        reasons=tuple(reasons),
        notes=(*unmeasured, *notes_of(solidity, walls, hanging, chosen)),
    )


def examine_solid(mesh: Mesh) -> Solidity:
    """Closed, two-manifold, wound alike and outward, not through itself: counted."""
    from medrecon.surface.intersections import self_intersections
    from medrecon.surface.topology import doubled_area_vectors
    from medrecon.surface.validity import judge

    v = judge(mesh)
    faults = [] if v.triangles else ["it holds no triangles"]
    faults += [
        counted(number, what)
        for number, what in (
            (v.open_edges, "edge with one face: it is not closed"),
            (v.nonmanifold_edges, "edge with more than two faces"),
            (v.flipped_edges, "edge whose faces are wound against each other"),
            (v.pinched_vertices, "vertex where two sheets meet in a point"),
            (v.duplicate_faces, "face that is there already"),
            (v.degenerate_faces, "face without area"),
            (v.wrong_components, "piece inside out"),
        )
        if number
    ]
    real = (doubled_area_vectors(mesh.vertices_mm, mesh.faces) != 0).any(axis=0)
    number = np.flatnonzero(real)
    crossing = number[self_intersections(mesh.vertices_mm, mesh.faces[real])]
    if len(crossing):
        faults.append(counted(len(crossing), "pair of faces through each other"))
    centres = mesh.vertices_mm.astype(np.float64)[mesh.faces].mean(axis=1)
    places = [
        Crossing((a, b), _rounded(centres[[a, b]].mean(axis=0)))
        for a, b in crossing[:PLACES].tolist()
    ]
    cavities = v.cavities or 0
    return Solidity(
        faults=tuple(faults),
        crossings=len(crossing),
        crossing_places=tuple(places),
        components=v.components - cavities,
        cavities=cavities,
        volume_ml=v.volume_mm3 / 1000,
        area_mm2=mesh.area_mm2,
        triangles=v.triangles,
    )


def _walls(mesh: Mesh) -> Walls:
    from medrecon.quality.thickness import thin_spots, wall_thickness

    found = wall_thickness(mesh)
    return Walls(
        least_mm=found.least_mm,
        p05_mm=found.percentile_mm(5),
        median_mm=found.percentile_mm(50),
        thin={
            key: thin_spots(found, p.supported_mm, most=PLACES) for key, p in processes().items()
        },
    )


def _beds(options: CheckOptions, chosen: Process | None) -> dict[str, Size]:
    if options.bed_mm:
        return {"bed": options.bed_mm}
    if chosen:
        return {chosen.key: chosen.bed_mm}
    return {key: p.bed_mm for key, p in processes().items()}


def _too_large(extent_mm: Size, bed_mm: Size, key: str) -> str:
    size, bed = (" × ".join(f"{v:.0f}" for v in values) for values in (extent_mm, bed_mm))
    whose = "the bed" if key == "bed" else f"a common bed of {key}"
    return f"{size} mm does not fit {whose}, {bed} mm"


def _rounded(point: np.ndarray) -> Size:
    x, y, z = (round(float(c), 3) for c in point)
    return x, y, z
