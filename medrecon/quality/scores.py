"""How good a segmentation is: figures for each structure of each case, and together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry
from medrecon.quality.overlap import Mask, dice, volume_ml
from medrecon.quality.surface_distances import surface_distances

RESAMPLES = 2000
CONFIDENCE = 0.95
METRICS = ("dice", "nsd", "hd95_mm", "assd_mm", "volume_error_ml", "volume_error_percent")


class Presence(Enum):
    """Where a structure is."""

    BOTH = "both"
    MISSED = "missed"
    """In the reference alone."""
    INVENTED = "invented"
    """In the prediction alone."""
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Score:
    """One structure of one case.

    Parameters
    ----------
    case, label : str
    presence : Presence
    dice, nsd : float or None
        0 where the structure is missed or invented; None where neither has it: two
        empty masks agree, but that says nothing of how well a structure is found.
    hd95_mm, assd_mm : float or None
        None unless both have it: there is no distance to nothing.
    volume_ml, reference_ml : float
    """

    case: str
    label: str
    presence: Presence
    dice: float | None
    nsd: float | None
    hd95_mm: float | None
    assd_mm: float | None
    volume_ml: float
    reference_ml: float

    @property
    def volume_error_ml(self) -> float:
        """Predicted volume less the reference's."""
        return self.volume_ml - self.reference_ml

    @property
    def volume_error_percent(self) -> float | None:
        """The same as a share of the reference's; None where that has none."""
        return 100 * self.volume_error_ml / self.reference_ml if self.reference_ml else None


def score(
    found: Mask, truth: Mask, geometry: Geometry, tolerance_mm: float, *, name: tuple[str, str]
) -> Score:
    """Figures of one structure.

    Parameters
    ----------
    found, truth : ndarray of bool, shape (i, j, k)
    geometry : Geometry
        Of both.
    tolerance_mm : float
        Of the surface Dice.
    name : (str, str)
        Case and label.
    """
    presence = {
        (True, True): Presence.BOTH,
        (False, True): Presence.MISSED,
        (True, False): Presence.INVENTED,
        (False, False): Presence.NEITHER,
    }[bool(found.any()), bool(truth.any())]
    distances = surface_distances(found, truth, geometry.spacing_mm)
    nothing = None if presence is Presence.NEITHER else 0.0
    return Score(
        *name,
        presence,
        dice(found, truth),
        nothing if distances is None else distances.nsd(tolerance_mm),
        None if distances is None else distances.hd95_mm,
        None if distances is None else distances.assd_mm,
        volume_ml(found, geometry.voxel_volume_mm3),
        volume_ml(truth, geometry.voxel_volume_mm3),
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """A figure of one structure over all cases.

    Parameters
    ----------
    count : int
        Cases that have the figure.
    mean, median, low, high : float
        `low` and `high` bound the mean with 95 % confidence (percentile bootstrap over
        cases); equal to it for a single case.
    """

    count: int
    mean: float
    median: float
    low: float
    high: float


def summarise(scores: Sequence[Score]) -> dict[str, dict[str, Summary]]:
    """For each label, in order of appearance, a summary of each figure that any case has."""
    labels = dict.fromkeys(s.label for s in scores)
    found: dict[str, dict[str, Summary]] = {}
    for label in labels:
        rows = [s for s in scores if s.label == label]
        columns = {m: [v for s in rows if (v := getattr(s, m)) is not None] for m in METRICS}
        found[label] = {m: summary(values) for m, values in columns.items() if values}
    return found


def counts(scores: Sequence[Score]) -> Mapping[str, dict[str, int]]:
    """For each label, in how many cases it is found, missed, invented or absent."""
    table: dict[str, dict[str, int]] = {}
    for s in scores:
        row = table.setdefault(s.label, dict.fromkeys((p.value for p in Presence), 0))
        row[s.presence.value] += 1
    return table


def summary(values: Sequence[float]) -> Summary:
    """Mean, median and the mean's 95 % bootstrap interval; the same for the same values.

    References
    ----------
    Efron B., "Bootstrap methods: another look at the jackknife", Ann. Stat. 1979,
    doi:10.1214/aos/1176344552.
    """
    x: npt.NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(0)
    means = x[rng.integers(0, len(x), (RESAMPLES, len(x)))].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Summary(len(x), float(x.mean()), float(np.median(x)), float(low), float(high))
