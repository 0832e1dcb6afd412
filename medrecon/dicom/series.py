"""What a scan found: series that can become volumes, and what was set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from medrecon.core import Modality
from medrecon.dicom.geometry import SAME_PLANE, Finding, Kind, Layout
from medrecon.dicom.slices import Meaning, Slice
from medrecon.dicom.vocabulary import known_body_part, sharpness
from medrecon.errors import (
    GeometryError,
    MedreconError,
    MixedOrientationError,
    NoSeriesError,
    PixelDataError,
    SeriesTieError,
)

# Two series are a tie when the smaller has this part of the larger one's voxels: soft and
# sharp kernels of one scan differ by a slice or two.
NEARLY_EQUAL = 0.9
# Fewer slices are a volume only if asked for by number.
FEWEST_SLICES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Slices that make one volume, or one per time of a 4-D series.

    Parameters
    ----------
    number : int
        From 1, in the scan that found it.
    modality : Modality
    layouts : tuple of Layout
        One per time, in order of time; empty if the series has no geometry at all.
    finding : Finding
        Of the first time.
    meaning : Meaning
        Of the first slice.
    group : int
        Series of one group share the Series Instance UID.
    pixels, images : int
        Pixels and slices of all times together, further ones at one position included.
    damaged : int
        Files of this series (or of none that can be told) that are broken.
    """

    number: int
    modality: Modality
    layouts: tuple[Layout, ...]
    finding: Finding
    meaning: Meaning
    group: int
    pixels: int
    images: int
    damaged: int = 0

    @property
    def frames(self) -> int:
        """Number of volumes: 1, or more of a 4-D series."""
        return max(1, len(self.layouts))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(i, j, k) of one volume; zeros if there is no geometry."""
        return self.layouts[0].shape if self.layouts else (0, 0, 0)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Pixel spacing along i and j, and the median step; zeros if unknown."""
        if not self.layouts:
            return 0.0, 0.0, 0.0
        i, j = self.layouts[0].spacing_mm
        return i, j, self.finding.step_mm

    @property
    def voxels(self) -> int:
        """Voxels of one volume."""
        i, j, k = self.shape
        return i * j * k

    @property
    def is_phantom(self) -> bool:
        """Quality Control Image (0028,0300) is YES."""
        return self.meaning.quality_control

    @property
    def description(self) -> str:
        """What it is, from coded attributes alone: no free text leaves the header."""
        i, j, k = self.shape
        x, y, z = self.spacing_mm
        parts = [
            " ".join(p for p in (self.modality.value, _plane_word(self)) if p),
            f"{k} slices of {i}×{j}",
            f"{x:.3g}×{y:.3g}×{z:.3g} mm",
            f"{self.frames} times" if self.frames > 1 else "",
            f"{sharpness(self.meaning.kernel)} kernel" if sharpness(self.meaning.kernel) else "",
            known_body_part(self.meaning.body_part).lower(),
            "phantom" if self.is_phantom else "",
        ]
        return ", ".join(p for p in parts if p)

    def __repr__(self) -> str:
        return f"<Series {self.number}: {self.description}>"


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Everything that an input holds.

    Parameters
    ----------
    series : tuple of Series
        Numbered from 1, in an order that depends on content alone.
    set_aside : mapping of str to int
        How many files or images were left, by reason.
    warnings : tuple of str
    damaged : int
        DICOM files that are broken before their pixels.
    """

    series: tuple[Series, ...]
    set_aside: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    damaged: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "set_aside", MappingProxyType(dict(self.set_aside)))

    def __repr__(self) -> str:
        return f"<Scan: {len(self.series)} series>"


def choose(scan: Scan, number: int | None = None) -> Series:
    """The series to read: the one asked for, else the largest plausible volume.

    A series of fewer than three slices is taken only if asked for by its number.

    Raises
    ------
    NoSeriesError
        If there is none, or none of that number.
    PixelDataError
        If there are only broken files.
    SeriesTieError
        If two are nearly as large.
    MixedOrientationError
        If the slices of the largest series look in several directions.
    GeometryError
        If a slice or two of the largest series do not fit the others.
    """
    if number is not None:
        return _numbered(scan, number)
    candidates = [s for s in scan.series if s.images >= FEWEST_SLICES]
    if not candidates and scan.damaged and not scan.series:
        raise PixelDataError(
            f"{scan.damaged} DICOM file(s) are broken and nothing else is an image; "
            "copy the input again"
        )
    if not candidates:
        for s in scan.series:
            _refuse_mixed(scan, s)
        raise NoSeriesError(_nothing(scan))
    ranked = sorted(candidates, key=lambda s: (-s.pixels, s.number))
    best = ranked[0]
    _refuse_mixed(scan, best)
    _refuse_strays(scan, best)
    rivals = [s for s in ranked[1:] if s.pixels >= NEARLY_EQUAL * best.pixels]
    if rivals:
        names = "; ".join(f"--series {s.number}: {s.description}" for s in (best, *rivals[:3]))
        more = f" and {len(rivals) - 3} more" if len(rivals) > 3 else ""
        raise SeriesTieError(f"{1 + len(rivals)} series are nearly as large; choose {names}{more}")
    return best


def _numbered(scan: Scan, number: int) -> Series:
    for s in scan.series:
        if s.number == number:
            return s
    raise NoSeriesError(f"no series {number}; the input holds {len(scan.series)}")


def _refuse_mixed(scan: Scan, best: Series) -> None:
    """Slices of one series in several planes: nobody but the user knows which are meant."""
    turned = [
        s
        for s in scan.series
        if s.group == best.group and s.layouts and best.layouts and not _parallel(s, best)
    ]
    if turned and best.images + sum(s.images for s in turned) >= FEWEST_SLICES:
        names = ", ".join(f"--series {s.number} ({s.description})" for s in (best, *turned[:3]))
        raise MixedOrientationError(
            f"slices of one series lie in {1 + len(turned)} orientations; one was expected: "
            f"take one of them with {names}"
        )


def _refuse_strays(scan: Scan, best: Series) -> None:
    """Slices that share the series but not its grid, and that the volume lacks without them."""
    strays = parts_elsewhere(scan.series, best)
    if strays:
        count = sum(s.images for s in strays)
        raise GeometryError(
            f"{count} slice(s) of series {best.number} differ from its {best.images} others in "
            "matrix, pixel spacing, kind, kernel, patient or frame of reference; export the series "
            f"again or leave them out with --series {best.number}"
        )


def parts_elsewhere(series: Sequence[Series], best: Series) -> list[Series]:
    """Smaller series that share the identifier of one and hold slices that it lacks."""
    return [
        s
        for s in series
        if s.group == best.group
        and s is not best
        and s.images <= best.images
        and (s.images < FEWEST_SLICES or _lacks(best, s))
    ]


def _lacks(best: Series, part: Series) -> bool:
    """Whether a part of the same series goes on where the best one ends, or fills it up.

    Slices at the best one's own positions, or inside it with another thickness, kernel, echo
    or b-value, are a volume of their own.
    """
    if not (best.layouts and part.layouts and _parallel(best, part)):
        return False
    a, b = best.layouts[0], part.layouts[0]
    own, other = (layout.positions_mm @ a.normal for layout in (a, b))
    shared = min(own.max(), other.max()) - max(own.min(), other.min())
    if shared < 0.5 * np.ptp(other):
        return True
    apart = np.abs(other[:, None] - own).min(axis=1) > 0.1 * best.finding.smallest_step_mm
    return bool(apart.mean() > 0.5) and _made_alike(a.slices[0], b.slices[0])


def _made_alike(a: Slice, b: Slice) -> bool:
    one, two = (
        (s.placement.thickness_mm, s.meaning.kernel, s.moment.echo, s.moment.b_value)
        for s in (a, b)
    )
    return one == two


def _parallel(a: Series, b: Series) -> bool:
    """Whether rows and columns agree within the tolerance that groups slices."""
    one, two = a.layouts[0], b.layouts[0]
    pairs = zip((*one.row, *one.column), (*two.row, *two.column), strict=True)
    return max(abs(x - y) for x, y in pairs) <= SAME_PLANE


def _nothing(scan: Scan) -> str:
    if scan.series:
        s = max(scan.series, key=lambda s: s.finding.slices)
        return (
            f"no volume: the largest series has {s.finding.slices} slice(s) and a volume needs "
            f"{FEWEST_SLICES}; take it all the same with --series {s.number}"
        )
    aside = ", ".join(f"{n} × {reason}" for reason, n in sorted(scan.set_aside.items()))
    return f"no CT or MR volume in the input (set aside: {aside or 'nothing'})"


def _plane_word(series: Series) -> str:
    if not series.layouts:
        return ""
    row, column = series.layouts[0].row, series.layouts[0].column
    normal = (
        abs(row[1] * column[2] - row[2] * column[1]),
        abs(row[2] * column[0] - row[0] * column[2]),
        abs(row[0] * column[1] - row[1] * column[0]),
    )
    word = ("sagittal", "coronal", "axial")[normal.index(max(normal))]
    return word if max(normal) > 0.999 else f"oblique {word}"


def refused(error: MedreconError, slices: int) -> Finding:
    """A finding that says only why there is no volume."""
    return Finding(Kind.REFUSED, slices=slices, refusal=error)
