"""One orientation and pixel spacing for all slices of a volume, or a refusal.

Scanners write the same vectors into every slice; converters round them, each slice in its
own way. What rounding explains is averaged away, what would move a voxel is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medrecon.dicom.slices import Slice
from medrecon.errors import GeometryError, MissingSpacingError, MixedOrientationError

Vectors = npt.NDArray[np.float64]

# Voxels by which a slice's farthest corner may lie elsewhere than the common vectors say:
# cosines that differ by 1e-4 move the corner of 512 pixels by this much.
CORNER_VOXELS = 0.1
# Cosine between rows and columns. Three decimals round it by no more, and at 512 pixels
# half of it (the axes are bent symmetrically) is a quarter of a voxel.
NOT_SQUARE = 1e-3
# Length of a stated vector beside 1. It is normalised, so nothing moves; but rounding to
# two decimals explains no more.
NOT_UNIT = 0.01
# Pixels in mm beyond which the attribute is broken, or was written in another unit: no
# scanner of patients goes below 10 µm or over a centimetre; 0.0008 is metres.
PIXEL_RANGE_MM = (0.005, 100.0)


def plane(orientation: Sequence[float]) -> tuple[Vectors, Vectors]:
    """Unit vectors along a row and down a column, made exactly perpendicular.

    What they lack of a right angle is taken from both alike.

    Raises
    ------
    GeometryError
        If the stated vectors are not of unit length within 1 %, or not perpendicular
        within 0.06°: rounding explains less, so something else is wrong.

    References
    ----------
    PS3.3 C.7.6.2.1.1: row and column vectors shall be orthogonal and of unit length.
    """
    row, column = np.asarray(orientation[:3], float), np.asarray(orientation[3:], float)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > NOT_UNIT:
        raise GeometryError("the orientation's vectors are not of unit length; cannot place slices")
    row, column = row / lengths[0], column / lengths[1]
    skew = float(row @ column)
    if abs(skew) > NOT_SQUARE:
        raise GeometryError(
            f"rows and columns meet at {np.degrees(np.arccos(skew)):.2f}°, not at right angles; "
            "cannot place slices"
        )
    if skew:
        row, column = row - skew / 2 * column, column - skew / 2 * row
        column = column - (row @ column) / (row @ row) * row
    return row / np.linalg.norm(row), column / np.linalg.norm(column)


def common_plane(slices: Sequence[Slice]) -> tuple[Vectors, Vectors, tuple[float, float]]:
    """Row, column and pixel spacing (along i, along j) that all slices share.

    Parameters
    ----------
    slices : sequence of Slice
        Of one matrix.

    Raises
    ------
    MixedOrientationError
        If a slice is turned so far that its corner leaves the common one.
    MissingSpacingError
        If no usable pixel spacing is stated.
    GeometryError
        If an orientation is missing or impossible, or the spacings differ.
    """
    stated = [s.placement.orientation for s in slices]
    if any(o is None for o in stated):
        raise GeometryError("some slices state no orientation in the patient")
    spacings = np.array([s.placement.spacing_mm or (0.0, 0.0) for s in slices], np.float64)
    if spacings.min() < PIXEL_RANGE_MM[0] or spacings.max() > PIXEL_RANGE_MM[1]:
        raise MissingSpacingError(
            "no usable pixel spacing is stated; medrecon never invents one: export the series again"
        )
    vectors = np.array(stated, np.float64)
    common, (down, along) = np.median(vectors, axis=0), np.median(spacings, axis=0)
    rows, columns = slices[0].shape
    way = np.array([along * (columns - 1)] * 3 + [down * (rows - 1)] * 3)
    turned = np.abs((vectors - common) * way).reshape(-1, 2, 3).sum(axis=1).max()
    if turned > CORNER_VOXELS * min(along, down):
        raise MixedOrientationError(
            f"{len(slices)} slices of one series in several orientations: a corner lies "
            f"{turned:.2f} mm elsewhere; one orientation was expected"
        )
    grown = np.abs(spacings - (down, along)) * (rows - 1, columns - 1)
    if (grown > CORNER_VOXELS * np.array([down, along])).any():
        range_mm = np.ptp(spacings, axis=0).max()
        raise GeometryError(
            f"pixel spacings of one series differ by up to {range_mm:.4g} mm; one was expected: "
            "export the series again"
        )
    row, column = plane([float(v) for v in common])
    return row, column, (float(along), float(down))
