"""From the slices' positions to a grid, a stack, or a refusal.

Everything follows from Image Position and Image Orientation (Patient) (PS3.3
C.7.6.2.1.1). Slice Thickness, Spacing Between Slices, Slice Location, Gantry Tilt
and instance numbers are not used to place a slice: the standard calls them nominal,
and scanners leave them wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from medrecon.core.geometry import Geometry, Triple
from medrecon.dicom.consensus import common_plane
from medrecon.dicom.slices import Slice
from medrecon.errors import GeometryError, MedreconError

Vectors = npt.NDArray[np.float64]

# A slice may lie this part of a voxel off the fitted grid before the stack counts as
# irregular: landmarks then stay within 0.05 voxel with room for rounding.
GRID_TOLERANCE = 0.02
# Positions closer than this are one position. Decimal strings hold 0.001 mm.
SAME_POSITION_MM = 1e-3
# A step over this many times what is expected misses a slice. 1.5 itself does not
# (2 → 3 mm is a change of protocol); the excess absorbs rounding of decimal strings.
GAP_FACTOR = 1.5 * (1 + 1e-3)
# Largest difference of a direction cosine or (in mm) of a pixel spacing inside one volume:
# 5e-4 rad moves the corner of a 500 mm field by 0.13 mm.
SAME_PLANE = 5e-4
# Angle between the slices' normal and their way. Gantries lean by 30°; beyond this the
# orientation belongs to another plane than the positions.
STEEPEST_DEGREES = 45.0
# Part of a slice's width by which it may lie aside of the one before, beyond what the
# tilt explains: patients and tables are recentred by less, two knees lie farther apart.
ASIDE = 0.25
# Pixels by which a slice leaves the way of those before: more than rounding to 0.1 mm does.
MOVED_PIXELS = 0.5
# A block that was scanned with the table elsewhere has at least so many slices.
SMALLEST_BLOCK = 3


class Kind(Enum):
    """What the slices make."""

    REGULAR = "regular"
    TILTED = "tilted"
    IRREGULAR = "irregular"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the positions of a series say. Millimetres along the slices' normal.

    Parameters
    ----------
    kind : Kind
    slices : int
        Distinct positions.
    step_mm, smallest_step_mm, largest_step_mm : float
        Median, smallest and largest step; 0 for a single slice.
    tilt_degrees : float
        Angle between the normal and the way from slice to slice.
    gaps_mm : tuple of (low, high)
        Where slices are missing, from the first slice.
    duplicates : int
        Slices at a position that another one holds.
    refusal : MedreconError or None
        Why the series is no volume.
    """

    kind: Kind
    slices: int = 0
    step_mm: float = 0.0
    smallest_step_mm: float = 0.0
    largest_step_mm: float = 0.0
    tilt_degrees: float = 0.0
    gaps_mm: tuple[tuple[float, float], ...] = ()
    duplicates: int = 0
    refusal: MedreconError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Slices in order along the normal.

    Parameters
    ----------
    slices : tuple of Slice
        One per position, by increasing projection on row × column.
    twins : tuple of (int, Slice)
        Further slices at the position of `slices[int]`.
    positions_mm : ndarray of float64, shape (n, 3)
        LPS centre of each slice's first pixel.
    row, column : tuple of float
        Unit vectors of the i and j axes.
    spacing_mm : tuple of float
        Along i and along j.
    """

    slices: tuple[Slice, ...]
    twins: tuple[tuple[int, Slice], ...]
    positions_mm: Vectors
    row: Triple
    column: Triple
    spacing_mm: tuple[float, float]
    finding: Finding

    @property
    def shape(self) -> tuple[int, int, int]:
        """(i, j, k) of the volume."""
        rows, columns = self.slices[0].shape
        return columns, rows, len(self.slices)

    @property
    def normal(self) -> Vectors:
        """Unit vector along which the slices are ordered."""
        return np.cross(self.row, self.column)

    def grid(self) -> Geometry:
        """The stored voxels' grid, sheared if the stack is tilted.

        Raises
        ------
        GeometryError
            If the steps are irregular or a slice is alone: no affine describes that.
        """
        n = len(self.slices)
        if self.finding.kind is Kind.IRREGULAR or n < 2:
            raise GeometryError(
                f"{n} slices with steps of {self.finding.smallest_step_mm:.3f} to "
                f"{self.finding.largest_step_mm:.3f} mm have no native grid; use an isotropic one"
            )
        step = (self.positions_mm[-1] - self.positions_mm[0]) / (n - 1)
        affine = np.eye(4)
        affine[:3, 0] = np.asarray(self.row) * self.spacing_mm[0]
        affine[:3, 1] = np.asarray(self.column) * self.spacing_mm[1]
        affine[:3, 2] = step
        affine[:3, 3] = self.positions_mm[0]
        return Geometry.from_affine(affine, self.shape)


def lay_out(slices: Sequence[Slice]) -> Layout:
    """Slices of one orientation, matrix and spacing, in order, with what was found.

    Raises
    ------
    MissingSpacingError
        If no pixel spacing is stated.
    MixedOrientationError
        If the slices are turned against each other.
    GeometryError
        If position or orientation is missing, the vectors are impossible, or the slices
        do not lie above each other.
    """
    first = slices[0].placement
    missing = sum(s.placement.position_mm is None for s in slices)
    if missing or first.orientation is None:
        what = "position" if missing else "orientation"
        raise GeometryError(
            f"{missing or len(slices)} of {len(slices)} slices state no {what} in the patient; "
            "medrecon never invents one"
        )
    row, column, spacing = common_plane(slices)
    positions = np.array([s.placement.position_mm for s in slices], dtype=np.float64)
    heights = positions @ np.cross(row, column)
    order = sorted(range(len(slices)), key=lambda n: (heights[n], slices[n].identity.instance))
    kept, twins = _distinct(order, heights)
    ordered = tuple(slices[n] for n in kept)
    finding = _finding(ordered, positions[kept], heights[kept], (row, column), spacing)
    if len(kept) > 2:
        _refuse_asides(positions[kept], (row, column), spacing, ordered[0].shape)
    if finding.tilt_degrees > STEEPEST_DEGREES:
        raise GeometryError(
            f"the slices go up {finding.tilt_degrees:.0f}° off their normal; no gantry leans so "
            "far: their orientation or their positions are wrong"
        )
    return Layout(
        ordered,
        tuple((at, slices[n]) for at, n in twins),
        positions[kept],
        _triple(row),
        _triple(column),
        spacing,
        replace(finding, duplicates=len(twins)),
    )


def _refuse_asides(
    positions: Vectors,
    axes: tuple[Vectors, Vectors],
    spacing: tuple[float, float],
    shape: tuple[int, int],
) -> None:
    """Slices that lie beside the way of the others: another stack, or a position misread.

    A patient or table that was recentred moves a whole block. A slice or two that move
    and come back were never scanned there.

    Raises
    ------
    GeometryError
    """
    steps = np.diff(positions, axis=0)
    heights = steps @ np.cross(*axes)
    rates = steps @ np.stack(axes, axis=1) / heights[:, None]
    aside = np.abs(rates - np.median(rates, axis=0)) * heights[:, None]
    rows, columns = shape
    if (aside > ASIDE * np.array([columns * spacing[0], rows * spacing[1]])).any():
        raise GeometryError(
            "slices of one series lie beside each other, not above: two stacks are mixed; export "
            "them as series of their own"
        )
    moved = np.flatnonzero((aside > MOVED_PIXELS * np.asarray(spacing)).any(axis=1))
    blocks = np.diff([-1, *moved, len(steps)])
    if len(moved) and blocks.min() < SMALLEST_BLOCK:
        raise GeometryError(
            f"{blocks.min()} slice(s) lie aside of the others by more than half a pixel: positions "
            "are damaged; export the series again"
        )


def _distinct(order: list[int], heights: Vectors) -> tuple[list[int], list[tuple[int, int]]]:
    """First slice of each height, and the others as (place of the first, slice)."""
    kept: list[int] = []
    twins: list[tuple[int, int]] = []
    for n in order:
        if kept and heights[n] - heights[kept[-1]] < SAME_POSITION_MM:
            twins.append((len(kept) - 1, n))
        else:
            kept.append(n)
    return kept, twins


def _finding(
    slices: tuple[Slice, ...],
    positions: Vectors,
    heights: Vectors,
    axes: tuple[Vectors, Vectors],
    spacing: tuple[float, float],
) -> Finding:
    n = len(slices)
    if n < 2:
        return Finding(Kind.REGULAR, slices=n)
    steps = np.diff(heights)
    median = lower_median(steps)
    way = positions[-1] - positions[0]
    ideal = positions[0] + np.linspace(0, 1, n)[:, None] * way
    off = positions - ideal
    normal = np.cross(*axes)
    irregular = (
        np.abs(off @ normal).max() > GRID_TOLERANCE * median
        or np.abs(off @ axes[0]).max() > GRID_TOLERANCE * spacing[0]
        or np.abs(off @ axes[1]).max() > GRID_TOLERANCE * spacing[1]
    )
    drift = way - (way @ normal) * normal
    tilted = (
        abs(drift @ axes[0]) > GRID_TOLERANCE * spacing[0]
        or abs(drift @ axes[1]) > GRID_TOLERANCE * spacing[1]
    )
    kind = Kind.IRREGULAR if irregular else Kind.TILTED if tilted else Kind.REGULAR
    angle = float(np.degrees(np.arctan2(np.linalg.norm(drift), abs(way @ normal))))
    return Finding(
        kind,
        n,
        float(median),
        float(steps.min()),
        float(steps.max()),
        angle if tilted else 0.0,
        tuple(_gaps(slices, heights, median)),
    )


def _gaps(slices: tuple[Slice, ...], heights: Vectors, median: float) -> list[tuple[float, float]]:
    """Steps that neither the median nor the slices' own thickness explains.

    Thickness explains a wider step only if it grew with it: an overlapping series of
    5 mm slices every 2.5 mm that misses one still has a gap.
    """
    steps = np.diff(heights)
    expected = np.full(len(steps), median)
    thickness = [s.placement.thickness_mm for s in slices]
    if all(t is not None for t in thickness):
        own = np.array([(a + b) / 2 for a, b in pairwise(t or 0.0 for t in thickness)])
        expected = np.maximum(expected, own * lower_median(steps / own))
    found = np.flatnonzero(steps > GAP_FACTOR * expected)
    return [(float(heights[k] - heights[0]), float(heights[k + 1] - heights[0])) for k in found]


def lower_median(values: npt.ArrayLike) -> float:
    """Median; of an even count the smaller of the middle two.

    With one slice missing of four, the steps are 1 and 2: their mean would hide it.
    """
    ordered = np.sort(np.asarray(values, float))
    return float(ordered[(len(ordered) - 1) // 2])


def _triple(v: Vectors) -> Triple:
    return float(v[0]), float(v[1]), float(v[2])
