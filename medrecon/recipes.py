"""The other errands: look a scan over, convert it, train the phantom model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from medrecon.core import LabelMap, Volume
from medrecon.errors import MedreconError
from medrecon.options import Grid, LoadOptions
from medrecon.pipeline import load_volume, on_grid, reading_limits
from medrecon.recorder import Progress, Recorder, silent

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


def convert_to_nifti(
    path: Path, output: Path, *, load: LoadOptions, spacing: Grid | float = Grid.NATIVE
) -> tuple[Volume, tuple[str, ...]]:
    """A scan as one NIfTI volume; also what there was to warn of."""
    from medrecon.files import nifti

    log = Recorder()
    volume = on_grid(load_volume(path, load, log), spacing)
    nifti.write_volume(volume, output)
    return volume, log.provenance.warnings


def train_phantom_torso(
    output: Path, *, steps: int | None = None, device: str = "cpu", progress: Progress = silent
) -> str:
    """Train the shipped phantom model from synthetic torsos; its identity.

    One thread, so that the same command gives the same bytes on the same processor.
    """
    from medrecon.phantom import training_pair
    from medrecon.train import (
        PHANTOM_SHAPE,
        PHANTOM_SPACING_MM,
        PHANTOM_STEPS,
        phantom_recipe,
        train,
    )

    def sample(seed: int) -> tuple[Volume, LabelMap]:
        return training_pair(seed, PHANTOM_SPACING_MM, PHANTOM_SHAPE)

    def report(fraction: float) -> None:
        progress("train", fraction)

    recipe = phantom_recipe(PHANTOM_STEPS if steps is None else steps)
    model = train(sample, recipe, output=output, device=device, threads=1, progress=report)
    return model.manifest.identity
