"""An image prepared as nnU-Net's plans say: cropped, normalised, then resampled.

The order matters: a mask of what is not zero, and an image's own mean, are others once
the image is resampled. Grids have the same *edges*, so the spacing gives way to a whole
number of voxels.

References
----------
Isensee F. et al., "nnU-Net: a self-configuring method for deep learning-based biomedical
image segmentation", Nature Methods 2021, doi:10.1038/s41592-020-01008-z.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medrecon.core import Geometry
from medrecon.models.grid import network_grid
from medrecon.models.intensity import Intensity, IntensityKind, normalise
from medrecon.models.manifest import Manifest
from medrecon.models.sampling import PlannedResampling, Sampling
from medrecon.segmentation.morphology import bounding_box

FloatField = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Triple = tuple[float, float, float]

# Ratio of the largest to the smallest spacing above which planes are resampled apart.
ANISOTROPY = 3.0


def planned_image(
    stack: FloatField, geometry: Geometry, manifest: Manifest
) -> tuple[FloatField, Geometry]:
    """The network's input and its grid.

    Parameters
    ----------
    stack : ndarray of float32, shape (channel, i, j, k)
        Along the model's axes (`grid.oriented`).
    geometry : Geometry
        Of `stack`.
    manifest : Manifest
        With `planned` set.

    Returns
    -------
    image : ndarray of float32, shape (channel, i, j, k)
    grid : Geometry
        Over the part of the image that is not zero; nothing is found outside.
    """
    planned = manifest.planned or PlannedResampling()
    inside = ndimage.binary_fill_holes((stack != 0).any(axis=0))
    box = bounding_box(inside) or tuple(slice(0, n) for n in inside.shape)
    part, mask = stack[(slice(None), *box)], inside[box]
    shape = (part.shape[1], part.shape[2], part.shape[3])
    cropped = geometry.crop([s.start for s in box], shape)
    scaled = [
        _normalised(image, intensity, mask)
        for image, intensity in zip(part, _each(manifest), strict=True)
    ]
    sampling = manifest.sampling
    grid = network_grid(
        cropped, Sampling(sampling.spacing_mm, "ijk", (1, 1, 1), 0, sampling.anchor)
    )
    apart = separate_axis(cropped.spacing_mm, sampling.spacing_mm or cropped.spacing_mm, planned)
    return np.stack([resize(image, grid.shape, planned, apart) for image in scaled]), grid


def separate_axis(spacing_mm: Triple, target_mm: Triple, planned: PlannedResampling) -> int | None:
    """The axis across which planes are resampled apart, or None.

    The one of the largest spacing, of the image or else of the target, if it is
    more than `ANISOTROPY` times the smallest; never if two axes share it.
    """
    for spacing in (spacing_mm, target_mm):
        wide = planned.separate_z
        if wide is None:
            wide = max(spacing) / min(spacing) > ANISOTROPY
        if wide:
            largest = [n for n, s in enumerate(spacing) if s == max(spacing)]
            return largest[0] if len(largest) == 1 else None
    return None


def resize(
    values: FloatField, shape: tuple[int, ...], planned: PlannedResampling, axis: int | None
) -> FloatField:
    """An array on another number of voxels between the same edges.

    Parameters
    ----------
    values : ndarray of float32, shape (i, j, k)
    shape : tuple of int
    planned : PlannedResampling
        Order of the splines.
    axis : int or None
        Planes across this axis are resized one by one, and then across it.
    """
    if values.shape == shape:
        return values
    exact = values.astype(np.float64)
    if axis is None:
        return _zoomed(exact, shape, planned.order).astype(np.float32)
    flat = tuple(n for a, n in enumerate(shape) if a != axis)
    planes = [_zoomed(plane, flat, planned.order) for plane in np.moveaxis(exact, axis, 0)]
    stacked = np.stack(planes, axis=axis)
    if stacked.shape[axis] != shape[axis]:
        position = (np.arange(shape[axis]) + 0.5) * (values.shape[axis] / shape[axis]) - 0.5
        stacked = _along(stacked, axis, position, planned.order_z)
    return stacked.astype(np.float32)


def _zoomed(
    values: npt.NDArray[np.float64], shape: tuple[int, ...], order: int
) -> npt.NDArray[np.float64]:
    """Spline interpolation from edge to edge, held within the values that were there."""
    if values.shape == shape:
        return values
    factors = [n / old for n, old in zip(shape, values.shape, strict=True)]
    zoomed: npt.NDArray[np.float64] = ndimage.zoom(
        values, factors, order=order, mode="nearest", grid_mode=True
    )
    return np.clip(zoomed, values.min(), values.max())


def _along(
    values: npt.NDArray[np.float64], axis: int, position: npt.NDArray[np.float64], order: int
) -> npt.NDArray[np.float64]:
    """Spline interpolation along one axis at fractional positions."""
    index = [np.arange(n, dtype=float) for n in values.shape]
    index[axis] = position
    grid = np.meshgrid(*index, indexing="ij", copy=False)
    return np.asarray(ndimage.map_coordinates(values, grid, order=order, mode="nearest"))


def _each(manifest: Manifest) -> tuple[Intensity, ...]:
    return manifest.channel_intensities or (manifest.intensity,) * len(manifest.channels)


def _normalised(image: FloatField, intensity: Intensity, inside: Mask) -> FloatField:
    """One channel; a masked z-score is taken over all that lies inside, holes too."""
    if intensity.kind is not IntensityKind.ZSCORE or not intensity.nonzero:
        return normalise(image, intensity)
    chosen = image[inside]
    mean, deviation = chosen.mean(dtype=np.float64), chosen.std(dtype=np.float64)
    out: FloatField = image.astype(np.float32)
    out[inside] = (chosen - np.float32(mean)) / np.float32(max(deviation, 1e-8))
    return out
