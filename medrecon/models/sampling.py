"""The grid and the tiles that a network was trained for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from medrecon.errors import ModelError


class Anchor(Enum):
    """Where the network's grid is fastened to the image's."""

    CENTRE = "centre"
    """Both grids have one middle; the network's covers the image's edges."""
    FIRST_VOXEL = "first voxel"
    """The first oriented voxel's centre stays, as MONAI's ``Spacing`` does it."""
    EDGES = "edges"
    """Both grids have the same edges; the spacing gives way, as nnU-Net does it."""


class Blend(Enum):
    """How overlapping tiles are put together."""

    GAUSSIAN = "gaussian"
    CONSTANT = "constant"
    WHOLE = "whole"
    """No tiles: the whole grid at once."""
    EVEN = "even gaussian"
    """Tiles at even distances with Gaussian weights, as nnU-Net does it."""


class Crop(Enum):
    """What is cut away before the network; nothing is found there."""

    NONE = "none"
    NONZERO = "nonzero"
    """Kept: the box around all that is not zero, before normalisation (nnU-Net)."""
    FOREGROUND = "foreground"
    """Kept: the box around all above zero, after normalisation (MONAI's CropForeground)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """The grid and the tiles that the network was trained for.

    Parameters
    ----------
    spacing_mm : tuple of float or None
        Along the oriented axes; None runs the model on the image's own spacing.
    orientation : str
        Patient directions that the three axes run *to*, in the nearest sense (an
        oblique image stays oblique): "LPS" is medrecon's own, "RAS" NIfTI's. Or the
        image's own axes in an order, as they are stored: "ijk", "kji".
    patch : tuple of int
        Voxels of one tile along the oriented axes.
    overlap : float
        Share of a tile that its neighbour sees again, 0 ≤ overlap < 1.
    anchor : Anchor
    blend : Blend
    crop : Crop
    pad_edge : bool
        Whether an image smaller than a tile is padded with its edge instead of zeros.
    """

    spacing_mm: tuple[float, float, float] | None
    orientation: str
    patch: tuple[int, int, int]
    overlap: float = 0.5
    anchor: Anchor = Anchor.CENTRE
    blend: Blend = Blend.GAUSSIAN
    crop: Crop = Crop.NONE
    pad_edge: bool = False

    def __post_init__(self) -> None:
        axes = {frozenset("LR"), frozenset("AP"), frozenset("SI")}
        letters = all(len(set(self.orientation) & pair) == 1 for pair in axes)
        if len(self.orientation) != 3 or not (letters or sorted(self.orientation) == list("ijk")):
            raise ModelError(
                f"an orientation of {self.orientation!r}; one letter each of LR, AP, SI expected, "
                "or i, j and k in an order"
            )
        if self.spacing_mm is not None and not all(0 < s < math.inf for s in self.spacing_mm):
            raise ModelError(f"a spacing of {self.spacing_mm} mm; positive numbers expected")
        if min(self.patch) < 1 or not 0 <= self.overlap < 1:
            raise ModelError(f"a patch of {self.patch} voxels with an overlap of {self.overlap}")


@dataclass(frozen=True, slots=True)
class PlannedResampling:
    """How nnU-Net's plans resample the image: normalised first, then from edge to edge.

    Parameters
    ----------
    order : int
        Of the spline in the plane, or in space.
    order_z : int
        Across the planes, where these are resampled apart.
    separate_z : bool or None
        Whether planes are resampled one by one; None: where the spacing differs by
        more than `ANISOTROPY`.
    """

    order: int = 3
    order_z: int = 0
    separate_z: bool | None = None

    def __post_init__(self) -> None:
        if self.order not in range(6) or self.order_z not in range(6):
            raise ModelError(f"splines of order {self.order} and {self.order_z}; 0 to 5 expected")
