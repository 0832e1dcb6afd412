"""Look a scan over before anything is done with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from medrecon.errors import MedreconError
from medrecon.loading import reading_limits
from medrecon.options import LoadOptions

if TYPE_CHECKING:
    from medrecon.dicom import Preflight, Scan, Series


def examine_series(
    path: Path, options: LoadOptions, *, voxels: bool = True
) -> tuple[Scan, list[Preflight]]:
    """The pre-flight of every series; with `voxels`, also of what the images show.

    A series that cannot be read is judged by its headers, and says why.
    """
    from medrecon import dicom

    scan = dicom.scan(path, limits=reading_limits(options))
    flights = []
    for series in scan.series:
        flight = dicom.preflight(series)
        if voxels and flight.verdict is not dicom.Verdict.REFUSED:
            flight = _preflight_with_voxels(series, flight, options)
        flights.append(flight)
    return scan, flights


def _preflight_with_voxels(series: Series, flight: Preflight, options: LoadOptions) -> Preflight:
    from medrecon import dicom

    frame = 1 if series.frames > 1 else None
    try:
        image = dicom.read(series, frame=frame, limits=reading_limits(options))
    except MedreconError as refusal:
        why = f"{refusal} [{refusal.code}]"
        return dataclasses.replace(flight, verdict=dicom.Verdict.REFUSED, reasons=(why,))
    return dicom.preflight(series, image)
