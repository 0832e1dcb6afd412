"""Look a scan over before anything is done with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medrecon.core import Geometry, Volume
from medrecon.errors import DamagedInputError, MedreconError, UsageError
from medrecon.loading import reading_limits
from medrecon.options import LoadOptions
from medrecon.segmentation.hu import verify_hu

if TYPE_CHECKING:
    from medrecon.dicom import Preflight, Series


@dataclass(frozen=True, slots=True)
class Examination:
    """The pre-flight of an input.

    Parameters
    ----------
    flights : tuple of Preflight
        One for each series, or one for an image file.
    set_aside : mapping of str to int
        What was found that is no series, and how often.
    warnings : tuple of str
    """

    flights: tuple[Preflight, ...]
    set_aside: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def examine(path: Path, options: LoadOptions, *, voxels: bool = True) -> Examination:
    """The pre-flight of every series, or of an image file.

    Parameters
    ----------
    path : Path
        As for `reconstruct`.
    options : LoadOptions
    voxels : bool
        Also look at what the images show. An image file is always read.

    A series that cannot be read is judged by its headers, and says why.
    """
    from medrecon import dicom
    from medrecon.files import images

    if images.is_image_file(path):
        return Examination((_preflight_of_file(path, options),), {})
    scan = dicom.scan(path, limits=reading_limits(options))
    flights = []
    for series in scan.series:
        flight = dicom.preflight(series)
        if voxels and flight.verdict is not dicom.Verdict.REFUSED:
            flight = _preflight_with_voxels(series, flight, options)
        flights.append(flight)
    return Examination(tuple(flights), dict(scan.set_aside), tuple(scan.warnings))


def _preflight_with_voxels(series: Series, flight: Preflight, options: LoadOptions) -> Preflight:
    from medrecon import dicom

    frame = (options.frame or 1) if series.frames > 1 else None
    try:
        image = dicom.read(series, frame=frame, limits=reading_limits(options))
    except MedreconError as refusal:
        why = f"{refusal} [{refusal.code}]"
        return dataclasses.replace(flight, verdict=dicom.Verdict.REFUSED, reasons=(why,))
    return dicom.preflight(series, image)


def _preflight_of_file(path: Path, options: LoadOptions) -> Preflight:
    """An unreadable file is an error; one whose geometry or voxels are no good is refused."""
    from medrecon.files import images

    try:
        volume = images.read_image(
            path,
            modality=options.modality,
            frame=options.frame,
            volume_bytes=reading_limits(options).volume_bytes,
        )
    except (DamagedInputError, UsageError) as refusal:
        return _refused_file(f"{refusal} [{refusal.code}]")
    return _flight_of(verify_hu(volume), ())


def _refused_file(why: str) -> Preflight:
    nothing = Geometry((1, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    empty = Volume(np.zeros((1, 1, 1), np.int16), nothing)
    return dataclasses.replace(_flight_of(empty, (why,)), shape=(0, 0, 0), contents=None)


def _flight_of(volume: Volume, refusals: tuple[str, ...]) -> Preflight:
    """What an image file says of itself: no thickness, no kernel, one volume."""
    from medrecon import dicom

    grid, acquisition = volume.geometry, volume.acquisition
    seen = dicom.contents(volume)
    step = grid.spacing_mm[2]
    corrections = ("the axes are not perpendicular: resampled on writing",)
    verdict = dicom.Verdict.CORRECTED if grid.is_sheared else dicom.Verdict.USABLE
    return dicom.Preflight(
        series=1,
        description=f"{acquisition.modality.value} image file",
        verdict=dicom.Verdict.REFUSED if refusals else verdict,
        reasons=refusals or (corrections if grid.is_sheared else ()),
        notes=seen.notes,
        shape=grid.shape,
        spacing_mm=grid.spacing_mm,
        geometry="refused" if refusals else "regular",
        smallest_step_mm=step,
        largest_step_mm=step,
        tilt_degrees=0.0,
        gaps_mm=(),
        duplicates=0,
        coverage_mm=_coverage_mm(grid),
        thickness_mm=None,
        kernel="",
        hu=acquisition.hu.value,
        hu_reason=acquisition.hu_reason,
        distortion_correction="",
        frames=1,
        units="",
        expected_surface_error_mm=dicom.expected_surface_error_mm(step, step),
        contents=seen,
    )


def _coverage_mm(grid: Geometry) -> tuple[float, float, float]:
    x, y, z = ((n - 1) * s for n, s in zip(grid.shape, grid.spacing_mm, strict=True))
    return x, y, z
