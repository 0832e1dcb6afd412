"""The parts that are made, still in the patient's frame, whole or cut in pieces."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold

from medrecon.core import Label, Mesh
from medrecon.errors import UsageError
from medrecon.printing.cut import Pins, Plane, add_pins, cut_in_two
from medrecon.printing.fit import combined, margin_shell, with_gap
from medrecon.printing.hollow import Ball
from medrecon.printing.options import Cut, PrintOptions, Triple
from medrecon.printing.solids import bounds_mm, mesh_of, placed, solid_of
from medrecon.printing.vessel import vessel_wall

Matrix = npt.NDArray[np.float64]


@dataclass(slots=True)
class Piece:
    """A part on its way: the solid, its frame, and what was done to it."""

    label: Label
    solid: Manifold
    origins: frozenset[str] = frozenset()
    matrix: Matrix = field(default_factory=lambda: np.eye(4))
    cut_faces: list[Triple] = field(default_factory=list)
    taken: list[Ball] = field(default_factory=list)
    done: dict[str, Any] = field(default_factory=dict)

    def move(self, matrix: Matrix) -> None:
        """Take the piece and all that is known of its places through a 4×4."""
        self.solid = placed(self.solid, matrix)
        self.matrix = matrix @ self.matrix
        turn = matrix[:3, :3]
        self.cut_faces = [triple(turn @ np.asarray(f)) for f in self.cut_faces]
        at = matrix[:3, 3]
        self.taken = [
            Ball(triple(turn @ np.asarray(b.centre_mm) + at), b.radius_mm) for b in self.taken
        ]


def parts_of(meshes: Sequence[Mesh], options: PrintOptions) -> list[Piece]:
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
    names = tuple(dict.fromkeys(options.only or solids))
    missing = sorted(set(names) - set(solids))
    if missing:
        raise UsageError(f"no part {', '.join(missing)}; there are: {', '.join(solids)}")
    return [Piece(labels[name], solids[name], origins[name]) for name in names]


def _opened(lumen: Mesh, cuts: Sequence[Cut]) -> Mesh:
    """The lumen cut open at planes; of each cut the larger part stays."""
    if not cuts:
        return lumen
    solid = solid_of(lumen)
    for cut in cuts:
        solid = max(cut_in_two(solid, cut.plane(solid)), key=lambda half: half.volume())
    return mesh_of(solid, lumen.label, space=lumen.space)


def cut_pieces(parts: Sequence[Piece], options: PrintOptions) -> list[Piece]:
    """The parts in pieces, called part_1, part_2 …, with pins if asked for.

    A number that would make the name of another part is left out.

    Raises
    ------
    UsageError
        If a cut misses every part.
    """
    rows = [[part] for part in parts]
    for cut in options.cuts:
        halved = [
            [half for piece in row for half in _halves(piece, cut, options.pins)] for row in rows
        ]
        if list(map(len, halved)) == list(map(len, rows)):
            raise UsageError(_missed(cut, parts))
        rows = halved
    taken = {part.label.name for part in parts}
    for row in rows:
        if len(row) > 1:
            _number(row, taken)
    return [piece for row in rows for piece in row]


def _halves(piece: Piece, cut: Cut, pins: Pins | None) -> list[Piece]:
    """Both sides of a cut, or the piece itself where the cut misses it."""
    plane = cut.plane(piece.solid)
    low, high = bounds_mm(piece.solid)[:, "xyz".index(cut.axis)]
    return _halved(piece, plane, pins) if low < plane.offset_mm < high else [piece]


def _missed(cut: Cut, parts: Sequence[Piece]) -> str:
    reach = np.array([bounds_mm(part.solid)[:, "xyz".index(cut.axis)] for part in parts])
    at_mm = cut.plane(parts[0].solid).offset_mm
    return (
        f"a cut at {cut.axis} = {at_mm:.1f} mm misses every part; they reach from "
        f"{reach.min():.1f} to {reach.max():.1f} mm there, or were cut at that place before"
    )


def _number(pieces: Sequence[Piece], taken: set[str]) -> None:
    """Name a part's pieces, clear of the names taken."""
    part = pieces[0].label.name
    free = (name for n in count(1) if (name := f"{part}_{n}") not in taken)
    for piece, name in zip(pieces, free, strict=False):
        piece.label = dataclasses.replace(piece.label, name=name)
        taken.add(name)


def _halved(piece: Piece, plane: Plane, pins: Pins | None) -> list[Piece]:
    beyond, before = cut_in_two(piece.solid, plane)
    done = {"cut": {"normal_lps": list(plane.normal), "at_mm": plane.offset_mm}}
    taken = list[Ball]()
    if pins is not None:
        beyond, before, feet = add_pins(beyond, before, plane, pins)
        taken = [Ball(f.foot_mm, pins.diameter_mm / 2 + pins.length_mm) for f in feet]
        done["pins"] = {**dataclasses.asdict(pins), "feet_lps_mm": [list(f.foot_mm) for f in feet]}
    inward = triple(-np.asarray(plane.normal))
    return [
        Piece(
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


def triple(values: npt.NDArray[np.float64]) -> Triple:
    """Three numbers as a tuple."""
    x, y, z = (float(v) for v in values)
    return x, y, z
