"""Colours for values in mm and the range that they span, the same in viewer and report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Stops = tuple[tuple[float, float, float], ...]

# Blue is inside, white is on, red is outside; and white to dark violet. Both are told
# apart by people with any of the common colour blindnesses.
DIVERGING: Stops = ((0.13, 0.40, 0.67), (0.97, 0.97, 0.97), (0.70, 0.09, 0.17))
RISING: Stops = ((0.99, 0.97, 0.88), (0.86, 0.45, 0.40), (0.25, 0.05, 0.35))
_SHOWN = 99.0
# Where everything is zero the scale still has ends, and labels of two decimals tell them apart.
_SMALLEST_MM = 0.1


def stops_of(kind: str) -> Stops:
    """SRGB at the low end, in the middle and at the high end of a kind of values."""
    return DIVERGING if kind == "deviation" else RISING


def range_mm(kind: str, values: Sequence[npt.NDArray[np.float32]]) -> tuple[float, float]:
    """Ends that hold 99 % of the values: about zero for a deviation, from zero otherwise."""
    joined = np.concatenate([np.abs(v).ravel() for v in values])
    highest = _rounded_up(float(np.percentile(joined, _SHOWN)) if len(joined) else 1.0)
    return (-highest if kind == "deviation" else 0.0), highest


def _rounded_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    value = max(value, _SMALLEST_MM)
    step = 10.0 ** np.floor(np.log10(value))
    return float(next(m * step for m in (1, 2, 5, 10) if m * step >= value * (1 - 1e-9)))
