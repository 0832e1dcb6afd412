"""Shapes with volumes by formula: what a measuring tool is first tested on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medrecon.core.geometry import Triple
from medrecon.phantom.primitives import box, sphere
from medrecon.phantom.ring import torus
from medrecon.phantom.solid import Array, Solid, difference, triple, union

ORIGIN: Triple = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A solid with its exact volume.

    Parameters
    ----------
    name : str
    solid : Solid
    volume_ml : float
        By formula.
    centroid_mm : tuple of float
        LPS mm, by formula.
    landmarks_mm : tuple of (name, point)
        Points that tell left from right and top from bottom.
    """

    name: str
    solid: Solid
    volume_ml: float
    centroid_mm: Triple
    landmarks_mm: tuple[tuple[str, Triple], ...] = ()

    def moved(self, by_mm: Triple) -> Shape:
        """The shape shifted by a vector in LPS mm."""
        points = tuple((name, _sum(p, by_mm)) for name, p in self.landmarks_mm)
        centroid = _sum(self.centroid_mm, by_mm)
        return Shape(self.name, self.solid.moved(by_mm), self.volume_ml, centroid, points)


def make_sphere(radius_mm: float = 20.0) -> Shape:
    """A ball: 4/3 π r³."""
    return Shape("sphere", sphere(ORIGIN, radius_mm), _ball_ml(radius_mm), ORIGIN)


def make_torus(ring_mm: float = 20.0, tube_mm: float = 6.0, axis: Triple = (0, 0, 1)) -> Shape:
    """A ring: 2 π² R r², tube radius below the ring's."""
    volume = 2 * math.pi**2 * ring_mm * tube_mm**2 / 1000
    return Shape("torus", torus(ORIGIN, axis, (ring_mm, tube_mm)), volume, ORIGIN)


def make_shell(radius_mm: float = 20.0, thickness_mm: float = 2.0) -> Shape:
    """A hollow ball: the difference of two."""
    inner = radius_mm - thickness_mm
    hollow = difference(sphere(ORIGIN, radius_mm), sphere(ORIGIN, inner))
    return Shape("shell", hollow, _ball_ml(radius_mm) - _ball_ml(inner), ORIGIN)


def make_box(size_mm: Triple = (30.0, 20.0, 12.0)) -> Shape:
    """A box with three different edges: their product."""
    half = np.asarray(size_mm) / 2
    volume = math.prod(size_mm) / 1000
    return Shape("box", box(triple(-half), triple(half)), volume, ORIGIN)


def make_screw(
    radius_mm: float = 4.0,
    thread_mm: float = 0.6,
    pitch_mm: float = 3.0,
    length_mm: float = 36.0,
) -> Shape:
    """A right-handed screw along z with a sinusoidal thread.

    Its cross-section is the same at every height, only turned:
    volume = L ½ ∫ (r + t cos φ)² dφ = L π (r² + t²/2).
    """

    def field(x: Array, y: Array, z: Array) -> Array:
        turn = z * (2 * math.pi / pitch_mm)
        cosine, sine = np.cos(turn), np.sin(turn)
        rho = np.sqrt(x * x + y * y) + 1e-6
        along, aside = (x * cosine + y * sine) / rho, (y * cosine - x * sine) / rho
        pull = thread_mm * (2 * math.pi / pitch_mm) * aside
        flank = (radius_mm + thread_mm * along - rho) / np.sqrt(1 + pull * pull)
        depth: Array = np.minimum(flank, length_mm / 2 - np.abs(z))
        return depth

    reach = radius_mm + thread_mm
    corner = (reach, reach, length_mm / 2)
    solid = Solid(field, (-reach, -reach, -length_mm / 2), corner)
    volume = length_mm * math.pi * (radius_mm**2 + thread_mm**2 / 2) / 1000
    # The thread's crest where it crosses x = 0, z = 0 turned by a quarter: +y at p/4.
    crest = (0.0, reach, pitch_mm / 4)
    # The ends cut the eccentric section after a whole number of turns of 12: no lever left.
    return Shape("screw", solid, volume, ORIGIN, (("crest_at_quarter_pitch", crest),))


def make_letter_f(unit_mm: float = 4.0) -> Shape:
    """A letter F that reads right from the front, with a peg towards the viewer at its foot.

    It has no mirror symmetry in any plane: a flip of one axis, a swap of two or a
    mirrored patient cannot be turned back into it.
    """
    # In units, (x left, y back, z up): stem 2×2×10, top bar 4×2×2, middle bar 2.5×2×2, peg.
    pieces: Sequence[tuple[Triple, Triple]] = (
        ((-3, -1, -5), (-1, 1, 5)),
        ((-1, -1, 3), (3, 1, 5)),
        ((-1, -1, -0.5), (1.5, 1, 1.5)),
        ((-3, -2.5, -5), (-1, -1, -3)),
    )
    # Each piece reaches into the stem, so that no seam runs through the inside.
    overlapped = (pieces[0], *((_least(low, (-3, 9, 9)), high) for low, high in pieces[1:3]))
    peg = (pieces[3][0], (-1.0, 1.0, -3.0))
    solids = [box(_scaled(a, unit_mm), _scaled(b, unit_mm)) for a, b in (*overlapped, peg)]
    volumes = [math.prod(np.subtract(high, low)) for low, high in pieces]
    middles = [np.add(low, high) / 2 for low, high in pieces]
    total = float(sum(volumes))
    centroid = sum(v * m for v, m in zip(volumes, middles, strict=True)) / total * unit_mm
    points = (
        ("foot", _scaled((-2, 0, -5), unit_mm)),
        ("top_bar_end", _scaled((3, 0, 4), unit_mm)),
        ("peg_tip", _scaled((-2, -2.5, -4), unit_mm)),
    )
    return Shape("letter-f", union(*solids), total * unit_mm**3 / 1000, triple(centroid), points)


def _ball_ml(radius_mm: float) -> float:
    return 4 / 3 * math.pi * radius_mm**3 / 1000


def _sum(a: Triple, b: Triple) -> Triple:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _scaled(a: Triple, factor: float) -> Triple:
    return a[0] * factor, a[1] * factor, a[2] * factor


def _least(a: Triple, b: Triple) -> Triple:
    return min(a[0], b[0]), min(a[1], b[1]), min(a[2], b[2])
