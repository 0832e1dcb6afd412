"""What a network is given: images on its grid, normalised, in its channels' order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Volume
from medrecon.models.grid import network_grid, oriented, oriented_geometry
from medrecon.models.intensity import normalise_channels
from medrecon.models.manifest import Manifest
from medrecon.models.sampling import Crop
from medrecon.resampling import resample_volume
from medrecon.segmentation.morphology import bounding_box
from medrecon.segmentation.planned import planned_image

FloatField = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A network's input.

    Parameters
    ----------
    image : ndarray of float32, shape (channel, i, j, k)
    grid : Geometry
        Of the image's last three axes.
    cropped : bool
        Whether the grid is only a part of the image, outside of which nothing is found.
    """

    image: FloatField
    grid: Geometry
    cropped: bool = False


def prepare(volumes: Sequence[Volume], manifest: Manifest) -> Prepared:
    """The input that a manifest describes.

    Parameters
    ----------
    volumes : sequence of Volume
        One for each channel of the model, all on one grid.
    manifest : Manifest
    """
    first, orientation = volumes[0].geometry, manifest.sampling.orientation
    if manifest.planned is not None:
        turned = [oriented(v.array, first, orientation) for v in volumes]
        stack = np.stack(turned).astype(np.float32)
        image, grid = planned_image(stack, oriented_geometry(first, orientation), manifest)
        return Prepared(image, grid, cropped=True)
    grid = network_grid(first, manifest.sampling)
    # In float: rounding to whole HU between the grids would be noise of its own.
    exact = [replace(v, array=v.array.astype(np.float32)) for v in volumes]
    stack = np.stack([resample_volume(v, grid).array for v in exact])
    image = normalise_channels(stack, manifest.intensities)
    if manifest.sampling.crop is not Crop.FOREGROUND:
        return Prepared(image, grid)
    box = bounding_box(np.asarray((image > 0).any(axis=0)))
    if box is None:
        return Prepared(image, grid)
    part = image[(slice(None), *box)]
    return Prepared(part, grid.crop([s.start for s in box], part.shape[1:]), cropped=True)
