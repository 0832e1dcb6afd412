"""How far the surfaces of two masks lie from one another.

A mask's surface is its voxels that have one of their six neighbours outside, or lie at
the image's edge; a distance goes from such a voxel's centre to the nearest one of the
other mask, in millimetres, whatever the voxels' shape. Every surface voxel counts the
same, which is how most published figures are made.

References
----------
Nikolov S. et al., "Clinically applicable segmentation of head and neck anatomy for
radiotherapy", J. Med. Internet Res. 2021, doi:10.2196/26151 (surface Dice).
Maier-Hein L. et al., "Metrics reloaded", Nat. Methods 2024,
doi:10.1038/s41592-023-02151-z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

ROUNDING = 1e-5
"""Of a distance in mm, and its share: a hundred times a float32's."""

Mask = npt.NDArray[np.bool_]
Distances = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceDistances:
    """Distances in mm from each surface voxel of one mask to the other's surface.

    Parameters
    ----------
    from_found, from_truth : ndarray of float64
        Neither is empty.
    """

    from_found: Distances
    from_truth: Distances

    def nsd(self, tolerance_mm: float) -> float:
        """Share of both surfaces that lies within the tolerance of the other (surface Dice).

        A distance that is over it by a header's rounding counts as within: a NIfTI's spacing
        is a float32.
        """
        most = tolerance_mm * (1 + ROUNDING) + ROUNDING
        near = np.count_nonzero(self.from_found <= most)
        near += np.count_nonzero(self.from_truth <= most)
        return near / (len(self.from_found) + len(self.from_truth))

    @property
    def hd95_mm(self) -> float:
        """The larger of the two directions' 95th percentiles."""
        both = (np.percentile(d, 95) for d in (self.from_found, self.from_truth))
        return float(max(both))

    @property
    def assd_mm(self) -> float:
        """Mean of all distances of both directions."""
        return float(np.concatenate((self.from_found, self.from_truth)).mean())


def surface_distances(
    found: Mask, truth: Mask, spacing_mm: Sequence[float]
) -> SurfaceDistances | None:
    """Distances between two masks' surfaces; None if one of them is empty.

    Parameters
    ----------
    found, truth : ndarray of bool, shape (i, j, k)
    spacing_mm : sequence of float
        Of the grid's axes, which are perpendicular.
    """
    boxes = ndimage.find_objects((found | truth).astype(np.uint8))
    if not boxes or not found.any() or not truth.any():
        return None
    # The image's edge counts as outside, so a crop to both masks changes nothing.
    surfaces = [_surface(np.ascontiguousarray(mask[boxes[0]])) for mask in (found, truth)]
    to = [ndimage.distance_transform_edt(~surface, spacing_mm) for surface in surfaces]
    return SurfaceDistances(to[1][surfaces[0]], to[0][surfaces[1]])


def _surface(mask: Mask) -> Mask:
    padded = np.pad(mask, 1)
    inner = ndimage.binary_erosion(padded)[1:-1, 1:-1, 1:-1]
    surface: Mask = mask & ~inner
    return surface
