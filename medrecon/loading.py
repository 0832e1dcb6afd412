"""The image to work on, whatever it came as, and the grid that it is shown on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medrecon.core import Volume
from medrecon.options import Grid, LoadOptions
from medrecon.recorder import Recorder

if TYPE_CHECKING:
    from medrecon.dicom import Limits

# The default grid of volume.nii.gz follows the pixels, within what is useful to look at.
FINEST_ISO_MM = 0.5
COARSEST_ISO_MM = 1.5


def load_volume(path: Path | Sequence[Path], options: LoadOptions, log: Recorder) -> Volume:
    """The image to work on: read, put right if its slices are not a grid, HU verified."""
    from medrecon.files import images
    from medrecon.segmentation.hu import verify_hu

    if isinstance(path, Path) and images.is_image_file(path):
        with log.stage("read"):
            volume = images.read_image(path, modality=options.modality, frame=options.frame)
    else:
        volume = _read_dicom(path, options, log)
    return verify_hu(volume)


def load_channels(
    paths: Mapping[str, Path] | None, options: LoadOptions, log: Recorder
) -> dict[str, Volume]:
    """Further images of one patient by channel's name, each the only volume of its path."""
    plain = replace(options, series=None, frame=None)
    return {name: load_volume(path, plain, log) for name, path in (paths or {}).items()}


def on_grid(volume: Volume, spacing: Grid | float) -> Volume:
    """The image on the grid that is written."""
    from medrecon.resampling import to_isotropic

    if spacing is Grid.NATIVE:
        return volume
    x, y, _ = volume.geometry.spacing_mm
    return to_isotropic(volume, iso_spacing_mm((x, y)) if spacing is Grid.ISO else spacing)


def iso_spacing_mm(pixel_spacing_mm: Sequence[float]) -> float:
    """The in-plane spacing, not finer or coarser than is useful."""
    return float(np.clip(min(pixel_spacing_mm), FINEST_ISO_MM, COARSEST_ISO_MM))


def reading_limits(options: LoadOptions) -> Limits:
    """Budgets of reading, with the memory that was asked for."""
    from medrecon.dicom import Limits

    if options.max_memory_gb is None:
        return Limits()
    return Limits(volume_bytes=int(options.max_memory_gb * 1e9))


def _read_dicom(path: Path | Sequence[Path], options: LoadOptions, log: Recorder) -> Volume:
    from medrecon import dicom
    from medrecon.resampling import stack_geometry, stack_onto

    with log.stage("scan") as stage:
        scan = dicom.scan(path, limits=reading_limits(options))
        series = dicom.choose(scan, options.series)
        stage.note(series=series.number, of=len(scan.series), set_aside=dict(scan.set_aside))
        log.warn(*scan.warnings)
    with log.stage("read"):
        found = dicom.read(
            series,
            frame=options.frame,
            fill_gaps=options.fill_gaps,
            skip_bad=options.skip_bad,
            native=options.native,
            limits=reading_limits(options),
        )
    if isinstance(found, Volume):
        return found
    with log.stage("correct geometry"):
        return stack_onto(found, stack_geometry(found, iso_spacing_mm(found.pixel_spacing_mm)))
