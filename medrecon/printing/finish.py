"""A piece made ready: onto the bed, engraved, hollowed, drained, scaled."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from manifold3d import Manifold

from medrecon.core import Mesh, known_labels
from medrecon.errors import UsageError
from medrecon.printing.engrave import Engraved, Inscription, engrave, recessed
from medrecon.printing.hollow import Ball, DrainPlan, drain_holes, hollows_of
from medrecon.printing.measure import wall_figures
from medrecon.printing.options import Patient, PrintOptions, factors_of
from medrecon.printing.pieces import Piece
from medrecon.printing.sides import side_letter
from medrecon.printing.solids import mesh_of
from medrecon.printing.stand import flattened, onto_bed, turned_up
from medrecon.quality.processes import Process

_DOWN = 0.99
"""Cosine from which a face looks down."""


def side_letters(
    meshes: Sequence[Mesh],
    options: PrintOptions,
    patient: Patient,
    *,
    origins: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """L or R for every part that is made, if asked for.

    Parts that others are made of (origins) may name no side, parts that are made may not.
    """
    if not options.engrave_side:
        return {}
    if options.inscription is None:
        raise UsageError("a side is engraved with a text; say which with --prepare engrave=TEXT")
    known = known_labels()
    found = {}
    for mesh in meshes:
        name = mesh.label.name
        asked = options.only is None or name in options.only
        if asked or name in origins:
            code = mesh.label.code or (known[name].code if name in known else None)
            said = dataclasses.replace(mesh, label=dataclasses.replace(mesh.label, code=code))
            try:
                found[name] = side_letter(
                    said, middle_x_mm=patient.middle_x_mm, laterality=patient.laterality
                )
            except UsageError:
                if asked:
                    raise
    return found


def finish(
    piece: Piece,
    options: PrintOptions,
    chosen: Process,
    letters: dict[str, str],
    warnings: list[str],
) -> None:
    """Onto the bed, engraved, hollowed to keep the wall under the letters, drained, scaled."""
    piece.move(turned_up(options.up, piece.solid, overhang_deg=chosen.overhang_deg))
    _stood(piece, options.base_mm, warnings)
    piece.move(onto_bed(piece.solid))
    whole = piece.solid
    if options.inscription is not None:
        label = _inscribed(piece, options, chosen, letters, warnings)
        whole = whole if label is None else recessed(whole, label)
    if options.hollow_mm is not None:
        hollows = _hollows(piece, whole, options, chosen, warnings)
        _emptied(piece, whole, hollows, options, chosen)
    factors = factors_of(options.shrink_percent)
    if any(f != 1 for f in factors):
        piece.move(np.diag([*factors, 1.0]))
        _places_scaled(piece, factors)


def _stood(piece: Piece, base_mm: float, warnings: list[str]) -> None:
    """On a flat; the face of a cut is one, and what was cut off it would not fit any more."""
    if base_mm <= 0:
        return
    if any(face[2] < -_DOWN for face in piece.cut_faces):
        warnings.append(f"{piece.label.name} stands on the face of its cut; no base is cut off it")
        return
    piece.solid = flattened(piece.solid, base_mm)
    piece.done["base_mm"] = base_mm


def _places_scaled(piece: Piece, factors: Sequence[float]) -> None:
    """The places of letters and drains as they are in the copy."""
    places = [(d, "place_mm") for d in piece.done.get("hollow", {}).get("drains", ())]
    if "engraved" in piece.done:
        places.append((piece.done["engraved"], "centre_mm"))
    for row, key in places:
        row[key] = tuple(round(c * f, 3) for c, f in zip(row[key], factors, strict=True))


def _inscribed(
    piece: Piece,
    options: PrintOptions,
    chosen: Process,
    letters: dict[str, str],
    warnings: list[str],
) -> Engraved | None:
    what = options.inscription or Inscription(())
    sides = {letters[name] for name in piece.origins if name in letters}
    side = sides.pop() if len(sides) == 1 else ""
    if options.engrave_side and not side:
        warnings.append(f"{piece.label.name} carries no side: its parts name none or both")
    first, *rest = what.lines or ("",)
    lines = (f"{first} {side}".strip(), *rest)
    asked = dataclasses.replace(
        what,
        lines=lines,
        least_stroke_mm=chosen.engrave_mm,
        # A fifth more: what a ridge loses where the letters lie on a slope.
        least_ridge_mm=1.2 * chosen.supported_mm,
        least_floor_mm=chosen.supported_mm,
    )
    try:
        piece.solid, found = engrave(piece.solid, asked, avoid=tuple(piece.cut_faces))
    except UsageError as error:
        warnings.append(f"{piece.label.name} is not engraved: {error}")
        return None
    piece.taken.append(Ball(found.centre_mm, float(np.hypot(found.width_mm, found.tall_mm)) / 2))
    piece.done["engraved"] = {"lines": list(lines), **dataclasses.asdict(found)}
    return found


def _hollows(
    piece: Piece,
    whole: Manifold,
    options: PrintOptions,
    chosen: Process,
    warnings: list[str],
) -> list[Manifold]:
    """Hollows with walls of what was asked, measured; none where a part is too thin."""
    wall_mm = options.hollow_mm or 0.0
    if wall_mm < chosen.supported_mm:
        raise UsageError(
            f"a wall of {wall_mm:g} mm; {chosen.key} needs {chosen.supported_mm:g} mm or more"
        )
    outer = mesh_of(whole, piece.label)
    try:
        hollows = hollows_of(outer, wall_mm)
    except UsageError as error:
        warnings.append(f"{error}; it stays solid")
        return []
    figures = {"asked": wall_mm, **wall_figures(outer, hollows)}
    piece.done["hollow"] = {"wall_mm": figures, "hollows": len(hollows), "drains": []}
    return hollows


def _emptied(
    piece: Piece,
    whole: Manifold,
    hollows: Sequence[Manifold],
    options: PrintOptions,
    chosen: Process,
) -> None:
    """The part without its hollows, and holes out of each."""
    diameter = options.drain_mm if options.drain_mm is not None else chosen.escape_mm
    for hollow in hollows:
        piece.solid = piece.solid - hollow
    for hollow in hollows if diameter else ():
        plan = DrainPlan(
            diameter or 0.0, options.drains, options.hollow_mm or 0, tuple(piece.taken)
        )
        holes, found = drain_holes(whole, hollow, plan)
        piece.solid = piece.solid - holes
        piece.done["hollow"]["drains"] += [dataclasses.asdict(d) for d in found]
