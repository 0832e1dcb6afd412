"""The voxels on both sides of a mask's surface, and walks across it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.segmentation.pooling import Array, Mask

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def surface_voxels(inside: Mask) -> Ints:
    """Flat indices, ascending, of voxels with a neighbour (of six) on the other side."""
    edge = np.zeros(inside.shape, dtype=bool)
    for axis in range(3):
        along, mark = np.moveaxis(inside, axis, 0), np.moveaxis(edge, axis, 0)
        change = along[1:] ^ along[:-1]
        mark[1:] |= change
        mark[:-1] |= change
    return np.flatnonzero(edge)


def neighbours_of(index: Ints, shape: tuple[int, ...]) -> Ints:
    """Flat indices, ascending and unique, of the six neighbours of some voxels."""
    place = np.unravel_index(index, shape)
    found = []
    for axis, step in enumerate(strides_of(shape)):
        found.append(index[place[axis] > 0] - step)
        found.append(index[place[axis] < shape[axis] - 1] + step)
    every = np.concatenate(found)
    every.sort()
    return every[np.diff(every, prepend=-1) > 0]


def beside(index: Ints, mask: Mask) -> Mask:
    """Whether one of the six neighbours of each voxel (flat index) is True in the mask."""
    place, flat = np.unravel_index(index, mask.shape), mask.reshape(-1)
    out = np.zeros(len(index), dtype=bool)
    for at, step, size in zip(place, strides_of(mask.shape), mask.shape, strict=True):
        out |= (at > 0) & flat[np.where(at > 0, index - step, index)]
        out |= (at < size - 1) & flat[np.where(at < size - 1, index + step, index)]
    return out


def on_outer_flank(index: Ints, inside: Mask, image: Array) -> Mask:
    """Whether a voxel at the surface lies on the outer flank of a bright wall.

    Looked at from each neighbour outside, straight through the voxel to the one beyond:
    on a flank the three rise. On a wall's crest the third is lower, and behind it (in
    the marrow) the second is: most views decide.
    """
    shape = inside.shape
    flat, values = inside.reshape(-1), image.reshape(-1)
    place = np.unravel_index(index, shape)
    here = values[index]
    votes = np.zeros(len(index), dtype=np.int8)
    for axis, step in enumerate(strides_of(shape)):
        room = (place[axis] > 0) & (place[axis] < shape[axis] - 1)
        for way in (step, -step):
            from_, beyond = np.where(room, index - way, index), np.where(room, index + way, index)
            rises = (values[from_] < here) & (values[beyond] >= here)
            # Seen from both sides at once (a spike, a plate's rim) tells nothing.
            view = room & ~flat[from_] & flat[beyond]
            votes += np.where(view, np.where(rises, 1, -1), 0).astype(np.int8)
    return votes > 0


def strides_of(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Steps in the flat index along (k, j, i)."""
    return shape[1] * shape[2], shape[2], 1


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Straight walks along a field's gradient from some voxels of a block.

    Parameters
    ----------
    place : three ndarrays of float32
        Start of each walk, voxel coordinates along (k, j, i).
    step : three ndarrays of float32
        One millimetre towards the inside, in voxels along each axis.
    shape : tuple of int
        Of the block.
    """

    place: tuple[Floats, Floats, Floats]
    step: tuple[Floats, Floats, Floats]
    shape: tuple[int, ...]

    def values(self, image: Array, distance_mm: float) -> Array:
        """The image at the voxel nearest to `distance_mm` inwards (negative: outwards).

        A walk that would leave the block stops at its face.
        """
        flat = np.zeros(len(self.place[0]), dtype=np.int64)
        for start, step, size in zip(self.place, self.step, self.shape, strict=True):
            at = np.rint(start + np.float32(distance_mm) * step)
            np.clip(at, 0, size - 1, out=at)
            flat *= size
            flat += at.astype(np.int64)
        return image.reshape(-1)[flat]

    def blur_mm(self, spacing_kji_mm: tuple[float, float, float]) -> Floats:
        """Standard deviation of a voxel's own averaging along each walk (a box: h/√12)."""
        # A step is n/h voxels, n a unit vector: (h·step)² weighs the axes by direction.
        variance = sum(
            (s * np.float32(h)) ** 2 * np.float32(h * h / 12)
            for s, h in zip(self.step, spacing_kji_mm, strict=True)
        )
        return np.asarray(np.sqrt(variance), dtype=np.float32)


def inward_walks(values: Array, index: Ints, spacing_kji_mm: tuple[float, float, float]) -> Walk:
    """Walks from voxels along the field's gradient, by central differences."""
    shape = values.shape
    flat = values.reshape(-1)
    place = np.unravel_index(index, shape)
    steps = strides_of(shape)
    slopes = []
    for at, step, size, mm in zip(place, steps, shape, spacing_kji_mm, strict=True):
        ahead = flat[np.where(at < size - 1, index + step, index)].astype(np.float32)
        ahead -= flat[np.where(at > 0, index - step, index)]
        slopes.append(ahead / np.float32(mm))
    length = np.sqrt(sum(s * s for s in slopes))
    length = np.maximum(length, np.float32(1e-6))
    k, j, i = (
        (s / length / np.float32(mm)).astype(np.float32)
        for s, mm in zip(slopes, spacing_kji_mm, strict=True)
    )
    x, y, z = (p.astype(np.float32) for p in place)
    return Walk((x, y, z), (k, j, i), shape)
