"""Window and level: which values of an image are black, grey and white.

References
----------
DICOM PS3.3 C.11.2.1.2: Window Center and Window Width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core.volume import HuStatus, Modality, Volume

# Values looked at to choose the windows of an image without Hounsfield units.
_SAMPLES = 1_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of values that is shown from black to white.

    Parameters
    ----------
    name : str
    low, high : float
        Values shown black and white; Hounsfield units where they are verified.
    """

    name: str
    low: float
    high: float

    @property
    def level(self) -> float:
        """The middle of the window."""
        return (self.low + self.high) / 2

    @property
    def width(self) -> float:
        """From black to white."""
        return self.high - self.low


def centred(name: str, level: float, width: float) -> Window:
    """The window of a level and a width, as radiologists name them."""
    return Window(name, level - width / 2, level + width / 2)


CT_WINDOWS = (
    centred("soft tissue", 40, 400),
    centred("bone", 500, 2000),
    centred("lung", -600, 1500),
    centred("brain", 40, 80),
    centred("vessels", 200, 700),
)


def windows_of(volume: Volume) -> tuple[Window, ...]:
    """Windows that suit the image, the first one first.

    For a CT the usual presets; for anything else stretches between percentiles,
    because its units are the scanner's own.
    """
    acquisition = volume.acquisition
    if acquisition.modality is Modality.CT and acquisition.hu is HuStatus.VERIFIED:
        return CT_WINDOWS
    low, dark, bright, high = percentiles(volume.array, (1.0, 70.0, 99.5, 99.95))
    return (
        Window("usual", low, bright),
        Window("all values", low, max(high, bright)),
        Window("dark parts", low, max(dark, low + (bright - low) / 4)),
    )


def percentiles(array: npt.NDArray[np.generic], ranks: tuple[float, ...]) -> tuple[float, ...]:
    """Percentiles of every n-th value; always rising by at least 1e-6."""
    flat = array.ravel(order="K")
    found = np.percentile(flat[:: max(1, flat.size // _SAMPLES)].astype(np.float64), ranks)
    return tuple(float(v) + 1e-6 * n for n, v in enumerate(found))
