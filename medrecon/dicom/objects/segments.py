"""What a segmentation object holds, before it becomes fields: values on planes, or contours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Label
from medrecon.core.geometry import Triple


class Content(Enum):
    """What the values mean."""

    BINARY = "binary"
    OCCUPANCY = "occupancy"
    PROBABILITY = "probability"
    LABELMAP = "label map"


@dataclass(frozen=True, slots=True, eq=False)
class SegmentBlock:
    """One segment.

    Parameters
    ----------
    label : Label
    values : ndarray of uint8, shape (i, j, k)
        A block of the planes, Fortran order; what is not stored is 0.
    highest : int
        The value that means "wholly inside" or "certainly"; 1 of a binary one.
    start : tuple of int
        Index of the block's first voxel.
    """

    label: Label
    values: npt.NDArray[np.uint8]
    highest: int
    start: tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class ReadSegments:
    """A DICOM Segmentation.

    Parameters
    ----------
    content : Content
    planes : Planes
        Where the blocks' voxels lie.
    segments : tuple of SegmentBlock
        They may overlap.
    findings : tuple of str
        What a reader should know.
    """

    content: Content
    planes: Planes
    segments: tuple[SegmentBlock, ...]
    findings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<ReadSegments {self.content.value}: {len(self.segments)} segments>"


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Parallel planes, in order along their normal.

    Parameters
    ----------
    positions_mm : ndarray of float64, shape (n, 3)
        LPS centre of each plane's first pixel.
    row, column : tuple of float
        Unit vectors of the i and j axes.
    spacing_mm : tuple of float
        Along i and along j.
    shape : tuple of int
        (columns, rows).
    grid : Geometry or None
        The same as a grid, where one affine describes all planes.
    """

    positions_mm: npt.NDArray[np.float64]
    row: Triple
    column: Triple
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]
    grid: Geometry | None


@dataclass(frozen=True, slots=True, eq=False)
class Roi:
    """One region of a structure set.

    Parameters
    ----------
    label : Label
    contours : tuple of ndarray of float64, shape (n, 3)
        Closed planar polygons in LPS mm; of those in one plane, what lies within an odd
        number of them is inside.
    """

    label: Label
    contours: tuple[npt.NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True, eq=False)
class ReadContours:
    """An RT Structure Set."""

    regions: tuple[Roi, ...]
    findings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<ReadContours: {len(self.regions)} regions>"
