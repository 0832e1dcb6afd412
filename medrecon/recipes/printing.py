"""Copies of meshes made ready for a printer, each with a sidecar that says what was done."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold

from medrecon.core import Label, Mesh, Space, known_labels
from medrecon.errors import OutputExistsError, UsageError
from medrecon.files.atomic import as_output_error, write_json
from medrecon.files.meshes import file_stem, mesh_format, save_meshes
from medrecon.outputs.opened import open_run
from medrecon.printing.cut import Pins, Plane, add_pins, cut_in_two
from medrecon.printing.engrave import Engraved, Inscription, engrave, sunk_under
from medrecon.printing.fit import Boolean, combined, margin_shell, with_gap
from medrecon.printing.hollow import Ball, DrainPlan, drain_holes, hollows_of
from medrecon.printing.measure import wall_figures
from medrecon.printing.sides import side_letter
from medrecon.printing.solids import bounds_mm, mesh_of, placed, solid_of
from medrecon.printing.stand import flattened, onto_bed, turned_up
from medrecon.printing.vessel import vessel_wall
from medrecon.quality.printability import Printability
from medrecon.quality.processes import Process, process
from medrecon.recipes.check import CheckOptions, check_files

Matrix = npt.NDArray[np.float64]
Triple = tuple[float, float, float]

PRINT_FOLDER = "print"
AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut across an axis of the patient, at an LPS coordinate or in the middle."""

    axis: str
    at_mm: float | None = None

    def plane(self, solid: Manifold) -> Plane:
        """The plane for a solid."""
        number = "xyz".index(self.axis)
        middle = float(bounds_mm(solid)[:, number].mean())
        return Plane(AXES[self.axis], middle if self.at_mm is None else self.at_mm)


@dataclass(frozen=True, slots=True)
class PrintOptions:
    """What to do to which parts; what is not asked for is not done.

    Parameters
    ----------
    process : str
        "sla", "sls", "fdm" or "polyjet"; gives clearances, strokes and what `check` asks.
    only : tuple of str or None
        Parts to make; None makes all.
    booleans : tuple of (name, first, how, second)
        New parts out of two.
    gaps : tuple of (part, other, mm)
        The other is taken out of the part with a gap, so that it fits in.
    margins : tuple of (part, (mm, …), within or "")
        Shells around a part: 5, 10 make two, 0–5 and 5–10.
    vessels : tuple of (part, wall in mm)
        The part is a lumen: make its wall, open at its flat ends.
    open_at : tuple of Cut
        Where lumens are cut open first; the larger part stays.
    cuts : tuple of Cut
    pins : Pins or None
        At every cut.
    up : str
        Direction of the patient that points up on the bed, or "auto".
    base_mm : float
        Cut off at the bottom for a flat to stand on.
    inscription : Inscription or None
    engrave_side : bool
        Add L or R, if that is certain.
    hollow_mm : float or None
        Wall; None prints solid.
    drain_mm : float or None
        Diameter of holes out of every hollow; None takes what the process needs.
    drains : int
        Holes for each hollow.
    shrink_percent : tuple of float
        Of the user's own calibration: how much the print shrinks along each axis of the
        bed; copies are made larger by that.
    bed_mm : tuple of float or None
    formats : tuple of str
    """

    process: str
    only: tuple[str, ...] | None = None
    booleans: tuple[tuple[str, str, Boolean, str], ...] = ()
    gaps: tuple[tuple[str, str, float], ...] = ()
    margins: tuple[tuple[str, tuple[float, ...], str], ...] = ()
    vessels: tuple[tuple[str, float], ...] = ()
    open_at: tuple[Cut, ...] = ()
    cuts: tuple[Cut, ...] = ()
    pins: Pins | None = None
    up: str = "superior"
    base_mm: float = 0.0
    inscription: Inscription | None = None
    engrave_side: bool = False
    hollow_mm: float | None = None
    drain_mm: float | None = None
    drains: int = 2
    shrink_percent: Triple = (0.0, 0.0, 0.0)
    bed_mm: Triple | None = None
    formats: tuple[str, ...] = ("stl",)


@dataclass(frozen=True, slots=True)
class Patient:
    """What is known of where things lie.

    Parameters
    ----------
    middle_x_mm : float or None
        LPS x of the body's middle.
    laterality : str
        DICOM's, "L", "R" or "".
    """

    middle_x_mm: float | None = None
    laterality: str = ""


@dataclass(slots=True)
class _Piece:
    """A part on its way: the solid, its frame, and what was done to it."""

    label: Label
    solid: Manifold
    origins: frozenset[str] = frozenset()
    matrix: Matrix = field(default_factory=lambda: np.eye(4))
    cut_faces: list[Triple] = field(default_factory=list)
    taken: list[Ball] = field(default_factory=list)
    done: dict[str, Any] = field(default_factory=dict)

    def move(self, matrix: Matrix) -> None:
        self.solid = placed(self.solid, matrix)
        self.matrix = matrix @ self.matrix
        turn = matrix[:3, :3]
        self.cut_faces = [_triple(turn @ np.asarray(f)) for f in self.cut_faces]
        at = matrix[:3, 3]
        self.taken = [
            Ball(_triple(turn @ np.asarray(b.centre_mm) + at), b.radius_mm) for b in self.taken
        ]


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

    In this order: parts are joined, parted, walled; cut; turned onto the bed; hollowed, so
    that the wall is kept around sockets; engraved, the hollow drawn back under the letters;
    drained; scaled.

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
        If something asked for cannot be done to a part.
    DamagedInputError
        If a mesh bounds no solid.
    GeometryError
        If a side was to be engraved and is not certain.
    QualityGateError
        If a part cannot be had without self-intersections.
    """
    chosen = process(options.process)
    for name in options.formats:
        mesh_format(name)
    if not overwrite and output.is_dir() and any(output.iterdir()):
        raise OutputExistsError(
            "the folder for the copies is not empty; choose a new one, or pass --force"
        )
    warnings: list[str] = []
    pieces = [piece for part in _parts(meshes, options) for piece in _cut(part, options)]
    letters = _side_letters(meshes, options, patient or Patient())
    made: list[tuple[Mesh, _Piece]] = []
    for piece in pieces:
        _finish(piece, options, chosen, letters, warnings)
        name = f"{piece.label.name}_print_{factor_words(options.shrink_percent)}"
        label = dataclasses.replace(piece.label, name=name)
        made.append((mesh_of(piece.solid, label), piece))
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


def _written(
    made: Sequence[tuple[Mesh, _Piece]],
    options: PrintOptions,
    folder: Path,
    concerns: Mapping[str, str],
) -> Iterator[PreparedPart]:
    """Every copy in its formats, read back, judged, its sidecar written last."""
    kinds = [mesh_format(name) for name in options.formats]
    check = CheckOptions(options.process, options.bed_mm)
    with as_output_error():
        folder.mkdir(parents=True, exist_ok=True)
    for mesh, piece in made:
        paths = [folder / f"{file_stem(mesh)}.{kind.suffix}" for kind in kinds]
        for path in paths:
            save_meshes([mesh], path)
        (judged,) = check_files(paths[:1], check)
        against = tuple(f"{n}: {concerns[n]}" for n in sorted(piece.origins) if n in concerns)
        judged = dataclasses.replace(judged, reasons=(*judged.reasons, *against))
        sidecar = _sidecar(mesh, piece, options, judged)
        write_json(folder / f"{file_stem(mesh)}.json", sidecar)
        yield PreparedPart(mesh, piece.matrix, sidecar, judged)


def factor_words(shrink_percent: Triple) -> str:
    """The factor as file names carry it: "x1.0000", or three where axes differ."""
    factors = [f"{f:.4f}" for f in _factors(shrink_percent)]
    return "x" + (factors[0] if len(set(factors)) == 1 else "_".join(factors))


def _factors(shrink_percent: Triple) -> list[float]:
    if not all(-5 < s < 20 for s in shrink_percent):
        raise UsageError(
            f"shrinkage of {', '.join(f'{s:g}' for s in shrink_percent)} %; -5 to 20 % expected"
        )
    return [1 / (1 - s / 100) for s in shrink_percent]


def _parts(meshes: Sequence[Mesh], options: PrintOptions) -> list[_Piece]:
    """The parts as they will be, still in the patient's frame."""
    known = {mesh.label.name: mesh for mesh in meshes}
    solids = {name: solid_of(mesh) for name, mesh in known.items()}

    def mesh(name: str) -> Mesh:
        if name not in known:
            raise UsageError(f"no part is called {name!r}; there are: {', '.join(known)}")
        return known[name]

    labels = {name: m.label for name, m in known.items()}
    origins = {name: frozenset({name}) for name in known}
    for name, first, how, second in options.booleans:
        base = mesh(first).label
        solids[name] = combined(solids[first], how, solids[mesh(second).label.name])
        labels[name] = dataclasses.replace(base, name=name)
        origins[name] = frozenset({first, second})
    for part, other, gap_mm in options.gaps:
        solids[mesh(part).label.name] = with_gap(solids[part], mesh(other), gap_mm)
    for part, distances, within in options.margins:
        room = solids[mesh(within).label.name] if within else None
        for low, high in zip((0.0, *distances), distances, strict=False):
            name = f"{part}_margin_{high:g}mm"
            solids[name] = margin_shell(mesh(part), low, high, room)
            labels[name] = dataclasses.replace(mesh(part).label, name=name)
            origins[name] = frozenset({part})
    for part, wall_mm in options.vessels:
        lumen = _opened(mesh(part), options.open_at)
        solids[part], _ = vessel_wall(lumen, wall_mm)
    names = options.only or tuple(solids)
    missing = sorted(set(names) - set(solids))
    if missing:
        raise UsageError(f"no part {', '.join(missing)}; there are: {', '.join(solids)}")
    return [_Piece(labels[name], solids[name], origins[name]) for name in names]


def _opened(lumen: Mesh, cuts: Sequence[Cut]) -> Mesh:
    """The lumen cut open at planes; of each cut the larger part stays."""
    if not cuts:
        return lumen
    solid = solid_of(lumen)
    for cut in cuts:
        solid = max(cut_in_two(solid, cut.plane(solid)), key=lambda half: half.volume())
    return mesh_of(solid, lumen.label, space=lumen.space)


def _cut(part: _Piece, options: PrintOptions) -> list[_Piece]:
    """The part in pieces, called part_1, part_2 …, with pins if asked for."""
    pieces = [part]
    for cut in options.cuts:
        halves: list[_Piece] = []
        for piece in pieces:
            plane = cut.plane(piece.solid if cut.at_mm is None else part.solid)
            low, high = bounds_mm(piece.solid)[:, "xyz".index(cut.axis)]
            if not low < plane.offset_mm < high:
                halves.append(piece)
                continue
            halves += _halved(piece, plane, options.pins)
        pieces = halves
    if len(pieces) == 1:
        return pieces
    for number, piece in enumerate(pieces, 1):
        piece.label = dataclasses.replace(piece.label, name=f"{part.label.name}_{number}")
    return pieces


def _halved(piece: _Piece, plane: Plane, pins: Pins | None) -> list[_Piece]:
    beyond, before = cut_in_two(piece.solid, plane)
    done = {"cut": {"normal_lps": list(plane.normal), "at_mm": plane.offset_mm}}
    taken = list[Ball]()
    if pins is not None:
        beyond, before, feet = add_pins(beyond, before, plane, pins)
        taken = [Ball(f.foot_mm, pins.diameter_mm / 2 + pins.length_mm) for f in feet]
        done["pins"] = {**dataclasses.asdict(pins), "feet_lps_mm": [list(f.foot_mm) for f in feet]}
    inward = _triple(-np.asarray(plane.normal))
    return [
        _Piece(
            piece.label,
            solid,
            piece.origins,
            piece.matrix,
            [*piece.cut_faces, face],
            [*piece.taken, *taken],
            {**piece.done, **done},
        )
        for solid, face in ((before, plane.normal), (beyond, inward))
    ]


def _side_letters(
    meshes: Sequence[Mesh], options: PrintOptions, patient: Patient
) -> dict[str, str]:
    """L or R for every part that is made, if asked for."""
    if not options.engrave_side:
        return {}
    if options.inscription is None:
        raise UsageError("a side is engraved with a text; say which with --prepare engrave=TEXT")
    known = known_labels()
    found = {}
    for mesh in meshes:
        name = mesh.label.name
        if options.only is None or name in options.only:
            code = mesh.label.code or (known[name].code if name in known else None)
            said = dataclasses.replace(mesh, label=dataclasses.replace(mesh.label, code=code))
            found[name] = side_letter(
                said, middle_x_mm=patient.middle_x_mm, laterality=patient.laterality
            )
    return found


def _finish(
    piece: _Piece,
    options: PrintOptions,
    chosen: Process,
    letters: dict[str, str],
    warnings: list[str],
) -> None:
    """Onto the bed, engraved, hollowed, drained, scaled."""
    piece.move(turned_up(options.up, piece.solid, overhang_deg=chosen.overhang_deg))
    piece.solid = flattened(piece.solid, options.base_mm)
    piece.move(onto_bed(piece.solid))
    hollows = [] if options.hollow_mm is None else _hollows(piece, options, chosen, warnings)
    if options.inscription is not None:
        label = _inscribed(piece, options.inscription, chosen, letters, warnings)
        if label is not None:
            hollows = [sunk_under(hollow, label) for hollow in hollows]
    if hollows:
        _emptied(piece, hollows, options, chosen)
    factors = _factors(options.shrink_percent)
    if any(f != 1 for f in factors):
        piece.move(np.diag([*factors, 1.0]))


def _inscribed(
    piece: _Piece,
    what: Inscription,
    chosen: Process,
    letters: dict[str, str],
    warnings: list[str],
) -> Engraved | None:
    side = next((s for name, s in letters.items() if piece.label.name.startswith(name)), "")
    first, *rest = what.lines or ("",)
    lines = (f"{first} {side}".strip(), *rest)
    asked = dataclasses.replace(
        what,
        lines=lines,
        least_stroke_mm=chosen.engrave_mm,
        # A fifth more: what a ridge loses where the letters lie on a slope.
        least_ridge_mm=1.2 * chosen.supported_mm,
    )
    try:
        piece.solid, found = engrave(piece.solid, asked, avoid=tuple(piece.cut_faces))
    except UsageError as error:
        warnings.append(f"{piece.label.name} is not engraved: {error}")
        return None
    piece.taken.append(Ball(found.centre_mm, found.width_mm / 2))
    piece.done["engraved"] = {"lines": list(lines), **dataclasses.asdict(found)}
    return found


def _hollows(
    piece: _Piece, options: PrintOptions, chosen: Process, warnings: list[str]
) -> list[Manifold]:
    """Hollows with walls of what was asked, measured; none where a part is too thin."""
    wall_mm = options.hollow_mm or 0.0
    if wall_mm < chosen.supported_mm:
        raise UsageError(
            f"a wall of {wall_mm:g} mm; {chosen.key} needs {chosen.supported_mm:g} mm or more"
        )
    outer = mesh_of(piece.solid, piece.label)
    try:
        hollows = hollows_of(outer, wall_mm)
    except UsageError as error:
        warnings.append(f"{error}; it stays solid")
        return []
    figures = {"asked": wall_mm, **wall_figures(outer, hollows)}
    piece.done["hollow"] = {"wall_mm": figures, "hollows": len(hollows), "drains": []}
    return hollows


def _emptied(
    piece: _Piece, hollows: Sequence[Manifold], options: PrintOptions, chosen: Process
) -> None:
    """The part without its hollows, and holes out of each."""
    diameter = options.drain_mm if options.drain_mm is not None else chosen.escape_mm
    outer, whole = piece.solid, piece.solid
    for hollow in hollows:
        whole = whole - hollow
    for hollow in hollows if diameter else ():
        plan = DrainPlan(
            diameter or 0.0, options.drains, options.hollow_mm or 0, tuple(piece.taken)
        )
        holes, found = drain_holes(outer, hollow, plan)
        whole = whole - holes
        piece.done["hollow"]["drains"] += [dataclasses.asdict(d) for d in found]
    piece.solid = whole


def _sidecar(
    mesh: Mesh, piece: _Piece, options: PrintOptions, judged: Printability
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "SPACE": Space.PRINT.value,
        "unit": "mm",
        "part": piece.label.name,
        "process": options.process,
        "matrix_from_lps": [[round(float(c), 9) for c in row] for row in piece.matrix],
        "factor": [round(f, 6) for f in _factors(options.shrink_percent)],
        "triangles": len(mesh.faces),
        "volume_ml": round(mesh.volume_mm3 / 1000, 4),
        "size_mm": [round(e, 3) for e in judged.extent_mm],
        "done": piece.done,
        "printable": judged.printable,
        "reasons": list(judged.reasons),
        "notes": list(judged.notes),
    }


def _triple(values: npt.NDArray[np.float64]) -> Triple:
    x, y, z = (float(v) for v in values)
    return x, y, z
