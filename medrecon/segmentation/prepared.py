"""What a network is given: images on its grid, normalised, in its channels' order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Volume
from medrecon.models.grid import network_grid, oriented, oriented_geometry
from medrecon.models.intensity import normalise_channels
from medrecon.models.manifest import Manifest
from medrecon.models.sampling import Crop
from medrecon.segmentation.axis_map import AxisMap
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
    stack = np.stack([linear_onto(v.array, first, grid) for v in volumes])
    image = normalise_channels(stack, manifest.intensities)
    if manifest.sampling.crop is not Crop.FOREGROUND:
        return Prepared(image, grid)
    box = bounding_box(np.asarray((image > 0).any(axis=0)))
    if box is None:
        return Prepared(image, grid)
    part = image[(slice(None), *box)]
    return Prepared(part, grid.crop([s.start for s in box], part.shape[1:]), cropped=True)


def linear_onto(array: npt.NDArray[Any], source: Geometry, target: Geometry) -> FloatField:
    """An image on a grid with parallel axes, linear between voxel centres, float32.

    Beyond the outermost centres the edge is repeated. Positions are exact: VTK's fast
    interpolation rounds them to 2⁻¹⁶ of a voxel, which at the edge of the body is
    0.01 HU, and a network with instance normalisation makes 10⁻⁴ of a logit of that.

    Raises
    ------
    GeometryError
        If the grids' axes are not parallel.
    """
    axes = AxisMap.between(source, target)
    out = array.transpose(axes.axis).astype(np.float32)
    shrink = [target.shape[a] / out.shape[a] for a in range(3)]
    # What shrinks most comes first: the rest is then done on fewer voxels.
    for a in sorted(range(3), key=lambda a: shrink[a]):
        last = out.shape[a] - 1
        position = np.clip(axes.position(a, slice(0, target.shape[a])), 0, last)
        low = np.minimum(np.floor(position).astype(np.intp), max(last - 1, 0))
        if np.array_equal(position, np.arange(last + 1)):
            continue
        share = (position - low).astype(np.float32).reshape([-1 if n == a else 1 for n in range(3)])
        upper = out.take(np.minimum(low + 1, last), axis=a)
        out = out.take(low, axis=a)
        upper -= out
        upper *= share
        out += upper
    return out
