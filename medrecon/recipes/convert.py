"""A scan as one NIfTI volume."""

from __future__ import annotations

from pathlib import Path

from medrecon.core import Volume
from medrecon.loading import load_volume, on_grid
from medrecon.options import Grid, LoadOptions
from medrecon.recorder import Recorder


def convert_to_nifti(
    path: Path, output: Path, *, load: LoadOptions, spacing: Grid | float = Grid.NATIVE
) -> tuple[Volume, tuple[str, ...]]:
    """A scan as one NIfTI volume; also what there was to warn of."""
    from medrecon.files import nifti

    log = Recorder()
    volume = on_grid(load_volume(path, load, log), spacing)
    nifti.write_volume(volume, output)
    return volume, log.provenance.warnings
