"""A piece made ready: onto the bed, hollowed, engraved, drained, scaled."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from manifold3d import Manifold

from medrecon.core import Mesh, known_labels
from medrecon.errors import UsageError
from medrecon.printing.engrave import Engraved, Inscription, engrave, sunk_under
from medrecon.printing.hollow import Ball, DrainPlan, drain_holes, hollows_of
from medrecon.printing.measure import wall_figures
from medrecon.printing.options import Patient, PrintOptions, factors_of
from medrecon.printing.pieces import Piece
from medrecon.printing.sides import side_letter
from medrecon.printing.solids import mesh_of
from medrecon.printing.stand import flattened, onto_bed, turned_up
from medrecon.quality.processes import Process


def side_letters(meshes: Sequence[Mesh], options: PrintOptions, patient: Patient) -> dict[str, str]:
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


def finish(
    piece: Piece,
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
    factors = factors_of(options.shrink_percent)
    if any(f != 1 for f in factors):
        piece.move(np.diag([*factors, 1.0]))


def _inscribed(
    piece: Piece,
    what: Inscription,
    chosen: Process,
    letters: dict[str, str],
    warnings: list[str],
) -> Engraved | None:
    sides = {letters[name] for name in piece.origins if name in letters}
    side = sides.pop() if len(sides) == 1 else ""
    if letters and not side:
        warnings.append(f"{piece.label.name} carries no side: its parts name none or both")
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
    piece: Piece, options: PrintOptions, chosen: Process, warnings: list[str]
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
    piece: Piece, hollows: Sequence[Manifold], options: PrintOptions, chosen: Process
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
