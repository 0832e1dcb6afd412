"""The simple solids that anatomy is put together from."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from medrecon.core.geometry import Triple
from medrecon.phantom.solid import Array, Solid, triple

FAR_MM = math.inf


def sphere(centre: Triple, radius: float) -> Solid:
    """A ball; the field is the exact distance."""
    cx, cy, cz = centre

    def field(x: Array, y: Array, z: Array) -> Array:
        dx, dy, dz = x - cx, y - cy, z - cz
        distance: Array = radius - np.sqrt(dx * dx + dy * dy + dz * dz)
        return distance

    c = np.asarray(centre)
    return Solid(field, triple(c - radius), triple(c + radius))


def ellipsoid(centre: Triple, semi_axes: Triple, rotation: npt.NDArray[np.float64]) -> Solid:
    """An ellipsoid whose axes are the columns of `rotation`; first-order distance."""
    cx, cy, cz = centre
    semi = np.asarray(semi_axes)
    shallow = 0.5 / max(semi_axes)
    rows = [[float(v) for v in row] for row in rotation.T]

    def field(x: Array, y: Array, z: Array) -> Array:
        dx, dy, dz = x - cx, y - cy, z - cz
        norm2, slope2 = np.float32(0), np.float32(1e-12)
        for (rx, ry, rz), radius in zip(rows, semi.tolist(), strict=True):
            along = (rx * dx + ry * dy + rz * dz) / radius
            norm2 = norm2 + along * along
            slope2 = slope2 + (along / radius) * (along / radius)
        norm = np.sqrt(norm2)
        # |∇norm| = √slope2 / norm ≥ 1 / longest axis; the bound keeps the centre finite.
        slope = np.maximum(np.sqrt(slope2) / (norm + 1e-9), shallow)
        distance: Array = (1 - norm) / slope
        return distance

    half = np.sqrt(((rotation * semi) ** 2).sum(axis=1))
    c = np.asarray(centre)
    return Solid(field, triple(c - half), triple(c + half))


def capsule(start: Triple, end: Triple, radius: float) -> Solid:
    """A straight tube with round ends; the field is the exact distance."""
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    ax, ay, az = triple(a)
    ux, uy, uz = triple(b - a)
    length2 = float((b - a) @ (b - a))

    def field(x: Array, y: Array, z: Array) -> Array:
        dx, dy, dz = x - ax, y - ay, z - az
        along = np.clip((dx * ux + dy * uy + dz * uz) / length2, 0, 1)
        dx, dy, dz = dx - along * ux, dy - along * uy, dz - along * uz
        distance: Array = radius - np.sqrt(dx * dx + dy * dy + dz * dz)
        return distance

    return Solid(field, triple(np.minimum(a, b) - radius), triple(np.maximum(a, b) + radius))


def half_space(normal: Triple, at_mm: float) -> Solid:
    """All points with normal · p < at_mm; the normal is of unit length."""
    nx, ny, nz = normal

    def field(x: Array, y: Array, z: Array) -> Array:
        depth: Array = at_mm - (nx * x + ny * y + nz * z)
        return depth

    return Solid(field, (-FAR_MM,) * 3, (FAR_MM,) * 3)


def box(low: Triple, high: Triple) -> Solid:
    """An axis-aligned box with sharp edges; the field is exact inside and on its faces."""
    cx, cy, cz = ((a + b) / 2 for a, b in zip(low, high, strict=True))
    hx, hy, hz = ((b - a) / 2 for a, b in zip(low, high, strict=True))

    def field(x: Array, y: Array, z: Array) -> Array:
        qx, qy, qz = np.abs(x - cx) - hx, np.abs(y - cy) - hy, np.abs(z - cz) - hz
        inside = np.minimum(np.maximum(np.maximum(qx, qy), qz), 0)
        ox, oy, oz = np.maximum(qx, 0), np.maximum(qy, 0), np.maximum(qz, 0)
        distance: Array = -inside - np.sqrt(ox * ox + oy * oy + oz * oz)
        return distance

    return Solid(field, low, high)


def dome(
    centre: Triple, semi_axes: Triple, *, squareness: float, top_squareness: float, taper: float
) -> Solid:
    """A cylinder along z with a rounded top: the shape of a trunk.

    Parameters
    ----------
    centre : tuple of float
        Axis in x and y; z where the cap begins. The cylinder goes down without end.
    semi_axes : tuple of float
        Half width, half depth and height of the cap, mm.
    squareness, top_squareness : float
        0 an ellipse, 1 a superellipse of exponent 4; of the cross-section and the cap.
    taper : float
        Fraction by which the cross-section shrinks 200 mm below `centre`.
    """
    cx, cy, cz = centre
    a, b, c = semi_axes
    shallow = 0.3 / max(semi_axes)
    mixed = 1 - top_squareness

    def field(x: Array, y: Array, z: Array) -> Array:
        below = np.clip((cz - z) / 200, 0, 1.5)
        width = 1 - taper * below * below
        u, v, w = (x - cx) / (a * width), (y - cy) / (b * width), np.maximum(z - cz, 0) / c
        u2, v2, w2 = u * u, v * v, w * w
        q = u2 + v2
        quartic = np.sqrt(q * q - 2 * squareness * (u2 * v2) + w2 * (w2 + 2 * mixed * q))
        gauge = np.sqrt(quartic)
        gu = u * (q - squareness * v2 + mixed * w2) / a
        gv = v * (q - squareness * u2 + mixed * w2) / b
        gw = w * (w2 + mixed * q) / c
        slope = np.sqrt(gu * gu + gv * gv + gw * gw) / (quartic * gauge + 1e-9)
        distance: Array = (1 - gauge) / np.maximum(slope, shallow)
        return distance

    return Solid(field, (cx - a, cy - b, -FAR_MM), (cx + a, cy + b, cz + c))


def rotation_about(axis: Triple, degrees: float) -> npt.NDArray[np.float64]:
    """3×3 rotation by an angle about an axis through the origin (Rodrigues)."""
    n = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    cross = np.array([[0, -n[2], n[1]], [n[2], 0, -n[0]], [-n[1], n[0], 0]])
    angle = math.radians(degrees)
    turned: npt.NDArray[np.float64] = (
        np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    )
    return turned
