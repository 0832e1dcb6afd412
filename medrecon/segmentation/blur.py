"""How much a scan is blurred: read from its own edges, or what is usual."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from medrecon.core.geometry import Triple
from medrecon.segmentation.walls import SCANNER_SIGMA_MM

Floats = npt.NDArray[np.float32]

# Voxels of edges that the blur is measured on, at least.
FEWEST_EDGES = 200
# Rise to both neighbours beyond which noise says more than blur does: Φ(2.3) − ½.
STEEPEST = 0.49


def default_blur_mm(spacing_mm: Triple) -> float:
    """A clinical scanner's blur and the averaging of the voxel, where no edge tells it."""
    voxel = float(np.mean(np.square(spacing_mm))) / 12
    return math.sqrt(SCANNER_SIGMA_MM**2 + voxel)


def blur_of_edges(rise: Floats, spacing_mm: Triple) -> float | None:
    """Standard deviation in mm of the blur of flat edges, from how they rise half-way up.

    An edge with normal n, seen through a Gaussian, rises from one neighbour along axis a to
    the other, two voxels of s mm apart, by 2Φ(n·s/σ) − 1 of its contrast: each axis tells
    n/σ, and n has length 1.

    Parameters
    ----------
    rise : ndarray of float32, shape (3, n)
        Half the difference between the two neighbours along each axis, of the contrast.
    spacing_mm : tuple of float

    Returns
    -------
    float or None
        None where too few edges are seen on more than one voxel.
    """
    seen = rise[:, (np.abs(rise) < STEEPEST).all(axis=0)]
    if seen.shape[1] < FEWEST_EDGES:
        return None
    per_blur = ndtri(0.5 + seen) / np.asarray(spacing_mm)[:, None]
    return float(1 / np.sqrt(np.median((per_blur**2).sum(axis=0))))
