"""The grid a network sees: the image's own axes, turned and sampled as the model expects."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry
from medrecon.models.manifest import Anchor, Sampling

# Letter to (LPS axis, sign): the direction an array axis runs *to*.
LETTERS = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}


def network_grid(geometry: Geometry, sampling: Sampling) -> Geometry:
    """The model's grid over an image's grid.

    Axes are permuted and turned to the nearest of the model's directions: an oblique
    image stays oblique, a sheared one sheared, so both grids are related by one scale
    and one shift along each axis. The new voxels cover the old ones' *edges*, centred
    on the image, so no old centre lies more than half a new voxel outside the new
    centres. With the image's own spacing, centres coincide. Fastened to the first voxel
    (`Anchor.FIRST_VOXEL`), old centres may lie up to one new voxel beyond the last.
    From edge to edge (`Anchor.EDGES`), the number of voxels is rounded and the spacing
    gives way.
    """
    order, signs = oriented_axes(geometry, sampling.orientation)
    spacing = np.asarray(geometry.spacing_mm)[list(order)]
    count = np.asarray(geometry.shape)[list(order)]
    columns = np.asarray(geometry.direction)[:, list(order)] * signs
    new_spacing = spacing if sampling.spacing_mm is None else np.asarray(sampling.spacing_mm)
    ratio = spacing / new_spacing
    if sampling.anchor is Anchor.EDGES:
        # Halves go to the even number, as nnU-Net rounds.
        fitting = [
            max(1, round(float(s / t * n)))
            for s, t, n in zip(spacing, new_spacing, count, strict=True)
        ]
        new_spacing = spacing * count / fitting
    affine = np.eye(4)
    affine[:3, :3] = columns * new_spacing
    middle = geometry.mm_from_index([(np.asarray(geometry.shape) - 1) / 2])[0]
    if sampling.anchor is Anchor.FIRST_VOXEL:
        # Halves go to the even number, after the one is added: as MONAI rounds.
        shape = [round(float(x)) for x in (count - 1) * ratio + 1]
        affine[:3, 3] = middle - (columns * spacing) @ ((count - 1) / 2)
    elif sampling.anchor is Anchor.EDGES:
        shape = fitting
        affine[:3, :3] = columns * new_spacing
        affine[:3, 3] = middle - affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    else:
        # 1e-4 of a voxel: spacings are decimals, an extent that fits must not open a voxel.
        shape = [max(1, math.ceil(x - 1e-4)) for x in count * ratio]
        affine[:3, 3] = middle - affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return Geometry.from_affine(affine, shape)


def oriented_axes(
    geometry: Geometry, orientation: str
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Which array axis, and which way along it, lies nearest to each letter's direction.

    The letters i, j and k name the image's own axes.

    Returns
    -------
    order : three ints
        Array axis of the image for each axis of the model.
    signs : three ints
        −1 where the model's axis runs against the image's.
    """
    if orientation[0] in "ijk":
        i, j, k = ("ijk".index(axis) for axis in orientation)
        return (i, j, k), (1, 1, 1)
    direction = np.asarray(geometry.direction)
    rows = [LETTERS[letter][0] for letter in orientation]
    # The best of all six assignments: a greedy choice can pick one axis twice at 45°.
    order = max(permutations(range(3)), key=lambda p: sum(abs(direction[rows, p])))
    signs = [
        1 if direction[LETTERS[letter][0], axis] * LETTERS[letter][1] >= 0 else -1
        for letter, axis in zip(orientation, order, strict=True)
    ]
    return (order[0], order[1], order[2]), (signs[0], signs[1], signs[2])


def oriented(array: npt.NDArray[Any], geometry: Geometry, orientation: str) -> npt.NDArray[Any]:
    """The image's array along the model's axes; a view."""
    order, signs = oriented_axes(geometry, orientation)
    i, j, k = (slice(None, None, sign) for sign in signs)
    return array.transpose(order)[i, j, k]


def oriented_geometry(geometry: Geometry, orientation: str) -> Geometry:
    """The geometry of the image along the model's axes, voxels and spacing kept."""
    return network_grid(geometry, Sampling(None, orientation, (1, 1, 1)))
