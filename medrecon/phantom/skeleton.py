"""Spine, ribs and sternum of the synthetic torso, in its own frame (mm, LPS axes)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medrecon.phantom.primitives import FAR_MM
from medrecon.phantom.solid import Array, Solid, smooth_max, smooth_min


@dataclass(frozen=True, slots=True)
class Spine:
    """Vertebrae from T1 down, and more above and below until the range is filled.

    Parameters
    ----------
    centres_mm : tuple of float
        z of each vertebral body's centre, falling.
    disc_mm : float
        Height of a disc.
    half_width_mm, half_depth_mm : float
        Of a vertebral body.
    middle_y_mm : float
        y of the bodies' centres where the spine is straight.
    kyphosis_mm, scoliosis_mm : float
        Forward and sideways deviation 150 mm away from z = 0.
    """

    centres_mm: tuple[float, ...]
    disc_mm: float
    half_width_mm: float
    half_depth_mm: float
    middle_y_mm: float
    kyphosis_mm: float
    scoliosis_mm: float

    CANAL_MM = 8.0
    LAMINA_MM = 6.5

    def axis(self, z: Array) -> tuple[Array, Array]:
        """The x and y of the bodies' centre line at heights z."""
        t = z / 150
        return self.scoliosis_mm * t * (1 - t * t / 3), self.middle_y_mm - self.kyphosis_mm * t * t

    @property
    def canal_behind_mm(self) -> float:
        """How far the canal's centre lies behind the bodies'."""
        return self.half_depth_mm + self.CANAL_MM - 0.5

    @property
    def box(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Corners of a box that holds the whole spine."""
        y = self.middle_y_mm
        return (-45.0, y - 45.0, -FAR_MM), (45.0, y + 65.0, FAR_MM)

    def bone(self) -> Solid:
        """The vertebrae, filled, without the canal."""
        return Solid(self._bone, *self.box)

    def canal(self) -> Solid:
        """The spinal canal from top to bottom."""

        def field(x: Array, y: Array, z: Array) -> Array:
            return self._to_canal(*self._local(x, y, z))

        return Solid(field, *self.box)

    def discs(self) -> Solid:
        """A column a little narrower than the bodies; painted before them."""

        def field(x: Array, y: Array, z: Array) -> Array:
            dx, dy = self._local(x, y, z)
            return self._column(dx, dy) - 1.5

        return Solid(field, *self.box)

    def _local(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        ax, ay = self.axis(z)
        return x - ax, y - ay

    def _to_canal(self, dx: Array, dy: Array) -> Array:
        back = dy - self.canal_behind_mm
        depth: Array = self.CANAL_MM - np.sqrt(dx * dx * 0.85 + back * back)
        return depth

    def _column(self, dx: Array, dy: Array) -> Array:
        u, v = dx / self.half_width_mm, dy / self.half_depth_mm
        norm = np.sqrt(u * u + v * v)
        depth: Array = (1 - norm) * (min(self.half_width_mm, self.half_depth_mm) * 1.08)
        return depth

    def _level(self, z: Array) -> tuple[Array, Array]:
        """Height above the nearest vertebra's centre, and half that vertebra's height."""
        centres = np.asarray(self.centres_mm, dtype=z.dtype)[::-1]
        borders = (centres[1:] + centres[:-1]) / 2
        edges = np.concatenate(
            [[2 * centres[0] - borders[0]], borders, [2 * centres[-1] - borders[-1]]]
        )
        which = np.searchsorted(borders, z)
        half = ((edges[1:] - edges[:-1] - self.disc_mm) / 2).astype(z.dtype)
        return z - centres[which], half[which]

    def _bone(self, x: Array, y: Array, z: Array) -> Array:
        dx, dy = self._local(x, y, z)
        up, half = self._level(z)
        waist = 1.6 * (1 - np.minimum((up / half) * (up / half), 1))
        body = smooth_min(self._column(dx, dy) - waist, half - np.abs(up), 5.0)
        canal = self._to_canal(dx, dy)
        wall = self.LAMINA_MM / 2
        ring = smooth_min(wall - np.abs(canal + wall), 0.72 * half - np.abs(up - 2), 4.0)
        bone = smooth_max(smooth_max(body, ring, 3.0), self._transverse(dx, dy, up), 4.0)
        bone = smooth_max(bone, self._spinous(dx, dy, z), 4.0)
        return smooth_min(bone, -canal, 1.5)

    def _transverse(self, dx: Array, dy: Array, up: Array) -> Array:
        """Two rods from the arch sideways and a little backwards."""
        side = np.abs(dx) - 11
        along = np.clip(side / 22, 0, 1)
        across, back, high = side - along * 22, dy - (self.canal_behind_mm - 1 + along * 5), up - 3
        depth: Array = 6.0 - np.sqrt(across * across + back * back + high * high)
        return depth

    def _spinous(self, dx: Array, dy: Array, z: Array) -> Array:
        """A plate backwards and downwards."""
        back = dy - (self.canal_behind_mm + self.CANAL_MM + 1)
        up, half = self._level(z + 0.35 * np.maximum(back, 0))
        plate = smooth_min(4.4 - np.abs(dx), 0.62 * half - 0.12 * back - np.abs(up + 1), 3.0)
        return smooth_min(plate, np.minimum(back + 4, 23 - back), 4.0)


@dataclass(frozen=True, slots=True)
class RibCage:
    """Ribs and sternum on the surface of a dome.

    Parameters
    ----------
    wall : Solid
        The dome; the ribs' middle line lies on its surface.
    levels_mm : tuple of float
        z of each rib at the back, falling: T1 to T12.
    reach : tuple of (sine, cosine)
        Where each rib ends: angle from the back's midline round to the front.
    slope : float
        How much a rib falls per mm forward.
    back_mm : float
        y where `levels_mm` holds.
    half_thickness_mm, half_height_mm : float
        Of a rib's cross-section.
    """

    wall: Solid
    levels_mm: tuple[float, ...]
    reach: tuple[tuple[float, float], ...]
    slope: float
    back_mm: float
    half_thickness_mm: float
    half_height_mm: float

    START_MM = 22.0

    def bone(self) -> Solid:
        """The twelve pairs of ribs."""
        return Solid(lambda x, y, z: self._tubes(x, y, z, self.START_MM, None), *self._box())

    def cartilage(self, sternum_half_mm: float) -> Solid:
        """The costal cartilage of ribs 1 to 9, from the ribs' ends to the sternum."""
        return Solid(lambda x, y, z: self._tubes(x, y, z, 0.0, sternum_half_mm), *self._box())

    def sternum(self, half_width_mm: float, top_mm: float, bottom_mm: float) -> Solid:
        """A plate on the front of the dome, wider at its top."""
        low, _ = self._box()

        def field(x: Array, y: Array, z: Array) -> Array:
            along = np.clip((z - bottom_mm) / (top_mm - bottom_mm), 0, 1)
            width = half_width_mm * (0.72 + 0.5 * along * along)
            plate = smooth_min(width - np.abs(x), 5.5 - np.abs(self.wall.field(x, y, z)), 6.0)
            ends = np.minimum(top_mm - z, z - bottom_mm)
            return smooth_min(smooth_min(plate, ends, 6.0), -y, 1.0)

        reach = half_width_mm * 1.3
        return Solid(field, (-reach, low[1], bottom_mm), (reach, 0.0, top_mm))

    def _box(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        low, high = self.wall.low_mm, self.wall.high_mm
        fall = self.slope * (self.back_mm - low[1]) + 15
        pad = self.half_thickness_mm
        return (
            (low[0] - pad, low[1] - pad, self.levels_mm[-1] - fall),
            (high[0] + pad, high[1] + pad, self.levels_mm[0] + 15),
        )

    def _tubes(self, x: Array, y: Array, z: Array, start: float, sternum: float | None) -> Array:
        """Tubes along the dome's surface, round at their ends.

        Bone (`sternum` None) runs from `start` mm beside the midline to the rib's reach,
        cartilage from there to `sternum` mm beside the midline.
        """
        levels = np.asarray(self.levels_mm, dtype=z.dtype)[::-1]
        height = z + self.slope * (self.back_mm - y)
        which = np.searchsorted((levels[1:] + levels[:-1]) / 2, height)
        tilt = 1 / float(np.sqrt(1 + self.slope * self.slope))
        across = (height - levels[which]) * tilt
        sine, cosine = (np.asarray(c, dtype=z.dtype)[::-1] for c in zip(*self.reach, strict=True))
        side = np.abs(x)
        past = side * cosine[which] - y * sine[which]
        if sternum is None:
            past = np.maximum(past, start - side)
        else:
            ribless = np.where(which < len(levels) - 9, np.float32(50), np.float32(-50))
            past = np.maximum(np.maximum(-past, sternum - side), np.maximum(ribless, y - 10))
        return self._tube(self.wall.field(x, y, z), across, np.maximum(past, 0))

    def _tube(self, depth: Array, across: Array, past: Array) -> Array:
        a, b = self.half_thickness_mm, self.half_height_mm
        u, v, w = depth / a, across / b, past / a
        norm2 = u * u + v * v + w * w
        slope2 = (u / a) * (u / a) + (v / b) * (v / b) + (w / a) * (w / a)
        norm = np.sqrt(norm2)
        slope = np.maximum(np.sqrt(slope2) / (norm + 1e-6), 0.5 / b)
        distance: Array = (1 - norm) / slope
        return distance
