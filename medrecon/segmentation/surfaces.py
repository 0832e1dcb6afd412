"""The voxels on both sides of a mask's surface, and walks across it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import frozen
from medrecon.segmentation import surface_loops
from medrecon.segmentation.pooling import Array, Mask

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def surface_voxels(inside: Mask) -> Ints:
    """Flat indices, ascending, of voxels with a neighbour (of six) on the other side."""
    found: Ints = surface_loops.surface_voxels(frozen(inside, np.bool_).view(np.uint8))
    return found


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
    on_flank = np.empty(len(index), np.bool_)
    masked = frozen(inside, np.bool_)
    surface_loops.on_outer_flank(masked, image, frozen(index, np.int64), on_flank)
    return on_flank


def strides_of(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Steps in the flat index along (k, j, i)."""
    return shape[1] * shape[2], shape[2], 1


@dataclass(frozen=True, slots=True, eq=False)
class Walks:
    """What straight walks along a field's gradient meet, from some voxels of a block.

    Parameters
    ----------
    values : ndarray of float32, shape (n, d)
        The image at the voxel nearest to each of the distances that were asked for; a
        walk that would leave the block stops at its face.
    blur_mm : ndarray of float32, shape (n,)
        Standard deviation of a voxel's own averaging along each walk (a box: h/√12).
    """

    values: Floats
    blur_mm: Floats


def inward_walks(
    field: Array,
    image: Array,
    index: Ints,
    spacing_kji_mm: tuple[float, float, float],
    distances_mm: Sequence[float],
) -> Walks:
    """Walks from voxels along the field's gradient, by central differences.

    Parameters
    ----------
    field, image : ndarray, shape (k, j, i)
        Where inwards is, and what is seen.
    index : ndarray of int64, shape (n,)
        Flat indices of the voxels.
    spacing_kji_mm : tuple of float
    distances_mm : sequence of float
        Inwards from each voxel; negative: outwards.
    """
    seen = np.empty((len(distances_mm) + 1, len(index)), np.float32)
    surface_loops.look(
        frozen(field, field.dtype),
        image,
        frozen(index, np.int64),
        frozen(spacing_kji_mm, np.float32),
        frozen([h * h / 12 for h in spacing_kji_mm], np.float32),
        frozen(distances_mm, np.float32),
        seen.T,
    )
    return Walks(seen[:-1].T, seen[-1])
