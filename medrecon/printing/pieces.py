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


@dataclass(slots=True)
class _Parts:
    """Parts by name, as they came and as they have become."""

    known: dict[str, Mesh]
    made: dict[str, Piece]

    def mesh(self, name: str) -> Mesh:
        if name not in self.known:
            raise UsageError(f"no part is called {name!r}; there are: {', '.join(self.known)}")
        return self.known[name]

    def add(self, name: str, of: tuple[str, ...], solid: Manifold, **done: Any) -> None:
        if name in self.made:
            raise UsageError(f"two parts would be called {name}; give each another name")
        label = dataclasses.replace(self.mesh(of[0]).label, name=name)
        self.made[name] = Piece(label, solid, frozenset(of), done=done)


def parts_of(meshes: Sequence[Mesh], options: PrintOptions) -> list[Piece]:
    """The parts as they will be, still in the patient's frame.

    Raises
    ------
    UsageError
        If a part is not there, two would have one name, or a step cannot be made.
    """
    known = {mesh.label.name: mesh for mesh in meshes}
    if len(known) < len(meshes):
        raise UsageError("two parts have one name, so that one would replace the other")
    made = {
        name: Piece(mesh.label, solid_of(mesh), frozenset({name})) for name, mesh in known.items()
    }
    parts = _Parts(known, made)
    for step in (_join, _surround, _wall, _part):
        step(parts, options)
    names = tuple(dict.fromkeys(options.only or made))
    missing = sorted(set(names) - set(made))
    if missing:
        raise UsageError(f"no part {', '.join(missing)}; there are: {', '.join(made)}")
    return [made[name] for name in names]


def _join(parts: _Parts, options: PrintOptions) -> None:
    """New parts out of two."""
    for name, first, how, second in options.booleans:
        one, two = (solid_of(parts.mesh(part)) for part in (first, second))
        words = f"{first} {how.value} {second}"
        parts.add(name, (first, second), combined(one, how, two), boolean=words)


def _surround(parts: _Parts, options: PrintOptions) -> None:
    """Shells around parts."""
    for part, distances, within in options.margins:
        room = solid_of(parts.mesh(within)) if within else None
        for low, high in zip((0.0, *distances), distances, strict=False):
            shell = margin_shell(parts.mesh(part), low, high, room)
            done = {"of": part, "from_mm": low, "to_mm": high, "within": within}
            parts.add(f"{part}_margin_{high:g}mm", (part,), shell, margin=done)


def _wall(parts: _Parts, options: PrintOptions) -> None:
    """Walls in the place of lumens."""
    for part, wall_mm in options.vessels:
        lumen = _opened(parts.mesh(part), options.open_at)
        piece = parts.made[part]
        if "vessel" in piece.done:
            raise UsageError(f"vessel: {part} has two walls; ask for one")
        piece.solid, caps = vessel_wall(lumen, wall_mm)
        piece.done["vessel"] = {"wall_mm": wall_mm, "open_ends": len(caps)}


def _part(parts: _Parts, options: PrintOptions) -> None:
    """Others taken out of parts with a gap: as they will be made, a vessel with its wall."""
    for part, other, gap_mm in options.gaps:
        parts.mesh(part)
        lumen = parts.mesh(other)
        piece, beside = parts.made[part], parts.made[other]
        if "vessel" in beside.done:
            lumen = mesh_of(beside.solid + solid_of(lumen), lumen.label, space=lumen.space)
        piece.solid = with_gap(piece.solid, lumen, gap_mm)
        piece.done.setdefault("gaps", []).append({"other": other, "gap_mm": gap_mm})


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
    done: dict[str, Any] = {"cut": {"normal_lps": list(plane.normal), "at_mm": plane.offset_mm}}
    taken = list[Ball]()
    if pins is not None:
        beyond, before, feet = add_pins(beyond, before, plane, pins)
        taken = [Ball(f.foot_mm, pins.diameter_mm / 2 + pins.length_mm) for f in feet]
        done["pins"] = {**dataclasses.asdict(pins), "feet_lps_mm": [list(f.foot_mm) for f in feet]}
    # "cut" and "pins" are those of the last cut, "cuts" all with their own.
    this = {**done["cut"], "pins": done.get("pins")}
    done["cuts"] = [*piece.done.get("cuts", ()), this]
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
