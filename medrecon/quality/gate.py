"""What may be said of a mesh: the verdict and its words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medrecon.quality.budget import ErrorBudget

P95_LIMIT_MM = 0.5
"""Two-sided 95th percentile of the processing error that a pass may have: half of what
point-of-care studies accept in total (1 mm; review 10.1186/s41205-024-00210-5)."""

ACCEPT_MM = 1.0
"""Largest error accepted in point-of-care printing studies (same review)."""

SEGMENTATION_ERROR = "unknown for this patient"


class Verdict(Enum):
    """May the mesh be printed, as far as processing can tell."""

    PASS = "pass"
    NOT_FOR_PRINT = "not for print"


@dataclass(frozen=True, slots=True)
class Gate:
    """A verdict with its reasons, in words that can be printed as they are.

    Parameters
    ----------
    verdict : Verdict
    statement : str
        Speaks of faithfulness to the segmentation, never of accuracy: how well the
        segmentation follows the patient is not known.
    reasons : tuple of str
        Why not, with numbers; empty if passed.
    segmentation_error : str
    """

    verdict: Verdict
    statement: str
    reasons: tuple[str, ...] = ()
    segmentation_error: str = SEGMENTATION_ERROR

    @property
    def passed(self) -> bool:
        """Whether the verdict is a pass."""
        return self.verdict is Verdict.PASS


def verdict(
    budget: ErrorBudget,
    *,
    is_solid: bool,
    accept_mm: float = ACCEPT_MM,
    acquisition_mm: float | None = None,
    concerns: tuple[str, ...] = (),
    crossing_pairs: int | None = None,
    voxel_mm: float = 0.0,
) -> Gate:
    """Whether a mesh passes, and why not.

    Parameters
    ----------
    budget : ErrorBudget
        Measured on the file as read back.
    is_solid : bool
        Closed, two-manifold, consistent and outward.
    accept_mm : float
        Largest processing error that passes, and largest acquisition limit.
    acquisition_mm : float or None
        Estimated limit of the scan (`acquisition_limit_mm`); None if unknown.
    concerns : tuple of str
        Other reasons against, such as a filled gap.
    crossing_pairs : int or None
        Pairs of faces that go through one another; None if that was not measured.
    voxel_mm : float
        Largest spacing of the segmentation: by so much its surface may move when it is drawn
        on finer voxels, between which no sample says more.
    """
    reasons = []
    if not is_solid:
        reasons.append("the surface is not a closed, two-manifold, outward solid")
    if crossing_pairs:
        reasons.append(f"{crossing_pairs} pairs of its faces go through one another")
    if budget.p95_mm > P95_LIMIT_MM:
        reasons.append(
            f"95 % of the surface is within {_upwards(budget.p95_mm)} mm of the segmentation, "
            f"{P95_LIMIT_MM:g} mm needed"
        )
    if budget.max_mm > accept_mm:
        reasons.append(
            f"it leaves the segmentation by up to {_upwards(budget.max_mm)} mm, "
            f"{accept_mm:g} mm accepted"
        )
    finer = budget.finer_voxels
    if finer is not None and finer.max_mm > max(accept_mm, voxel_mm):
        reasons.append(
            f"finer voxels moved the segmentation's own surface by up to "
            f"{_upwards(finer.max_mm)} mm, more than a voxel"
        )
    if acquisition_mm is not None and acquisition_mm > accept_mm:
        reasons.append(
            f"the scan itself can place an edge to about {_upwards(acquisition_mm)} mm, "
            f"{accept_mm:g} mm accepted"
        )
    reasons.extend(concerns)
    return Gate(
        verdict=Verdict.NOT_FOR_PRINT if reasons else Verdict.PASS,
        statement=f"faithful to the segmentation within {_upwards(budget.max_mm)} mm",
        reasons=tuple(reasons),
    )


def acquisition_limit_mm(
    spacing_mm: tuple[float, float, float], slice_thickness_mm: float | None = None
) -> float:
    """Estimate of how well a scan can place an edge, in mm: an estimate, no measurement.

    Half the largest of voxel spacing and slice thickness: an edge between two samples
    lies no further from the nearer one.
    """
    return max(*spacing_mm, slice_thickness_mm or 0.0) / 2


def _upwards(value_mm: float) -> str:
    """Two decimals, never less than the value: what is claimed must hold."""
    return f"{-(-value_mm * 100 // 1) / 100:.2f}"
