"""Whether what the model `head` found is a head at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's own short name

from medrecon.core import SoftField
from medrecon.errors import ModelUntrustedError
from medrecon.segmentation.ellipsoid import Ellipsoid, places_mm

# mL. Less than this of a brain is not worth a mesh even where a scan ends early; more is
# no skull's content.
LEAST_BRAIN_ML, MOST_BRAIN_ML = 150.0, 2200.0
# No brain is longer; muscles of legs are.
LONGEST_BRAIN_MM = 220.0
# A brain's surface lies within this of bone, but for its base, its cut ends and windows.
NEAR_BONE_MM = 12.0
LEAST_NEAR_BONE = 0.5
# Of a brain as large as this the middle is in the image, and ventricles with it: 7.8 to 91 mL
# in the label maps 01 to 18.
MOSTLY_THERE_ML = 700.0
LEAST_VENTRICLES_ML = 5.0
# Then it is nearly an ellipsoid too, and its ventricles lie around the middle: within this of
# the way to the ellipsoid's surface. Real heads have 0.95 and 0.9 of it, legs 0.89 and 0.8 or less.
LEAST_OF_ELLIPSOID = 0.9
MIDDLE = 0.6
LEAST_IN_MIDDLE = 0.8
NO_HEAD = "the image shows no head that model head understands"


def require_head(fields: Sequence[SoftField]) -> None:
    """Refuse a result in which no brain lies in a skull.

    For models that look for a brain, its ventricles and a skull.

    Parameters
    ----------
    fields : sequence of SoftField
        On one grid.

    Raises
    ------
    ModelUntrustedError
        If there is no brain of a possible size and length; if it is large and has not a
        brain's shape, no ventricles or ventricles elsewhere than in its middle; or if less
        than half of its surface has bone beside it: the image shows no head, or the network
        does not understand it.
    """
    by_name = {f.label.name: f for f in fields}
    brain, skull = by_name.get("brain"), by_name.get("skull")
    if brain is None or skull is None:
        missing = "brain" if brain is None else "skull"
        raise ModelUntrustedError(f"{NO_HEAD}: the network found no {missing}")
    size_ml = _volume_ml(brain)
    if not LEAST_BRAIN_ML <= size_ml <= MOST_BRAIN_ML:
        raise ModelUntrustedError(
            f"{NO_HEAD}: a brain of {size_ml:.0f} mL, "
            f"{LEAST_BRAIN_ML:.0f} to {MOST_BRAIN_ML:.0f} expected"
        )
    ventricles = by_name.get("ventricles")
    shape = Ellipsoid.of([brain] if ventricles is None else [brain, ventricles])
    if shape.length_mm > LONGEST_BRAIN_MM:
        raise ModelUntrustedError(
            f"{NO_HEAD}: a brain {shape.length_mm:.0f} mm long, "
            f"{LONGEST_BRAIN_MM:.0f} mm at most expected"
        )
    if size_ml >= MOSTLY_THERE_ML:
        _require_whole(shape, size_ml, ventricles)
    share = near_bone(brain, skull)
    if share < LEAST_NEAR_BONE:
        raise ModelUntrustedError(
            f"{NO_HEAD}: {int(100 * share)} % of the brain's surface has bone within "
            f"{NEAR_BONE_MM:.0f} mm, at least {100 * LEAST_NEAR_BONE:.0f} % expected "
            "(a brain whose skull was taken away in the image: --force-model)"
        )


def _require_whole(shape: Ellipsoid, size_ml: float, ventricles: SoftField | None) -> None:
    """Refuse what is as large as a brain without its shape, or its ventricles in the middle."""
    ventricles_ml = 0.0 if ventricles is None else _volume_ml(ventricles)
    if ventricles is None or ventricles_ml < LEAST_VENTRICLES_ML:
        raise ModelUntrustedError(
            f"{NO_HEAD}: ventricles of {ventricles_ml:.0f} mL in a brain of {size_ml:.0f} mL, "
            f"at least {LEAST_VENTRICLES_ML:.0f} mL expected"
        )
    if shape.share_filled < LEAST_OF_ELLIPSOID:
        raise ModelUntrustedError(
            f"{NO_HEAD}: a brain that fills {int(100 * shape.share_filled)} % of its ellipsoid, "
            f"at least {100 * LEAST_OF_ELLIPSOID:.0f} % expected"
        )
    central = float((shape.radius(places_mm(ventricles)) < MIDDLE).mean())
    if central < LEAST_IN_MIDDLE:
        raise ModelUntrustedError(
            f"{NO_HEAD}: {int(100 * central)} % of the ventricles lie in the brain's middle, "
            f"at least {100 * LEAST_IN_MIDDLE:.0f} % expected"
        )


def _volume_ml(field: SoftField) -> float:
    return float(np.count_nonzero(field.values > 0) * field.grid.voxel_volume_mm3 / 1000)


def near_bone(brain: SoftField, skull: SoftField) -> float:
    """Share of the brain's surface with bone within `NEAR_BONE_MM`."""
    grid = brain.grid
    inside = np.zeros(grid.shape, np.uint8, order="F")
    inside[brain.slices] = brain.values > 0
    bone = np.zeros(grid.shape, np.uint8, order="F")
    bone[skull.slices] = skull.values > 0
    # Every other voxel of a fine grid tells a share as well.
    step = tuple(max(1, round(2.0 / s)) for s in grid.spacing_mm)
    i, j, k = (slice(None, None, n) for n in step)
    inside, bone = inside[i, j, k], bone[i, j, k]
    image = sitk.GetImageFromArray(np.ascontiguousarray(bone.T))
    image.SetSpacing([float(s * n) for s, n in zip(grid.spacing_mm, step, strict=True)])
    distance = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    ).T
    padded = np.pad(inside.astype(bool), 1, mode="edge")
    surface = np.zeros(inside.shape, np.bool_)
    for axis in range(3):
        for way in (-1, 1):
            surface |= ~np.roll(padded, way, axis)[1:-1, 1:-1, 1:-1]
    surface &= inside.astype(bool)
    return float((distance[surface] <= NEAR_BONE_MM).mean()) if surface.any() else 0.0
