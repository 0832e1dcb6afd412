"""A network's boundary, moved to where the native image has it.

A network runs on coarser voxels than the scan; its surface is right to a part of one of
them. In a thin shell on each side of that surface the image's local means tell what
is inside and what lies directly outside; half way between them is the level at which
the edge lies. The shells are thin on purpose: a few millimetres further out there may
be another organ, a lung or a bone, and its brightness says nothing about this edge.

References
----------
Half-maximum edges in CT: Prevrhal S. et al. 1999, doi:10.1088/0031-9155/44/3/017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - the library's own short name
from scipy.ndimage import gaussian_filter, map_coordinates

from medrecon.core import SoftField, Volume, away_from_zero
from medrecon.core.geometry import Triple

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shells:
    """Where the means are taken, in mm from the surface as known so far.

    Parameters
    ----------
    near_mm : tuple of float
        One pass for each: closer than this the image is a mixture of both sides. In the
        first pass that is the network's error, later the scanner's blur and a voxel.
    width_mm : float
        How thick a shell is. A layer of fat between two organs is 3 mm thin.
    reach_mm : float
        How far a pass may move the surface: half a voxel of a network at 3 mm.
    blur_mm : float
        Standard deviation of the window of the local means.
    contrast_to_noise : float
        Below it the sides cannot be told apart, and the network's surface stays.
    """

    near_mm: tuple[float, ...] = (1.2, 1.6, 1.8)
    width_mm: float = 1.4
    reach_mm: float = 1.8
    blur_mm: float = 1.0
    contrast_to_noise: float = 4.0


def place_by_shells(
    field: SoftField, volume: Volume, shells: Shells | None = None
) -> tuple[SoftField, float]:
    """The field with its zero at the local half-maximum, and the share left uncertain.

    Parameters
    ----------
    field : SoftField
        A network's, on the volume's grid.
    volume : Volume
        The native image.
    shells : Shells, optional

    Returns
    -------
    field : SoftField
        float32, in units of the image above the level where the edge is certain, and
        proportional to the distance from the network's surface elsewhere.
    uncertain : float
        Share of the surface's voxels at which the surface was kept in the last pass.
    """
    how = shells or Shells()
    uncertain = 0.0
    image = volume.array[field.slices].astype(np.float32)
    for near_mm in how.near_mm:
        field, uncertain = _one_pass(field, image, near_mm, how)
    return field, uncertain


def _one_pass(
    field: SoftField, image: Floats, near_mm: float, how: Shells
) -> tuple[SoftField, float]:
    spacing = field.grid.spacing_mm
    distance = signed_distance_mm(field.values > 0, spacing)
    band = np.flatnonzero((np.abs(distance) < how.reach_mm).ravel(order="F"))
    values = distance / np.float32(max(spacing))
    if not len(band):
        return _with_values(field, values), 0.0
    depth = near_mm + how.width_mm / 2
    inside = _beside(image, distance, band, spacing, (near_mm, depth, how))
    outside = _beside(image, -distance, band, spacing, (near_mm, depth, how))
    contrast = inside - outside
    # Rounding of the means is no contrast either.
    rounding = 1e-4 * float(np.abs(image).max())
    enough = max(how.contrast_to_noise * _noise(image, distance, near_mm), rounding)
    certain = np.abs(contrast) > enough
    at = image.ravel(order="F")[band]
    # A blurred step of contrast c rises by about c/2 a voxel: in units of a voxel's rise
    # the edge and the distance that is kept elsewhere join smoothly.
    with np.errstate(invalid="ignore", divide="ignore"):
        edge = (at - (inside + outside) / 2) / contrast * 2
    flat = values.ravel(order="F")
    flat[band] = np.where(certain, edge, flat[band])
    surface = np.abs(distance.ravel(order="F")[band]) <= min(spacing)
    uncertain = float(np.mean(~certain[surface])) if surface.any() else 0.0
    return _with_values(field, flat.reshape(values.shape, order="F")), uncertain


def _with_values(field: SoftField, values: Floats) -> SoftField:
    safe = away_from_zero(values.astype(np.float32))
    return SoftField(field.label, safe, field.grid, field.start, field.unmeasured)


def _beside(
    image: Floats,
    distance: Floats,
    band: npt.NDArray[np.intp],
    spacing_mm: Triple,
    shell: tuple[float, float, Shells],
) -> Floats:
    """Mean of the image at the foot of each voxel of the band in the shell at its side.

    The foot lies `depth` mm inside along the distance's own gradient, so an edge's
    sides are found straight across it, whatever lies beside.
    """
    near_mm, depth_mm, how = shell
    mask = (distance > near_mm) & (distance < near_mm + how.width_mm)
    sigma = [how.blur_mm / s for s in spacing_mm]
    weight = gaussian_filter(mask.astype(np.float32), sigma, truncate=2.5)
    total = gaussian_filter(np.where(mask, image, np.float32(0)), sigma, truncate=2.5)
    index = np.array(np.unravel_index(band, image.shape, order="F"), dtype=np.float64)
    slope = np.stack(
        [
            np.gradient(distance, s, axis=axis).ravel(order="F")[band]
            for axis, s in enumerate(spacing_mm)
        ]
    )
    step_mm = depth_mm - distance.ravel(order="F")[band]
    length = np.maximum(np.linalg.norm(slope, axis=0), 0.5)
    foot = index + slope / length * step_mm / np.array(spacing_mm)[:, None]
    sums = map_coordinates(total, foot, order=1, mode="nearest")
    counts = map_coordinates(weight, foot, order=1, mode="nearest")
    overall = np.float32(image[mask].mean(dtype=np.float64)) if mask.any() else np.float32(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Floats = np.where(counts > 1e-3, sums / counts, overall)
    return mean


def signed_distance_mm(inside: npt.NDArray[np.bool_], spacing_mm: Triple) -> Floats:
    """Distance in mm from the surface between the voxels, positive inside (Maurer's)."""
    image = sitk.GetImageFromArray(inside.T.astype(np.uint8))
    image.SetSpacing(spacing_mm)
    found = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True
    )
    distance: Floats = sitk.GetArrayFromImage(found).T
    return distance


def _noise(image: Floats, distance: Floats, near_mm: float) -> float:
    """Standard deviation deep inside, from differences of neighbours (a robust estimate)."""
    deep = distance > near_mm
    both = deep[1:] & deep[:-1]
    if not both.any():
        return 0.0
    step = np.abs(np.diff(image, axis=0)[both])
    # The median of the size of a normal difference of variance 2σ² is 0.6745·√2·σ.
    return float(np.median(step)) / (0.6745 * math.sqrt(2))
