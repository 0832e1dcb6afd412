"""The surface at a distance from a surface, inwards or outwards."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold

from medrecon.core import Geometry, Mesh, SoftField, away_from_zero
from medrecon.errors import ResourceError
from medrecon.printing.distance import SignedDistance
from medrecon.printing.sharpen import sharpened
from medrecon.printing.solids import solid_of

Floats = npt.NDArray[np.float64]

_LEVELS = 3
"""Times that the spacing is halved towards the surface."""

MOST_NODES = 60_000_000
"""Of a grid: about 1 GB at the finest level."""


def offset_solid(mesh: Mesh, distance_mm: float, *, spacing_mm: float) -> Manifold:
    """The solid whose surface lies at a signed distance from another one's.

    Exact distances on a grid close to the surface asked for, its zero there, creases put
    in (`sharpened`); then simplified within a 25th of the spacing. It lies within 0.1
    spacings of the exact one, but for the tips of feathers that are thinner than a spacing.

    Parameters
    ----------
    mesh : Mesh
        A valid solid.
    distance_mm : float
        Positive grows it, negative shrinks it.
    spacing_mm : float
        Of the grid.

    Returns
    -------
    Manifold
        Empty if nothing is left.
    """
    field = distance_field(mesh, distance_mm, spacing_mm=spacing_mm)
    surface = sharpened(field, mesh, distance_mm)
    if not len(surface.faces):
        return Manifold()
    return solid_of(surface).simplify(spacing_mm / 25)


def distance_field(mesh: Mesh, distance_mm: float, *, spacing_mm: float) -> SoftField:
    """Distance to the offset surface: positive inside it, exact within a spacing of it.

    Farther away a value has the right sign and at least a spacing of size, and is a lower
    bound: distance does not change faster than one goes, so a coarse grid rules out all
    but a thin layer, which the next finer one measures.

    Raises
    ------
    ResourceError
        If the grid would have more than `MOST_NODES` nodes.
    """
    grid = _grid(mesh, max(distance_mm, 0.0), spacing_mm)
    nodes = int(np.prod(grid.shape, dtype=np.int64))
    if nodes > MOST_NODES:
        raise ResourceError(
            f"{mesh.label.name} is too large for a grid of {spacing_mm:g} mm ({nodes / 1e6:.0f} "
            "million nodes); cut it to what is needed"
        )
    measured = SignedDistance(mesh, grid)
    values: Floats | None = None
    for level in range(_LEVELS, -1, -1):
        values = _refined(values, 2**level, measured, distance_mm)
    inside = away_from_zero(np.asarray(values, np.float32))
    return SoftField(mesh.label, inside, grid)


def _grid(mesh: Mesh, grown_mm: float, spacing_mm: float) -> Geometry:
    """An axis-parallel grid around the result, two nodes of outside, halved evenly."""
    low, high = mesh.bounds_mm
    start = low - grown_mm - 2 * spacing_mm
    steps = np.ceil((high + grown_mm + 2 * spacing_mm - start) / spacing_mm / 2**_LEVELS)
    i, j, k = (int(n) * 2**_LEVELS + 1 for n in steps)
    x, y, z = (float(c) for c in start)
    return Geometry((i, j, k), (spacing_mm,) * 3, (x, y, z))


def _refined(
    coarse: Floats | None, step: int, measured: SignedDistance, distance_mm: float
) -> Floats:
    """Values of one level: measured where the coarser level leaves the surface possible."""
    shape = tuple((n - 1) // step + 1 for n in measured.grid.shape)
    spacing = step * measured.grid.spacing_mm[0]
    if coarse is None:
        values, doubtful = np.empty(shape), np.ones(shape, np.bool_)
    else:
        # The coarser node is at most √3 spacings away, so the value may be that much less.
        near = coarse[np.ix_(*(np.arange(n) // 2 for n in shape))]
        least = np.abs(near) - np.sqrt(3) * spacing
        values, doubtful = np.copysign(least, near), least <= spacing
    values[doubtful] = distance_mm - measured.at(np.argwhere(doubtful) * step)
    return values
