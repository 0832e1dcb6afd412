"""What the image says of a structure, whatever mesh is made of it later."""

from __future__ import annotations

from dataclasses import dataclass

from medrecon.core import HuStatus, SoftField, Volume
from medrecon.core.compiled import frozen
from medrecon.quality import observed_loops
from medrecon.quality.gate import acquisition_limit_mm
from medrecon.quality.truncation import crosses_filled_gap, is_truncated, reaches_border


@dataclass(frozen=True, slots=True)
class Observed:
    """Facts of one structure that only the image holds; None where there was no image.

    Parameters
    ----------
    mean_hu : float or None
        Mean of the native voxels inside; None unless their HU are verified.
    truncated : bool or None
        Whether it touches the border of what was scanned.
    crosses_gap : bool
        Whether it runs through slices that were filled in.
    acquisition_mm : float or None
        Estimate of how well the scan can place an edge.
    uncertain : tuple of str
        Why no surface of it may ever pass for print, besides what is measured.
    """

    mean_hu: float | None = None
    truncated: bool | None = None
    crosses_gap: bool = False
    acquisition_mm: float | None = None
    uncertain: tuple[str, ...] = ()

    @property
    def concerns(self) -> tuple[str, ...]:
        """Reasons against a pass that no processing can remove."""
        gap = ("it runs through a gap in the scan that was filled",) if self.crosses_gap else ()
        return (*gap, *self.uncertain)


def observe(field: SoftField, volume: Volume, uncertain: tuple[str, ...] = ()) -> Observed:
    """Look a structure up in the image that it was found in."""
    return Observed(
        mean_hu=mean_hu(volume, field),
        truncated=is_truncated(field, volume),
        crosses_gap=crosses_filled_gap(field, volume),
        acquisition_mm=acquisition_limit_mm(
            volume.geometry.spacing_mm, volume.acquisition.slice_thickness_mm
        ),
        uncertain=uncertain,
    )


def observe_without_image(field: SoftField) -> Observed:
    """What can be said of a structure that came without its image: where its grid ends."""
    return Observed(
        truncated=reaches_border(field),
        acquisition_mm=acquisition_limit_mm(field.grid.spacing_mm),
    )


def mean_hu(volume: Volume, field: SoftField) -> float | None:
    """Mean HU of the native voxels inside; None unless the HU are verified."""
    if volume.acquisition.hu is not HuStatus.VERIFIED:
        return None
    values = frozen(field.values.T, field.values.dtype)
    total, count = observed_loops.sum_inside(values, volume.array[field.slices].T)
    return total / count if count else None
