"""The image to work on, whatever it came as, and the grid that it is shown on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medrecon.core import Geometry, Volume
from medrecon.options import Grid, LoadOptions
from medrecon.recorder import Recorder

if TYPE_CHECKING:
    from medrecon.dicom import Limits, Scan, Series

# The default grid of volume.nii.gz follows the pixels, within what is useful to look at.
FINEST_ISO_MM = 0.5
COARSEST_ISO_MM = 1.5
BURNED_IN = (
    "the header says that annotation is burned into the pixels (0028,0301): the image and its "
    "slices in the report may show the patient's name"
)


def load_volume(
    path: str | Path | Sequence[str | Path], options: LoadOptions, log: Recorder
) -> Volume:
    """The image to work on: read, put right if its slices are not a grid, HU verified."""
    from medrecon.files import images
    from medrecon.segmentation.hu import verify_hu

    path = Path(path) if isinstance(path, str) else path
    if isinstance(path, Path) and images.is_image_file(path):
        with log.stage("read"):
            volume = images.read_image(
                path,
                modality=options.modality,
                frame=options.frame,
                volume_bytes=reading_limits(options).volume_bytes,
            )
    else:
        volume = _read_dicom(path, options, log)
    if volume.acquisition.burned_in:
        log.warn(BURNED_IN)
    volume = verify_hu(volume)
    return _without_face(volume, log) if options.deface else volume


def _without_face(volume: Volume, log: Recorder) -> Volume:
    """The image without the face that it shows; as it is where it shows none."""
    from medrecon.privacy.deface import find_face, remove_face
    from medrecon.privacy.head import Shown, is_identifiable

    shown = is_identifiable(volume)
    if shown.state is Shown.NO:
        log.warn(f"--deface removed nothing: {shown.reason}")
        return volume
    with log.stage("remove the face") as stage:
        defaced = remove_face(volume, find_face(volume))
        stage.note(voxels=int(defaced.unmeasured.sum()) if defaced.unmeasured is not None else 0)
    return defaced


def load_channels(
    paths: Mapping[str, str | Path] | None, options: LoadOptions, log: Recorder
) -> dict[str, Volume]:
    """Further images of one patient by channel's name, each the only volume of its path."""
    plain = replace(options, series=None, frame=None)
    return {name: load_volume(path, plain, log) for name, path in (paths or {}).items()}


def shown_grid(volume: Volume, spacing: Grid | float) -> Geometry:
    """The grid that the image is written on."""
    if spacing is Grid.NATIVE:
        return volume.geometry
    x, y, _ = volume.geometry.spacing_mm
    target = volume.geometry.isotropic(iso_spacing_mm((x, y)) if spacing is Grid.ISO else spacing)
    return volume.geometry if target.is_close(volume.geometry) else target


def on_grid(volume: Volume, spacing: Grid | float) -> Volume:
    """The image on the grid that is written."""
    from medrecon.resampling import resample_volume

    grid = shown_grid(volume, spacing)
    return volume if grid is volume.geometry else resample_volume(volume, grid)


def iso_spacing_mm(pixel_spacing_mm: Sequence[float]) -> float:
    """The in-plane spacing, not finer or coarser than is useful."""
    return float(np.clip(min(pixel_spacing_mm), FINEST_ISO_MM, COARSEST_ISO_MM))


def reading_limits(options: LoadOptions) -> Limits:
    """Budgets of reading, with the memory that was asked for."""
    from medrecon.dicom import Limits

    if options.max_memory_gb is None:
        return Limits()
    return Limits(volume_bytes=int(options.max_memory_gb * 1e9))


def _why(series: Series, scan: Scan, asked_for: int | None) -> str:
    """Why this series of them."""
    if asked_for is not None:
        return "asked for by its number"
    if len(scan.series) == 1:
        return "the only one"
    return f"the largest volume: {series.images} images, {series.pixels} pixels in all"


def _read_dicom(path: Path | Sequence[str | Path], options: LoadOptions, log: Recorder) -> Volume:
    from medrecon import dicom
    from medrecon.resampling import stack_geometry, stack_onto

    with log.stage("scan") as stage:
        scan = dicom.scan(path, limits=reading_limits(options))
        series = dicom.choose(scan, options.series)
        stage.note(series=series.number, of=len(scan.series), set_aside=dict(scan.set_aside))
        stage.note(reason=_why(series, scan, options.series))
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
