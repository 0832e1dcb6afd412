"""What can be read off the training pairs: spacing, patch, intensity, network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medrecon.core import Geometry, Modality, Volume
from medrecon.errors import UsageError
from medrecon.models.grid import oriented_axes
from medrecon.models.manifest import Intensity, IntensityKind, Literal, NetworkSpec

# Voxels of a patch that a small network takes a second for on one core of a CPU.
LARGEST_PATCH = 96**3
ORIENTATION = "LPS"
# Spacings are decimals: finer differences are rounding of the header.
SPACING_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Survey:
    """What the training images have in common, along the axes of `ORIENTATION`.

    Parameters
    ----------
    spacing_mm : tuple of float
        Median.
    shape : tuple of int
        95th percentile of the sizes at that spacing.
    """

    spacing_mm: tuple[float, float, float]
    shape: tuple[int, int, int]


def survey(geometries: Sequence[Geometry], spacing_mm: float | None = None) -> Survey:
    """Spacing and size of the training images; the spacing may be given."""
    spacings, extents = [], []
    for geometry in geometries:
        order, _ = oriented_axes(geometry, ORIENTATION)
        spacing = np.asarray(geometry.spacing_mm)[list(order)]
        spacings.append(spacing)
        extents.append(spacing * np.asarray(geometry.shape)[list(order)])
    middle = np.round(np.median(spacings, axis=0), SPACING_DECIMALS)
    if spacing_mm is not None:
        middle = np.full(3, spacing_mm)
    x, y, z = (float(v) for v in middle)
    i, j, k = (
        int(math.ceil(v - 1e-4)) for v in np.percentile(np.array(extents) / middle, 95, axis=0)
    )
    return Survey((x, y, z), (i, j, k))


def patch_for(
    shape: Sequence[int], levels: int, largest: int = LARGEST_PATCH
) -> tuple[int, int, int]:
    """Voxels of a patch: the whole image if it fits, in steps that the network can halve.

    Where it does not fit, the longest axis is shortened first.
    """
    step = 2**levels
    size = [step * max(1, math.ceil(n / step)) for n in shape]
    while math.prod(size) > largest and max(size) > 2 * step:
        size[size.index(max(size))] -= step
    i, j, k = size
    return i, j, k


def intensity_for(modality: Modality, volumes: Sequence[Volume]) -> Intensity:
    """CT: a window over the values that occur; anything else: its own mean and spread."""
    if modality is not Modality.CT:
        return Intensity(IntensityKind.ZSCORE)
    low = min(float(np.percentile(v.array, 0.5)) for v in volumes)
    high = max(float(np.percentile(v.array, 99.5)) for v in volumes)
    return Intensity(IntensityKind.WINDOW, low=round(low), high=round(high) + 1.0)


def network_for(
    kind: str,
    features: Sequence[int],
    classes: int,
    *,
    residual_units: int = 1,
    strides: Sequence[int] = (),
    activation: str = "PRELU",
) -> NetworkSpec:
    """A network of that kind with so many features a level, coarser by two at each.

    ``UNet`` halves the grid at once, which is cheap; ``DynUNet`` keeps a level on the
    full grid, costs three times as much, and is deeply supervised. `residual_units` are
    a ``UNet``'s convolutions beside each change of size; 0 is three times cheaper than 1.
    `strides` are a ``UNet``'s from level to level, 2 each unless they are given; a level
    after a stride of 1 looks at its grid once more, coarse and fine features together.
    `activation` is a ``UNet``'s, by MONAI's name.

    Raises
    ------
    UsageError
        If the kind is unknown, there are fewer than two levels, or another number of
        strides than steps between them.
    """
    count = len(features)
    if count < 2 or min(features) < 1:
        raise UsageError(f"features {list(features)}: at least two positive numbers expected")
    strides = strides or (count - 1) * [2]
    if len(strides) != count - 1:
        raise UsageError(f"{len(strides)} strides between {count} levels")
    common: dict[str, Literal] = {"spatial_dims": 3, "in_channels": 1, "out_channels": classes}
    if kind == "UNet":
        return NetworkSpec(
            "UNet",
            {
                **common,
                "channels": _listed(*features),
                "strides": _listed(*strides),
                "num_res_units": residual_units,
                "norm": "INSTANCE",
                **({} if activation == "PRELU" else {"act": activation}),
            },
        )
    if kind == "DynUNet":
        return NetworkSpec(
            "DynUNet",
            {
                **common,
                "kernel_size": _listed(*count * [3]),
                "strides": _listed(1, *(count - 1) * [2]),
                "upsample_kernel_size": _listed(*(count - 1) * [2]),
                "filters": _listed(*features),
                "deep_supervision": count > 2,
                "deep_supr_num": max(1, min(2, count - 2)),
            },
        )
    raise UsageError(f"a network {kind!r}; UNet or DynUNet expected")


def _listed(*numbers: int) -> list[Literal]:
    """Numbers as a manifest holds them."""
    return [int(n) for n in numbers]
