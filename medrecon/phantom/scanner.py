"""A simulated CT scanner: partial volume, blur, noise, whole Hounsfield units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, special

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.phantom.render import Image, Layer, paint

LOWEST_HU = -1024.0


@dataclass(frozen=True, slots=True)
class Scanner:
    """How the image is blurred and what noise it has.

    Parameters
    ----------
    sigma_mm : tuple of float
        Gaussian point spread along x, y and z of the grid's own axes; comes on top of
        the average over each voxel (partial volume).
    noise_hu : float
        Standard deviation in the middle of the field of view.
    supersampling : int
        Samples per voxel axis where a surface passes.
    """

    sigma_mm: tuple[float, float, float] = (0.5, 0.5, 0.4)
    noise_hu: float = 10.0
    supersampling: int = 3


def scan(
    layers: Sequence[Layer],
    geometry: Geometry,
    scanner: Scanner,
    seed: int,
    *,
    background_hu: float = -1000.0,
    body_part: str = "",
) -> Volume:
    """The layers as the scanner sees them: int16 HU, marked as a phantom.

    The noise depends on the seed and the grid's shape only.
    """
    image = paint(
        layers, geometry, background_hu=background_hu, supersampling=scanner.supersampling
    )
    spread = zip(scanner.sigma_mm, geometry.spacing_mm, strict=True)
    image = blurred(image, [sigma / spacing for sigma, spacing in spread])
    hu = np.empty(geometry.shape, dtype=np.int16, order="F")
    for k, grain in enumerate(noise(geometry.shape, np.random.default_rng([seed, 1]))):
        hu[:, :, k] = np.rint(np.maximum(image[:, :, k] + scanner.noise_hu * grain, LOWEST_HU))
    acquisition = Acquisition(
        modality=Modality.CT,
        hu=HuStatus.VERIFIED,
        hu_reason="made by medrecon as Hounsfield units",
        slice_thickness_mm=geometry.spacing_mm[2],
        is_phantom=True,
        body_part=body_part,
    )
    return Volume(hu, geometry, acquisition)


def blurred(image: Image, sigma_voxels: Sequence[float]) -> Image:
    """The image under a Gaussian of that many voxels per axis; edges are continued.

    The kernel is the discrete analogue of the Gaussian, whose variance is exact even
    where sigma is half a voxel.

    References
    ----------
    Lindeberg 1990, doi:10.1109/34.49051.
    """
    for axis, sigma in enumerate(sigma_voxels):
        if sigma > 0:
            reach = max(2, math.ceil(5 * sigma))
            kernel = special.ive(np.abs(np.arange(-reach, reach + 1)), sigma * sigma)
            image = ndimage.convolve1d(image, kernel / kernel.sum(), axis=axis, mode="nearest")
    return image


def noise(
    shape: tuple[int, int, int], rng: np.random.Generator, correlation_voxels: float = 0.9
) -> Iterator[Image]:
    """Slice after slice of unit noise, correlated in plane, weaker towards the rim.

    The sum over the projections makes CT noise strongest in the middle of the field.
    """
    i, j, slices = shape
    u = np.linspace(-1, 1, i, dtype=np.float32)[:, None]
    v = np.linspace(-1, 1, j, dtype=np.float32)[None, :]
    profile: Image = (1.1 - 0.5 * np.minimum(np.sqrt(u * u + v * v), 1)).astype(np.float32)
    white = special.ive(np.arange(-4, 5), correlation_voxels**2)
    gain = float((white / white.sum()) @ (white / white.sum()))
    for _ in range(slices):
        plane = rng.standard_normal((i, j), dtype=np.float32)
        yield blurred(plane, (correlation_voxels,) * 2) * (profile / gain)
