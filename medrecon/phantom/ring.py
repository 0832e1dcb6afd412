"""Rings: a torus and its upper half."""

from __future__ import annotations

import numpy as np

from medrecon.core.geometry import Triple
from medrecon.phantom.solid import Array, Solid, triple


def torus(centre: Triple, axis: Triple, radii_mm: tuple[float, float]) -> Solid:
    """A ring about an axis; `radii_mm` to the tube's middle and of the tube. Exact distance."""
    (nx, ny, nz), (bend, radius) = _unit(axis), radii_mm
    cx, cy, cz = centre

    def field(x: Array, y: Array, z: Array) -> Array:
        px, py, pz = x - cx, y - cy, z - cz
        off = nx * px + ny * py + nz * pz
        flat = np.sqrt(np.maximum(px * px + py * py + pz * pz - off * off, 0)) - bend
        distance: Array = radius - np.sqrt(flat * flat + off * off)
        return distance

    c = np.asarray(centre)
    reach = bend * np.sqrt(1 - np.square(_unit(axis))) + radius
    return Solid(field, triple(c - reach), triple(c + reach))


def half_ring(middle: Triple, across: Triple, down: Triple, radii_mm: tuple[float, float]) -> Solid:
    """The half of a torus that lies against `down`, with round ends. Exact distance.

    `across` and `down` are perpendicular unit vectors in the ring's plane.
    """
    (ax, ay, az), (dx, dy, dz) = across, down
    nx, ny, nz = triple(np.cross(across, down))
    (mx, my, mz), (bend, radius) = middle, radii_mm

    def field(x: Array, y: Array, z: Array) -> Array:
        px, py, pz = x - mx, y - my, z - mz
        along = np.abs(ax * px + ay * py + az * pz)
        fall = dx * px + dy * py + dz * pz
        off = nx * px + ny * py + nz * pz
        up, low = np.minimum(fall, 0), np.maximum(fall, 0)
        flat = np.sqrt(along * along + up * up) - bend
        distance: Array = radius - np.sqrt(flat * flat + off * off + low * low)
        return distance

    c, reach = np.asarray(middle), bend + radius
    return Solid(field, triple(c - reach), triple(c + reach))


def _unit(axis: Triple) -> Triple:
    return triple(np.asarray(axis, dtype=float) / np.linalg.norm(axis))
