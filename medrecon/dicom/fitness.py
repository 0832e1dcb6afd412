"""Whether a series is fit for surfaces, from its headers and, if at hand, its voxels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from itertools import pairwise
from math import asin, degrees

from medrecon.core import HuStatus, Modality, SliceStack, Volume
from medrecon.dicom.acquisition import hounsfield
from medrecon.dicom.contents import Contents, contents
from medrecon.dicom.geometry import Kind, Layout
from medrecon.dicom.series import FEWEST_SLICES, Series
from medrecon.dicom.vocabulary import sharpness

# Radius for which the expected error is stated: a lumbar pedicle, a renal artery's bend.
REFERENCE_RADIUS_MM = 10.0
# Slices this much thicker than the pixels make stairs that no interpolation removes.
COARSE_SLICES = 3.0


class Verdict(Enum):
    """Whether surfaces can be made of a series."""

    USABLE = "usable"
    CORRECTED = "usable with a correction"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known of a series before anything is made of it. Lengths in mm.

    Parameters
    ----------
    series : int
    description : str
    verdict : Verdict
    reasons : tuple of str
        Why it is not simply usable, each with what to do.
    notes : tuple of str
        What a reader of the surfaces should know.
    shape, spacing_mm : tuple
        (i, j, k); the third spacing is the median step.
    geometry : str
        "regular", "tilted", "irregular" or "refused".
    smallest_step_mm, largest_step_mm, tilt_degrees : float
    gaps_mm : tuple of (low, high)
        Along the normal, from the first slice.
    duplicates : int
    coverage_mm : tuple of float
        Extent between the outermost pixel centres along i, j and k.
    thickness_mm : float or None
    kernel : str
        "sharp", "soft" or empty.
    hu, hu_reason : str
        What the header declares; the histogram has the last word.
    distortion_correction : str
        MR: "none" (ND), "2D" or "3D"; empty if not stated.
    frames : int
    units : str
        UCUM code of a real-world value map, else empty.
    expected_surface_error_mm : float
        From slice step and thickness alone, at a radius of 10 mm.
    contents : Contents or None
        What the voxels show; None if they were not read.
    """

    series: int
    description: str
    verdict: Verdict
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    geometry: str
    smallest_step_mm: float
    largest_step_mm: float
    tilt_degrees: float
    gaps_mm: tuple[tuple[float, float], ...]
    duplicates: int
    coverage_mm: tuple[float, float, float]
    thickness_mm: float | None
    kernel: str
    hu: str
    hu_reason: str
    distortion_correction: str
    frames: int
    units: str
    expected_surface_error_mm: float
    contents: Contents | None = None

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {**asdict(self), "verdict": self.verdict.value}


def preflight(series: Series, image: Volume | SliceStack | None = None) -> Preflight:
    """Facts and verdict of one series.

    Parameters
    ----------
    series : Series
    image : Volume or SliceStack or None
        The series' own voxels, if they were read: metal and a truncated field of view
        are then looked for.
    """
    f = series.finding
    layout = series.layouts[0] if series.layouts else None
    seen = contents(image) if image is not None else None
    refusals = _refusals(series)
    corrections = _corrections(series)
    status, why = _hu(series)
    return Preflight(
        series=series.number,
        description=series.description,
        verdict=_verdict(refusals, corrections),
        reasons=(*refusals, *corrections),
        notes=_notes(series, seen),
        shape=series.shape,
        spacing_mm=series.spacing_mm,
        geometry=f.kind.value,
        smallest_step_mm=f.smallest_step_mm,
        largest_step_mm=f.largest_step_mm,
        tilt_degrees=f.tilt_degrees,
        gaps_mm=f.gaps_mm,
        duplicates=f.duplicates,
        coverage_mm=_coverage(layout),
        thickness_mm=_thickness(layout),
        kernel=sharpness(series.meaning.kernel),
        hu=status.value,
        hu_reason=why,
        distortion_correction=_distortion(series),
        frames=series.frames,
        units=series.meaning.units,
        expected_surface_error_mm=_expected_error(series),
        contents=seen,
    )


def expected_surface_error_mm(
    step_mm: float, thickness_mm: float, radius_mm: float = REFERENCE_RADIUS_MM
) -> float:
    """Error to expect of a half-maximum surface from slice sampling alone.

    Two parts. A slice averages over its thickness T (variance T²/12) and linear
    interpolation over the step s (variance s²/6): a surface of radius R that runs
    along the normal moves inward by half the variance over R. A surface that lies in
    the slices' plane is displaced by the interpolation of a three-sample edge: with
    samples 1, f, 0 the crossing lies at −1 + 1/(2 − 2f) instead of f − 1/2, which is
    0.057 s off on average over f.
    """
    variance = thickness_mm**2 / 12 + step_mm**2 / 6
    return variance / (2 * radius_mm) + 0.057 * step_mm


def _verdict(refusals: tuple[str, ...], corrections: tuple[str, ...]) -> Verdict:
    if refusals:
        return Verdict.REFUSED
    return Verdict.CORRECTED if corrections else Verdict.USABLE


def _refusals(series: Series) -> tuple[str, ...]:
    f = series.finding
    found = []
    if f.refusal is not None:
        found.append(str(f.refusal))
    elif f.slices < 2:
        found.append("a single slice position is not a volume")
    elif f.slices < FEWEST_SLICES:
        found.append(f"only {f.slices} slices; ask for them by number if they are meant")
    if f.gaps_mm:
        widest = max(high - low for low, high in f.gaps_mm)
        found.append(
            f"{len(f.gaps_mm)} gap(s), the largest step {widest:.2f} mm where {f.step_mm:.2f} mm "
            "was expected; export the series again or pass --fill-gaps"
        )
    if series.damaged:
        found.append(f"{series.damaged} broken file(s); copy the series again or pass --skip-bad")
    return tuple(found)


def _corrections(series: Series) -> tuple[str, ...]:
    f = series.finding
    found = []
    if f.tilt_degrees:
        found.append(f"tilted by {f.tilt_degrees:.1f}°: slices are shifted back on resampling")
    if f.kind is Kind.IRREGULAR and not f.gaps_mm:
        found.append(
            f"steps from {f.smallest_step_mm:.2f} to {f.largest_step_mm:.2f} mm: each slice is "
            "taken from its true position"
        )
    if f.duplicates:
        found.append(f"{f.duplicates} slice(s) at a position twice: dropped if the pixels agree")
    return tuple(found)


def _notes(series: Series, seen: Contents | None) -> tuple[str, ...]:
    notes = [*_slice_notes(series), *_value_notes(series)]
    if series.frames > 1:
        notes.append(f"{series.frames} volumes in time; choose one with --frame")
    if _distortion(series) == "none":
        notes.append("MR without distortion correction: distances may be off by millimetres")
    if seen is not None:
        notes.extend(seen.notes)
    return tuple(notes)


def _slice_notes(series: Series) -> list[str]:
    notes = []
    f, layout = series.finding, series.layouts[0] if series.layouts else None
    thickness, pixel = _thickness(layout), max(series.spacing_mm[:2])
    if thickness is not None and f.step_mm > 1.05 * thickness:
        notes.append(f"{f.step_mm - thickness:.2f} mm between neighbouring slices were not scanned")
    if pixel and max(thickness or 0.0, f.step_mm) > COARSE_SLICES * pixel:
        notes.append("slices are more than three times as thick as pixels are wide: expect stairs")
    nominal = abs(series.meaning.nominal_tilt_degrees)
    if layout is not None and nominal and abs(nominal - _lean(layout)) > 1.0:
        notes.append(
            f"Gantry/Detector Tilt says {nominal:.1f}° and the positions {_lean(layout):.1f}°: "
            "the positions are used"
        )
    if layout is not None and _numbers_jump(layout):
        notes.append("instance numbers leave some out: slices may have been left behind")
    return notes


def _value_notes(series: Series) -> list[str]:
    notes = []
    status, why = _hu(series)
    if status is HuStatus.UNVERIFIED:
        notes.append(f"values are not known to be HU: {why}")
    if series.meaning.units:
        notes.append(f"a real-world value map in {series.meaning.units} is there; not applied")
    return notes


def _hu(series: Series) -> tuple[HuStatus, str]:
    if not series.layouts:
        kind = HuStatus.UNVERIFIED if series.modality is Modality.CT else HuStatus.NOT_CT
        return kind, "no volume"
    return hounsfield(series.layouts[0].slices, series.modality)


def _coverage(layout: Layout | None) -> tuple[float, float, float]:
    if layout is None:
        return 0.0, 0.0, 0.0
    i, j, _ = layout.shape
    height = float(abs((layout.positions_mm[-1] - layout.positions_mm[0]) @ layout.normal))
    return (i - 1) * layout.spacing_mm[0], (j - 1) * layout.spacing_mm[1], height


def _thickness(layout: Layout | None) -> float | None:
    known = [] if layout is None else [s.placement.thickness_mm for s in layout.slices]
    stated = [t for t in known if t is not None]
    return max(stated) if stated and len(stated) == len(known) else None


def _expected_error(series: Series) -> float:
    thickness = _thickness(series.layouts[0]) if series.layouts else None
    step = series.finding.largest_step_mm
    return expected_surface_error_mm(step, step if thickness is None else thickness)


def _distortion(series: Series) -> str:
    words = series.meaning.image_type
    for word, meaning in (("ND", "none"), ("DIS2D", "2D"), ("DIS3D", "3D")):
        if series.modality is Modality.MR and word in words:
            return meaning
    return ""


def _lean(layout: Layout) -> float:
    """Angle of the columns with the axial plane: what a tilted gantry gives them."""
    return degrees(asin(min(1.0, abs(layout.column[2]))))


def _numbers_jump(layout: Layout) -> bool:
    numbers = [s.identity.instance_number for s in layout.slices]
    known = sorted(n for n in numbers if n is not None)
    if len(known) < len(numbers) or len(set(known)) < len(known):
        return False
    return any(b - a > 1 for a, b in pairwise(known))
