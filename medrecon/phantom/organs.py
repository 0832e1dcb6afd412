"""Soft organs of the synthetic torso, in its own frame (mm, LPS axes)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medrecon.core.geometry import Triple
from medrecon.phantom.primitives import FAR_MM, capsule, ellipsoid, rotation_about, sphere
from medrecon.phantom.solid import Array, Solid, difference, intersection, union


@dataclass(frozen=True, slots=True)
class Diaphragm:
    """Two domes, the right one higher, blended behind the heart.

    Parameters
    ----------
    right_top_mm, left_top_mm : float
        z of the domes' tops.
    drop_mm : float
        How much lower the diaphragm is where it meets the chest wall.
    half_width_mm, half_depth_mm : float
        Of the chest, inside.
    """

    right_top_mm: float
    left_top_mm: float
    drop_mm: float
    half_width_mm: float
    half_depth_mm: float

    def below(self) -> Solid:
        """Everything under the diaphragm."""
        a, b = 0.62 * self.half_width_mm, 1.05 * self.half_depth_mm

        def field(x: Array, y: Array, z: Array) -> Array:
            left = 0.5 + 0.5 * x / np.sqrt(x * x + 15.0**2)
            top = self.right_top_mm + (self.left_top_mm - self.right_top_mm) * left
            u = (np.abs(x) - 0.5 * self.half_width_mm) / a
            v = (y + 0.18 * self.half_depth_mm) / b
            height = top - self.drop_mm * (u * u + v * v)
            su, sv = 2 * self.drop_mm / a * u, 2 * self.drop_mm / b * v
            return (height - z) / np.sqrt(1 + su * su + sv * sv)

        top = max(self.right_top_mm, self.left_top_mm)
        return Solid(field, (-FAR_MM, -FAR_MM, -FAR_MM), (FAR_MM, FAR_MM, top))


def kidney(centre: Triple, semi_axes: Triple, lean_degrees: float, medial: float) -> Solid:
    """A bean, upper pole towards the spine, hilum facing the midline and the front.

    `medial` is +1 where the midline lies towards +x (the right kidney), else −1.
    """
    turn = rotation_about((0, 1, 0), medial * lean_degrees) @ rotation_about(
        (0, 0, 1), -medial * 25.0
    )
    bean = ellipsoid(centre, semi_axes, turn)
    a, _, _ = semi_axes
    towards = np.asarray(turn) @ np.array([medial * 1.15 * a, 0, 0])
    hilum = sphere(tuple(np.asarray(centre) + towards), 0.62 * a)
    return difference(bean, hilum, blend_mm=9.0)


def aorta(top: Triple, ascending: Triple, descending: Triple, radius_mm: float) -> Solid:
    """Ascending aorta, arch and descending aorta, running out of the range below.

    Parameters
    ----------
    top : tuple of float
        A point of the descending aorta at the height where the arch begins, LPS mm.
    ascending : tuple of float
        The point of the ascending aorta at that height.
    descending : tuple of float
        A point on the descending aorta's axis far below.
    radius_mm : float
    """
    down = np.asarray(descending, dtype=float) - top
    down /= np.linalg.norm(down)
    across = np.asarray(ascending, dtype=float) - top
    across -= (across @ down) * down
    bend = float(np.linalg.norm(across)) / 2
    across /= 2 * bend
    normal = np.cross(across, down)
    middle = np.asarray(top) + bend * across
    arch = _half_ring(middle, (across, down, normal), bend, radius_mm)
    root = middle + bend * across
    pipes = (
        capsule(top, tuple(np.asarray(top) + 400 * down), radius_mm),
        capsule(tuple(root), tuple(root + 48 * down), radius_mm * 1.08),
    )
    return union(arch, *pipes, blend_mm=2.0)


def _half_ring(
    middle: np.ndarray, frame: tuple[np.ndarray, np.ndarray, np.ndarray], bend: float, radius: float
) -> Solid:
    """Upper half of a torus; `frame` is its axes across, down and normal."""
    (ax, ay, az), (dx, dy, dz), (nx, ny, nz) = (v.tolist() for v in frame)
    mx, my, mz = middle.tolist()

    def field(x: Array, y: Array, z: Array) -> Array:
        px, py, pz = x - mx, y - my, z - mz
        along = np.abs(ax * px + ay * py + az * pz)
        up = np.minimum(dx * px + dy * py + dz * pz, 0)
        low = np.maximum(dx * px + dy * py + dz * pz, 0)
        off = nx * px + ny * py + nz * pz
        ring = np.sqrt(along * along + up * up) - bend
        distance: Array = radius - np.sqrt(ring * ring + off * off + low * low)
        return distance

    reach = bend + radius
    return Solid(field, tuple(middle - reach), tuple(middle + reach))


def airway(top: Triple, carina: Triple, ends: tuple[Triple, Triple], radii: Triple) -> Solid:
    """Trachea and two main bronchi as one lumen; `ends` and the last two radii right, left."""
    trachea = capsule(top, carina, radii[0])
    right, left = (capsule(carina, end, r) for end, r in zip(ends, radii[1:], strict=True))
    return union(trachea, right, left, blend_mm=5.0)


def liver(right: Solid, left: Solid, room: Solid, cutters: tuple[Solid, ...]) -> Solid:
    """Two lobes inside the room that the chest wall and diaphragm leave, off its neighbours."""
    lobes = union(right, left, blend_mm=22.0)
    return difference(intersection(lobes, room, blend_mm=6.0), *cutters, blend_mm=5.0)


def lung(side: float, room: Solid, cutters: tuple[Solid, ...]) -> Solid:
    """One lung: its half of the room, minus what bulges into it. `side` +1 is the left."""
    low, high = list(room.low_mm), list(room.high_mm)
    low[0], high[0] = (0.0, high[0]) if side > 0 else (low[0], 0.0)
    half = Solid(
        lambda x, y, z: side * x - 6.0,
        (low[0], -FAR_MM, -FAR_MM),
        (high[0], FAR_MM, FAR_MM),
    )
    return difference(intersection(room, half, blend_mm=6.0), *cutters, blend_mm=7.0)
