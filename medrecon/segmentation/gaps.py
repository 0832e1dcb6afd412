"""Narrow gaps between two surfaces: their floor is a valley of the image, bright as it may be.

Seen through a blur as wide as itself, a gap's floor is brighter than half of what is on
both sides: a level alone would join them from voxel to voxel. But it still is a valley.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label as connected
from scipy.ndimage import map_coordinates

from medrecon.core.geometry import Triple
from medrecon.segmentation.sheets import sheet_normals

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

# Half the length of the profile: the far rim of a gap as wide as a clinical blur.
REACH_MM = 2.5
STEPS = 21
# Share of an interpolated sample that must be of the structure.
OWN = 0.7


def floors_of_gaps(
    image: Floats, inside: Mask, places: Places, least: Floats, spacing_mm: Triple
) -> Mask:
    """Which of some voxels lie on the floor of a gap that is open to the outside.

    Parameters
    ----------
    image : ndarray of float32, shape (i, j, k)
        Brighter inside than outside.
    inside : ndarray of bool, shape (i, j, k)
    places : ndarray of int, shape (n, 3)
        Voxels near the surface.
    least : ndarray of float32, shape (n,)
        By how much both rims must rise above the floor, more than noise does.
    spacing_mm : tuple of float

    Returns
    -------
    ndarray of bool, shape (n,)
        An enclosed valley, as marrow between two cortices, is none.
    """
    floor = _is_valley(image, inside, places, least, spacing_mm)
    if not floor.any():
        return floor
    index = tuple(places[floor].T)
    open_ = ~inside
    open_[index] = True
    parts, _ = connected(open_)
    outer = np.unique(parts[~inside])
    floor[floor] = np.isin(parts[index], outer)
    return floor


def _is_valley(
    image: Floats, inside: Mask, places: Places, least: Floats, spacing_mm: Triple
) -> Mask:
    """Whether the image is lowest at a voxel, along its normal, and rises to the inside twice."""
    if not len(places):
        return np.zeros(0, np.bool_)
    spacing = np.asarray(spacing_mm)
    normal = sheet_normals(image, places, spacing_mm)
    steps = np.linspace(-REACH_MM, REACH_MM, STEPS)
    along = places[:, None, :] + steps[None, :, None] * (normal / spacing)[:, None, :]
    along = np.moveaxis(along, -1, 0)
    profile = map_coordinates(image, along, order=1, mode="nearest")
    # As far as a voxel reaches along the normal: a plane without all that it meets is
    # crossed by no two neighbours, not even over a corner.
    half = np.abs(normal * spacing).sum(axis=1) / 2
    near = np.abs(steps)[None, :] <= half[:, None]
    bottom = np.where(near, profile, np.inf).argmin(axis=1)[:, None]
    # What lies beyond the gap must be of the same structure, not its bright neighbour, nor
    # a sample that mostly comes from that.
    own = map_coordinates(inside.astype(np.float32), along, order=1, mode="nearest") > OWN
    number = np.arange(STEPS)[None, :]
    sides = own & (number <= bottom), own & (number >= bottom)
    rims = [np.where(side, profile, -np.inf).max(axis=1) for side in sides]
    depth = np.minimum(*rims) - np.take_along_axis(profile, bottom, axis=1)[:, 0]
    found: Mask = depth > least
    return found
