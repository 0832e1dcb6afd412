"""Everything that was found of one mesh before printing, and whether it may be printed."""

from __future__ import annotations

from dataclasses import dataclass

from medrecon.quality.overhang import Overhang
from medrecon.quality.processes import Process
from medrecon.quality.size import Size, UnitSuspicion
from medrecon.quality.thickness import ThinSpot


@dataclass(frozen=True, slots=True)
class Crossing:
    """Two faces that go through each other.

    Parameters
    ----------
    faces : tuple of int
        Their numbers in the file.
    place_mm : tuple of float
        Half way between their centres, in the mesh's own frame.
    """

    faces: tuple[int, int]
    place_mm: Size


@dataclass(frozen=True, slots=True)
class Solidity:
    """What its triangles' connections say, counted.

    Parameters
    ----------
    faults : tuple of str
        Why it is no valid solid, with numbers; empty if it is one.
    crossings : int
        Pairs of faces that go through each other.
    crossing_places : tuple of Crossing
        The first of them.
    components, cavities : int
        Outer pieces, and closed hollows inside them.
    volume_ml, area_mm2 : float
    triangles : int
    """

    faults: tuple[str, ...]
    crossings: int
    crossing_places: tuple[Crossing, ...]
    components: int
    cavities: int
    volume_ml: float
    area_mm2: float
    triangles: int


@dataclass(frozen=True, slots=True)
class Walls:
    """How thick it is.

    Parameters
    ----------
    least_mm : float or None
    p05_mm, median_mm : float or None
        By surface.
    thin : dict of str to tuple of ThinSpot
        For each process, spots below what a wall held on both sides needs.
    """

    least_mm: float | None
    p05_mm: float | None
    median_mm: float | None
    thin: dict[str, tuple[ThinSpot, ...]]


@dataclass(frozen=True, slots=True)
class Printability:
    """One mesh, measured, with the verdict.

    Parameters
    ----------
    name : str
    extent_mm : tuple of float
    solidity : Solidity
    walls : Walls or None
        None if it was not asked for or there is no solid.
    overhangs : dict of str to Overhang
        For each process that needs support, as the mesh stands.
    fits : dict of str to bool
        For each bed asked about, turned by right angles as needed.
    unit : UnitSuspicion or None
    reasons : tuple of str
        Why it is not printable, with numbers; empty if it is.
    notes : tuple of str
        What else one should know.
    """

    name: str
    extent_mm: Size
    solidity: Solidity
    walls: Walls | None
    overhangs: dict[str, Overhang]
    fits: dict[str, bool]
    unit: UnitSuspicion | None
    reasons: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def printable(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons

    @property
    def verdict(self) -> str:
        """In words; a mesh whose walls nobody measured is never just called printable."""
        if not self.printable:
            return "not printable"
        return "printable" if self.walls else "printable, walls not measured"


def counted(number: int, thing: str) -> str:
    """A number and a thing: 1 edge, 2 edges; the first word is the one that grows."""
    first, _, rest = thing.partition(" ")
    return f"{number} {first if number == 1 else _plural(first)} {rest}".rstrip()


def _plural(word: str) -> str:
    return {"vertex": "vertices", "hollow": "hollows"}.get(word, f"{word}s")


NEGLIGIBLE_SPOT_MM2 = 1.0
"""Thin spots up to this size are told but do not decide: the tips of ridges and creases
are thin on every anatomical surface, over about one printed line squared."""


def wall_reasons(walls: Walls | None, chosen: Process | None) -> list[str]:
    """What speaks against the walls for the process that was chosen."""
    if walls is None or chosen is None:
        return []
    spots = [s for s in walls.thin[chosen.key] if s.area_mm2 > NEGLIGIBLE_SPOT_MM2]
    if not spots:
        return []
    worst = min(spots, key=lambda s: s.least_mm)
    area = sum(s.area_mm2 for s in spots)
    x, y, z = worst.place_mm
    return [
        f"{counted(len(spots), 'spot')} with {area:.0f} mm² under {chosen.supported_mm:g} mm, "
        f"which {chosen.key} needs: {worst.least_mm:.2f} mm at ({x:.1f}, {y:.1f}, {z:.1f})"
    ]


def notes_of(
    solidity: Solidity,
    walls: Walls | None,
    overhangs: dict[str, Overhang],
    chosen: Process | None,
) -> list[str]:
    """What is no reason against printing, but should be known."""
    notes = []
    if solidity.components > 1:
        notes.append(f"{solidity.components} separate pieces")
    if solidity.cavities and chosen and chosen.escape_mm:
        notes.append(
            f"material stays in {counted(solidity.cavities, 'hollow')} that {chosen.key} cannot "
            f"empty; a hole of {chosen.escape_mm:g} mm lets it out"
        )
    elif solidity.cavities:
        notes.append(f"{counted(solidity.cavities, 'hollow')} inside, closed")
    if walls and chosen:
        small = [s for s in walls.thin[chosen.key] if s.area_mm2 <= NEGLIGIBLE_SPOT_MM2]
        if small:
            least = min(s.least_mm for s in small)
            notes.append(
                f"{counted(len(small), 'spot')} of up to {NEGLIGIBLE_SPOT_MM2:g} mm² under "
                f"{chosen.supported_mm:g} mm, down to {least:.2f} mm"
            )
    if chosen and chosen.key in overhangs and overhangs[chosen.key].area_mm2 > 0:
        found = overhangs[chosen.key]
        notes.append(
            f"{found.area_mm2:.0f} mm² ({found.part:.0%}) hang over more than "
            f"{chosen.overhang_deg:g}° and need support as it stands"
        )
    return notes
