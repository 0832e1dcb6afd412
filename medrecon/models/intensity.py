"""An image's values as the network was trained to see them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.models.manifest import Intensity, IntensityKind


def normalise(values: npt.NDArray[Any], intensity: Intensity) -> npt.NDArray[np.float32]:
    """The values as float32, normalised (a new array of the same shape).

    An image of one value only becomes zeros where its own spread is the measure.
    """
    x = values.astype(np.float32)
    match intensity.kind:
        case IntensityKind.NONE:
            return x
        case IntensityKind.WINDOW:
            return _to_unit_range(x, intensity.low, intensity.high)
        case IntensityKind.FIXED_ZSCORE:
            x = np.clip(x, np.float32(intensity.low), np.float32(intensity.high))
            return (x - np.float32(intensity.mean)) / np.float32(intensity.deviation)
        case IntensityKind.ZSCORE:
            return _zscore(x, intensity.nonzero)
        case IntensityKind.PERCENTILE:
            low, high = np.percentile(x, (intensity.low, intensity.high))
            return _to_unit_range(x, float(low), float(high))


def _to_unit_range(x: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.float32]:
    if not high > low:
        return np.zeros_like(x)
    unit: npt.NDArray[np.float32] = (x - np.float32(low)) / np.float32(high - low)
    return np.clip(unit, np.float32(0), np.float32(1))


def _zscore(x: npt.NDArray[np.float32], nonzero: bool) -> npt.NDArray[np.float32]:
    chosen = x[x != 0] if nonzero else x
    if not chosen.size:
        return x
    # float64: the sum of 10⁸ float32 values loses the third digit.
    mean, deviation = chosen.mean(dtype=np.float64), chosen.std(dtype=np.float64)
    scaled = (x - np.float32(mean)) / np.float32(deviation if deviation > 0 else 1.0)
    if not nonzero:
        return scaled
    return np.where(x != 0, scaled, np.float32(0))
