"""Parts in relation to one another: booleans, gaps between parts that fit, margins."""

from __future__ import annotations

from enum import Enum

import numpy as np
from manifold3d import Manifold

from medrecon.core import Mesh
from medrecon.errors import UsageError
from medrecon.printing.offset import offset_solid
from medrecon.printing.solids import solid_of


class Boolean(Enum):
    """What becomes of two solids."""

    UNION = "+"
    DIFFERENCE = "-"
    INTERSECTION = "&"


def combined(first: Manifold, how: Boolean, second: Manifold) -> Manifold:
    """Two solids as one.

    Raises
    ------
    UsageError
        If nothing is left.
    """
    operations = {
        Boolean.UNION: lambda: first + second,
        Boolean.DIFFERENCE: lambda: first - second,
        Boolean.INTERSECTION: lambda: first ^ second,
    }
    found: Manifold = operations[how]()
    if found.is_empty():
        raise UsageError(f"nothing is left of two parts joined by {how.value!r}")
    return found


def grown(mesh: Mesh, by_mm: float) -> Manifold:
    """A solid larger by a distance everywhere, rounded at its edges; by 0 the solid itself."""
    if by_mm == 0:
        return solid_of(mesh)
    spacing = float(np.clip(by_mm / 3, 0.25, 1.0))
    return offset_solid(mesh, by_mm, spacing_mm=spacing)


def with_gap(part: Manifold, other: Mesh, gap_mm: float) -> Manifold:
    """A part from which another is taken out, with a gap of even width between them.

    Raises
    ------
    UsageError
        If the gap is negative or nothing is left.
    """
    if gap_mm < 0:
        raise UsageError(f"a gap of {gap_mm:g} mm; 0 or more expected")
    return combined(part, Boolean.DIFFERENCE, grown(other, gap_mm))


def margin_shell(mesh: Mesh, from_mm: float, to_mm: float, within: Manifold | None) -> Manifold:
    """All that lies between two distances from a surface, outside of it.

    Parameters
    ----------
    mesh : Mesh
        A tumour, say.
    from_mm, to_mm : float
        0 and 5, 5 and 10 …
    within : Manifold or None
        Keep only what lies in it (the organ).

    Raises
    ------
    UsageError
        If the distances are not in order, or nothing is left.
    """
    if not 0 <= from_mm < to_mm:
        raise UsageError(f"a margin from {from_mm:g} to {to_mm:g} mm; from less to more expected")
    shell = combined(grown(mesh, to_mm), Boolean.DIFFERENCE, grown(mesh, from_mm))
    return shell if within is None else combined(shell, Boolean.INTERSECTION, within)
