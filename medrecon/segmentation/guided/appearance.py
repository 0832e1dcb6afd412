"""How much likelier a value is inside than outside, from the values near a first surface."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

Floats = npt.NDArray[np.float32]

BINS = 64
MOST = 3.0
"""Most that one value may say, as a logarithm of the odds."""
DOUBT = 2e-4
OUTSIDE_STEPS = 6.0


def likelihood_ratio(image: Floats, height_mm: Floats, noise: float, margin_mm: float) -> Floats:
    """Logarithm of the odds of inside, voxel by voxel, between −3 and 3.

    Parameters
    ----------
    image : ndarray of float32
    height_mm : ndarray of float32
        How far inside a voxel is presumed to lie.
    noise : float
        Histograms are smoothed by it.
    margin_mm : float
        What lies nearer to the surface is left out; outside counts up to six margins.
    """
    near = image[height_mm > -OUTSIDE_STEPS * 1.2 * margin_mm]
    low, high = (float(q) for q in np.quantile(near, (0.005, 0.995)))
    width = max((high - low) / BINS, 1e-9)
    bins = np.clip(((image - low) / width).astype(np.int64), 0, BINS - 1)
    inside = height_mm > margin_mm
    outside = (height_mm < -margin_mm) & (height_mm > -OUTSIDE_STEPS * margin_mm)
    blur = max(1.0, noise / width)
    odds = np.log(_shares(bins[inside], blur) / _shares(bins[outside], blur))
    return np.clip(odds, -MOST, MOST).astype(np.float32)[bins]


def _shares(bins: npt.NDArray[np.int64], blur: float) -> npt.NDArray[np.float64]:
    counts = gaussian_filter1d(np.bincount(bins, minlength=BINS).astype(float), blur)
    total = counts.sum()
    shares = counts / total if total else np.full(BINS, 1 / BINS)
    return np.asarray(shares + DOUBT)
