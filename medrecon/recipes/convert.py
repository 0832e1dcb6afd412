"""A scan as one NIfTI volume."""

from __future__ import annotations

from pathlib import Path

from medrecon.core import Volume
from medrecon.errors import UsageError
from medrecon.loading import load_volume, on_grid
from medrecon.options import Grid, LoadOptions
from medrecon.recorder import Recorder


def convert_to_nifti(
    path: Path, output: Path, *, load: LoadOptions, spacing: Grid | float = Grid.NATIVE
) -> tuple[Volume, tuple[str, ...]]:
    """A scan as one NIfTI volume; also what there was to warn of.

    Raises
    ------
    UsageError
        If the file to write ends neither in .nii nor in .nii.gz.
    MedreconError
        As the readers raise it.
    """
    from medrecon.files import nifti

    if not output.name.endswith((".nii", ".nii.gz")):
        raise UsageError(
            f"--output ends in {output.suffix or 'nothing'}; convert writes NIfTI: "
            ".nii or .nii.gz expected"
        )
    log = Recorder()
    volume = on_grid(load_volume(path, load, log), spacing)
    nifti.write_volume(volume, output)
    return volume, log.provenance.warnings
