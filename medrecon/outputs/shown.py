"""The image of a run: in its file, on the grid that was asked for, and as the report's slices.

The modules that do it load in the thread that uses them, beside the segmentation.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medrecon.core import Geometry, Volume

if TYPE_CHECKING:
    from medrecon.report.frames import PackedSlices


def write_volume(volume: Volume, grid: Geometry, folder: Path) -> None:
    """`volume.nii.gz`: the image on a grid, a few planes of it in memory at a time."""
    from medrecon.files import nifti
    from medrecon.resampling import resampled_slabs

    slabs = resampled_slabs(volume, grid)
    nifti.write_slabs(slabs, volume.array.dtype, grid, folder / "volume.nii.gz")


def show_volume(volume: Volume, grid: Geometry, folder: Path) -> PackedSlices:
    """The image written, and its slices for the report: all that is kept of it."""
    from medrecon.report.frames import pack_slices

    write_volume(volume, grid, folder)
    return pack_slices(volume, grid)
