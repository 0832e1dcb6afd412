"""Copies of meshes made ready for a printer, each with a sidecar that says what was done."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh, Space
from medrecon.errors import OutputExistsError, UsageError
from medrecon.files.atomic import as_output_error, write_json
from medrecon.files.meshes import file_stem, mesh_format, save_meshes
from medrecon.outputs.opened import open_run
from medrecon.printing.finish import finish, side_letters
from medrecon.printing.options import (
    Cut,
    Patient,
    PrintOptions,
    check_steps,
    factor_words,
    factors_of,
)
from medrecon.printing.pieces import Piece, cut_pieces, parts_of
from medrecon.printing.solids import mesh_of
from medrecon.quality.printability import Printability
from medrecon.quality.processes import process
from medrecon.recipes.check import CheckOptions, check_files

__all__ = [
    "Cut",
    "Patient",
    "Prepared",
    "PreparedPart",
    "PrintOptions",
    "check_steps",
    "factor_words",
    "prepare_prints",
    "prepare_run",
]

Matrix = npt.NDArray[np.float64]

PRINT_FOLDER = "print"

_POINTS = "xyz"
"""The format that holds no triangles: nothing to print or to judge by itself."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPart:
    """A copy for the printer as it was written.

    Parameters
    ----------
    mesh : Mesh
        In the bed's frame.
    matrix : ndarray of float64, shape (4, 4)
        From LPS millimetres to the mesh's.
    sidecar : dict
        What `<name>.json` says.
    judged : Printability
        Of the file as read back.
    """

    mesh: Mesh
    matrix: Matrix
    sidecar: dict[str, Any]
    judged: Printability


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """All copies, and what could not be done."""

    parts: tuple[PreparedPart, ...]
    warnings: tuple[str, ...]


def prepare_prints(
    meshes: Sequence[Mesh],
    options: PrintOptions,
    *,
    output: Path,
    patient: Patient | None = None,
    concerns: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Prepared:
    """Make copies for a printer, write them to a folder, read them back and judge them.

    In this order: parts are joined, walled, parted; cut; turned onto the bed; engraved;
    hollowed, so that the wall is kept around sockets and under the letters; drained; scaled.

    Parameters
    ----------
    meshes : sequence of Mesh
        Valid solids in LPS, each of another name.
    options : PrintOptions
    output : Path
        Folder for the copies: ``<part>_print_<factor>.<suffix>`` and ``….json``.
    patient : Patient, optional
        Needed to engrave a side.
    concerns : mapping of str to str, optional
        Why a mesh must not be printed, by its name: no copy of it passes.
    overwrite : bool

    Raises
    ------
    UsageError
        If something asked for cannot be done to a part, or does nothing by itself; if two
        parts would go to one file; if there is no mesh, or one is a copy already.
    DamagedInputError
        If a mesh bounds no solid.
    GeometryError
        If a side was to be engraved and is not certain.
    QualityGateError
        If a part cannot be had without self-intersections.
    """
    chosen = process(options.process)
    check_steps(options)
    _check_input(meshes, options)
    if not overwrite and output.is_dir() and any(output.iterdir()):
        raise OutputExistsError(
            "the folder for the copies is not empty; choose a new one, or pass --force"
        )
    warnings: list[str] = []
    pieces = cut_pieces(parts_of(meshes, options), options)
    origins = frozenset[str]().union(*(piece.origins for piece in pieces))
    letters = side_letters(meshes, options, patient or Patient(), origins=origins)
    made: list[tuple[Mesh, Piece]] = []
    for piece in pieces:
        finish(piece, options, chosen, letters, warnings)
        name = f"{piece.label.name}_print_{factor_words(options.shrink_percent)}"
        label = dataclasses.replace(piece.label, name=name)
        made.append((mesh_of(piece.solid, label), piece))
    _require_own_files([mesh for mesh, _ in made])
    return Prepared(tuple(_written(made, options, output, concerns or {})), tuple(warnings))


def prepare_run(folder: Path, options: PrintOptions, *, overwrite: bool = False) -> Prepared:
    """Copies of a finished run's meshes, written to its folder `print/`.

    Raises
    ------
    UsageError
        If the folder holds no finished run, or as `prepare_prints`.
    """
    run = open_run(folder)
    meshes = run.meshes()
    laterality = str(run.record.get("volume", {}).get("laterality", ""))
    patient = Patient(body_middle_x_mm(meshes), laterality)
    rows = run.quality.get("meshes", {})
    return prepare_prints(
        meshes,
        options,
        output=folder / PRINT_FOLDER,
        patient=patient,
        concerns={n: str(row["verdict"]) for n, row in rows.items() if not row["passed"]},
        overwrite=overwrite,
    )


def body_middle_x_mm(meshes: Sequence[Mesh]) -> float | None:
    """LPS x of the body's middle, from the skin or from a pair; None if there is neither."""
    x = {mesh.label.name: float(mesh.centroid_mm[0]) for mesh in meshes}
    if "skin" in x:
        return x["skin"]
    twins = {name: name.replace("left", "right") for name in x if "left" in name}
    middles = [(x[left] + x[right]) / 2 for left, right in twins.items() if right in x]
    return float(np.mean(middles)) if middles else None


def _check_input(meshes: Sequence[Mesh], options: PrintOptions) -> None:
    """Refuse what no copy can be made of, or be called one."""
    if not meshes:
        raise UsageError("there is no mesh to make copies of")
    for mesh in meshes:
        if mesh.space is Space.PRINT:
            raise UsageError(
                f"{mesh.label.name} is a copy for a printer already, moved and perhaps scaled; "
                "give the mesh in the patient's frame"
            )
    if all(mesh_format(name).suffix == _POINTS for name in options.formats):
        raise UsageError("xyz holds points, which no printer prints; choose stl or 3mf, too")


def _require_own_files(meshes: Sequence[Mesh]) -> None:
    """Refuse parts whose names differ only in what a file name cannot hold."""
    taken: set[str] = set()
    for mesh in meshes:
        # Some file systems take capitals and small letters for the same.
        if (stem := file_stem(mesh)).casefold() in taken:
            raise UsageError(f"two parts would be written to {stem}; make one of them at a time")
        taken.add(stem.casefold())


def _written(
    made: Sequence[tuple[Mesh, Piece]],
    options: PrintOptions,
    folder: Path,
    concerns: Mapping[str, str],
) -> Iterator[PreparedPart]:
    """Every copy in its formats, read back, judged, its sidecar written last."""
    kinds = [mesh_format(name) for name in options.formats]
    judged_as = next(n for n, kind in enumerate(kinds) if kind.suffix != _POINTS)
    check = CheckOptions(options.process, options.bed_mm)
    with as_output_error():
        folder.mkdir(parents=True, exist_ok=True)
    for mesh, piece in made:
        paths = [folder / f"{file_stem(mesh)}.{kind.suffix}" for kind in kinds]
        for path in paths:
            save_meshes([mesh], path)
        (judged,) = check_files([paths[judged_as]], check)
        against = tuple(f"{n}: {concerns[n]}" for n in sorted(piece.origins) if n in concerns)
        judged = dataclasses.replace(judged, reasons=(*judged.reasons, *against))
        sidecar = _sidecar(mesh, piece, options, judged)
        write_json(folder / f"{file_stem(mesh)}.json", sidecar)
        yield PreparedPart(mesh, piece.matrix, sidecar, judged)


def _sidecar(
    mesh: Mesh, piece: Piece, options: PrintOptions, judged: Printability
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "SPACE": Space.PRINT.value,
        "unit": "mm",
        "part": piece.label.name,
        "process": options.process,
        "matrix_from_lps": [[round(float(c), 9) for c in row] for row in piece.matrix],
        "factor": [round(f, 6) for f in factors_of(options.shrink_percent)],
        "triangles": len(mesh.faces),
        "volume_ml": round(mesh.volume_mm3 / 1000, 4),
        "size_mm": [round(e, 3) for e in judged.extent_mm],
        "done": piece.done,
        "printable": judged.printable,
        "reasons": list(judged.reasons),
        "notes": list(judged.notes),
    }
