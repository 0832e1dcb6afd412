"""Voxels and grid of an image file as medrecon holds them, or a refusal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry
from medrecon.errors import GeometryError, MissingSpacingError, PixelDataError

INT16 = np.iinfo(np.int16)
# float32 holds every whole number up to this one.
LARGEST_WHOLE = 1 << 24
# Voxels beyond this are in another unit than the file says: 5 µm is finer than any scanner
# of patients, and a decimetre is no image.
VOXEL_RANGE_MM = (0.005, 100.0)


def image_grid(affine_lps: npt.ArrayLike, shape: tuple[int, ...]) -> Geometry:
    """Geometry of a volume whose voxels have a size that images have.

    Raises
    ------
    GeometryError
        If the affine is singular, or the image is a single slice.
    MissingSpacingError
        If a voxel is smaller than 5 µm or larger than 100 mm.
    """
    geometry = Geometry.from_affine(affine_lps, shape)
    if min(geometry.shape) < 2:
        raise GeometryError(f"an image of shape {geometry.shape}: a single slice is not a volume")
    _require_size(geometry)
    return geometry


def label_grid(affine_lps: npt.ArrayLike, shape: tuple[int, ...]) -> Geometry:
    """Geometry of a label map, which may be a single slice.

    Raises
    ------
    GeometryError
        If the affine is singular.
    MissingSpacingError
        If a voxel is smaller than 5 µm or larger than 100 mm.
    """
    geometry = Geometry.from_affine(affine_lps, shape)
    _require_size(geometry)
    return geometry


def _require_size(geometry: Geometry) -> None:
    low, high = min(geometry.spacing_mm), max(geometry.spacing_mm)
    if low < VOXEL_RANGE_MM[0] or high > VOXEL_RANGE_MM[1]:
        raise MissingSpacingError(
            f"voxels of {low:.4g} to {high:.4g} mm: the file's unit of length is not the one that "
            "it states"
        )


def image_array(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values as int16, or as float32 where they are wider or no whole numbers.

    Raises
    ------
    GeometryError
        If a voxel holds several values (colours, complex numbers).
    PixelDataError
        If a value is no finite number, or a whole one that float32 would round.
    """
    if array.dtype.kind not in "iubf":
        raise GeometryError("a colour, vector or complex image; one value per voxel expected")
    if array.dtype.kind in "iub":
        low, high = int(array.min()), int(array.max())
        if low >= INT16.min and high <= INT16.max:
            return array.astype(np.int16)
        if max(-low, high) > LARGEST_WHOLE:
            raise PixelDataError(
                f"whole numbers from {low} to {high}; beyond {LARGEST_WHOLE:,} they are rounded"
            )
    with np.errstate(over="ignore"):
        image = array.astype(np.float32)
    if not np.isfinite(image).all():
        raise PixelDataError("the image holds values that are not finite numbers")
    return image
