"""An image's values as the network was trained to see them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.errors import ModelError

FloatField = npt.NDArray[np.float32]

# Of a histogram: in a CT of 2,800 HU each 3 HU wide.
BINS = 1024


class IntensityKind(Enum):
    """How the image's values become the network's."""

    WINDOW = "window"
    """low..high to the output range."""
    FIXED_ZSCORE = "fixed z-score"
    """Clipped to low..high, then minus a given mean, over a given deviation."""
    ZSCORE = "z-score"
    """Minus the image's own mean, over its own standard deviation."""
    MINMAX = "min-max"
    """The image's own smallest and largest value to the output range."""
    PERCENTILE = "percentile"
    """The image's own low and high percentile to the output range."""
    EQUALISED = "equalised"
    """Percentiles to the output range, then stretched where many voxels lie (`equalised`)."""
    NONE = "none"
    """As they are."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """One step of normalisation, and the steps after it.

    Parameters
    ----------
    kind : IntensityKind
    low, high : float
        Image units for WINDOW and FIXED_ZSCORE, percent (0–100) for PERCENTILE and
        EQUALISED.
    mean, deviation : float
        For FIXED_ZSCORE.
    nonzero : bool
        Whether ZSCORE measures and changes only voxels that are not zero.
    to_low, to_high : float
        Output range of WINDOW, MINMAX, PERCENTILE and EQUALISED.
    clip : bool
        Whether values beyond the range are cut off.
    together : bool
        Whether several input channels are measured as one image.
    then : tuple of Intensity
        Further steps, in order; only on the first.
    """

    kind: IntensityKind = IntensityKind.NONE
    low: float = 0.0
    high: float = 1.0
    mean: float = 0.0
    deviation: float = 1.0
    nonzero: bool = False
    to_low: float = 0.0
    to_high: float = 1.0
    clip: bool = True
    together: bool = False
    then: tuple[Intensity, ...] = ()

    def __post_init__(self) -> None:
        if not self.high > self.low or not self.to_high > self.to_low:
            raise ModelError(
                f"an intensity range of {self.low} to {self.high}, into {self.to_low} to "
                f"{self.to_high}; low < high expected"
            )
        if not self.deviation > 0:
            raise ModelError(f"an intensity deviation of {self.deviation}; a positive one expected")
        if any(step.then for step in self.then):
            raise ModelError("steps of intensity inside steps; one list expected")

    @property
    def steps(self) -> tuple[Intensity, ...]:
        """The step itself and those after it."""
        return (self, *self.then)


def normalise(values: npt.NDArray[Any], intensity: Intensity) -> FloatField:
    """The values as float32, normalised (a new array of the same shape).

    An image of one value only becomes the output range's low end, or zeros, where its
    own spread is the measure.
    """
    x: FloatField = values.astype(np.float32)
    for step in intensity.steps:
        x = _step(x, step)
    return x


def normalise_channels(stack: FloatField, intensities: tuple[Intensity, ...]) -> FloatField:
    """Several channels (channel, i, j, k) as float32, normalised.

    Parameters
    ----------
    stack : ndarray of float32, shape (channel, i, j, k)
    intensities : tuple of Intensity
        One for each channel, or one for all.
    """
    if len(intensities) > 1:
        pairs = zip(stack, intensities, strict=True)
        return np.stack([normalise(image, intensity) for image, intensity in pairs])
    x: FloatField = stack.astype(np.float32)
    for step in intensities[0].steps:
        x = _step(x, step) if step.together else np.stack([_step(image, step) for image in x])
    return x


def _step(x: FloatField, step: Intensity) -> FloatField:
    match step.kind:
        case IntensityKind.NONE:
            return x
        case IntensityKind.WINDOW:
            return _to_range(x, step.low, step.high, step)
        case IntensityKind.FIXED_ZSCORE:
            if step.clip:
                x = np.clip(x, np.float32(step.low), np.float32(step.high))
            return (x - np.float32(step.mean)) / np.float32(step.deviation)
        case IntensityKind.ZSCORE:
            return _zscore(x, step.nonzero)
        case IntensityKind.MINMAX:
            return _to_range(x, float(x.min()), float(x.max()), step)
        case IntensityKind.PERCENTILE:
            low, high = np.percentile(x, (step.low, step.high))
            return _to_range(x, float(low), float(high), step)
        case IntensityKind.EQUALISED:
            low, high = np.percentile(x, (step.low, step.high))
            return _to_range(equalised(x, float(low), float(high)), 0.0, 1.0, step)


def equalised(x: FloatField, low: float, high: float) -> FloatField:
    """Values of low..high mapped to 0..1, rising fastest where the histogram is high.

    The map's slope is proportional to the square root of the histogram: the 30 HU between
    a ventricle and the brain around it, a hundredth of a CT's range, become about a
    tenth, and neither air nor a large organ takes all of the range as it does where
    histograms are made flat. Order is kept; a gamma or a window on the image is undone.

    Parameters
    ----------
    x : ndarray of float32
    low, high : float
        What lies beyond becomes 0 and 1.

    Returns
    -------
    ndarray of float32, same shape
        Zeros where `high` is not above `low`.
    """
    if not high > low:
        return np.zeros_like(x)
    counts, _ = np.histogram(x, BINS, (low, high))
    slope = np.sqrt(counts)
    rise = np.concatenate([[0.0], np.cumsum(slope)])
    place = (x - np.float32(low)) * np.float32(BINS / (high - low))
    np.clip(place, 0, BINS, out=place)
    whole = np.minimum(place.astype(np.int32), BINS - 1)
    start, step = (v.astype(np.float32) for v in (rise[:-1] / rise[-1], slope / rise[-1]))
    found: FloatField = start[whole] + step[whole] * (place - whole.astype(np.float32))
    return found


def _to_range(x: FloatField, low: float, high: float, step: Intensity) -> FloatField:
    if not high > low:
        return np.full_like(x, step.to_low)
    unit: FloatField = (x - np.float32(low)) / np.float32(high - low)
    if (step.to_low, step.to_high) != (0.0, 1.0):
        unit = unit * np.float32(step.to_high - step.to_low) + np.float32(step.to_low)
    return np.clip(unit, np.float32(step.to_low), np.float32(step.to_high)) if step.clip else unit


def _zscore(x: FloatField, nonzero: bool) -> FloatField:
    chosen = x[x != 0] if nonzero else x
    if not chosen.size:
        return x
    # float64: the sum of 10⁸ float32 values loses the third digit.
    mean, deviation = chosen.mean(dtype=np.float64), chosen.std(dtype=np.float64)
    scaled = (x - np.float32(mean)) / np.float32(deviation if deviation > 0 else 1.0)
    if not nonzero:
        return scaled
    return np.where(x != 0, scaled, np.float32(0))
