"""Whether a mesh fits the printer's bed, and whether its unit is what one thinks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import permutations

Size = tuple[float, float, float]

# A printed part or an organ that is smaller or larger than this is one in another unit:
# a vertebral artery's aneurysm has millimetres, a scan's range two metres.
SMALLEST_MM = 1.0
LARGEST_MM = 2500.0


class Unit(Enum):
    """What a number in a file without units may mean, in mm."""

    MICROMETRE = 0.001
    MILLIMETRE = 1.0
    CENTIMETRE = 10.0
    INCH = 25.4
    METRE = 1000.0


UNIT_NAMES = {
    "um": Unit.MICROMETRE,
    "mm": Unit.MILLIMETRE,
    "cm": Unit.CENTIMETRE,
    "inch": Unit.INCH,
    "m": Unit.METRE,
}


@dataclass(frozen=True, slots=True)
class UnitSuspicion:
    """Numbers that are hardly millimetres.

    Parameters
    ----------
    extent : float
        Largest extent in the file's numbers.
    likely : tuple of Unit
        Units in which the size would be that of a part of a body, likeliest first.
    """

    extent: float
    likely: tuple[Unit, ...]

    @property
    def words(self) -> str:
        """One sentence for people."""
        if not self.likely:
            return f"its largest extent is {self.extent:.3g}: in no unit the size of a body part"
        guesses = " or ".join(
            f"{_short(unit)} ({self.extent * unit.value:.3g} mm)" for unit in self.likely
        )
        return f"its largest extent is {self.extent:.3g}: hardly millimetres, rather {guesses}"


def _short(unit: Unit) -> str:
    return next(name for name, known in UNIT_NAMES.items() if known is unit)


def unit_suspicion(extent_mm: Size) -> UnitSuspicion | None:
    """Why a mesh is hardly in millimetres; None if it may well be.

    From the size alone, so a head in inches (7 × 9 × 10) is taken for a small thing in
    millimetres: between 1 mm and 2.5 m nothing can be told.

    Parameters
    ----------
    extent_mm : tuple of float
        Extents along the axes, taken as millimetres.
    """
    largest = max(extent_mm)
    if SMALLEST_MM <= largest <= LARGEST_MM:
        return None
    order = (Unit.METRE, Unit.INCH, Unit.CENTIMETRE, Unit.MICROMETRE)
    likely = tuple(u for u in order if 10 <= largest * u.value <= LARGEST_MM)
    return UnitSuspicion(largest, likely)


def fits_bed(extent_mm: Size, bed_mm: Size) -> bool:
    """Whether a box fits a printer as it stands or turned by right angles."""
    return any(
        all(e <= b for e, b in zip(turned, bed_mm, strict=True))
        for turned in permutations(extent_mm)
    )
