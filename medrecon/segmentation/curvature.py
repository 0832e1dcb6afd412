"""What a scanner's blur does to a curved surface, undone.

A blurred edge crosses its half-maximum where the edge is only if the edge is flat. Where
the surface is convex, less of the inside lies within the blur than of the outside: the
half-maximum moves inwards, by half the blur's variance times the surface's curvature (a
ball of 20 voxels loses 0.08 of one through a blur of 1.2, a tube of 4 loses 0.2). Both
factors can be read from the image: the blur from how steeply the edge rises for its
contrast, the curvature from how the levels bend. So the field is raised by that much. It
is smoothed on the way, which takes noise away and adds a blur that is known exactly.

References
----------
Bouma H. et al. Correction for the dislocation of curved surfaces caused by the PSF in 2D
and 3D CT images. IEEE Trans Pattern Anal Mach Intell 2005, DOI 10.1109/TPAMI.2005.193.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates

from medrecon.core import SoftField, away_from_zero
from medrecon.segmentation.surfaces import neighbours_of, surface_voxels

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Voxels. A longer filter would take more noise away, and more of the structure's detail.
_SMOOTHING = 1.0

# Steps beyond which the two sides must have settled, in blurs; and how far they must.
_SIDES_AT = 2.0
_SETTLED = 0.3
# How unlike they may be: where the level is not half way, smoothing itself would move it.
_UNLIKE = 0.15

# A ball smaller than this many blurs is no longer a curved edge but a blob: the formula
# ends there.
_LEAST_RADIUS = 2.0

MOST_VOXELS = 16_000_000
"""Larger blocks stay: a structure that needs them bends so little that a hundredth of a
voxel would be gained."""


@dataclass(frozen=True, slots=True, eq=False)
class _Bent:
    """A smoothed field at some voxels: value, slope, unit normal and curvature, per mm."""

    value: Doubles
    steepness: Doubles
    normal: Doubles
    along: Doubles
    """(3, n) curvature times steepness along each axis, positive where convex."""


def without_blur_shift(field: SoftField, contrast: float) -> tuple[SoftField, float | None]:
    """The field with its surface where it was before the scanner's blur moved it.

    Parameters
    ----------
    field : SoftField
        Proportional to the image's value above the level of the edge, near the surface.
    contrast : float
        The edge's whole step, from the outside's value to the inside's, in the field's
        unit. Where the sides do not settle at about half of it (a thin wall, a
        neighbour), the field is left as it is.

    Returns
    -------
    field : SoftField
        Of the same dtype, changed within two voxels of the surface.
    blur_mm : float or None
        Standard deviation of the scanner's blur, without the voxel's own; None if
        there was nothing to measure it at.
    """
    if field.values.size > MOST_VOXELS or not np.isfinite(contrast) or contrast <= 0:
        return field, None
    step = np.float32(contrast)
    # One structure in front of nothing: whatever lies further up or down does not count.
    part = np.clip(field.values / step, -0.5, 0.5).astype(np.float32)
    band = _band(part)
    spacing = np.array(field.grid.spacing_mm)
    smooth = gaussian_filter(part, _SMOOTHING, mode="nearest")
    bent = _bent(smooth, band, spacing)
    own = spacing**2 * (_SMOOTHING**2 + 1 / 12)
    variance = _scanner_variance(bent, own)
    if variance is None:
        return field, None
    raised = _raised(bent, variance + own)
    reach_mm = _SIDES_AT * float(np.sqrt(variance + own.max()))
    keep = _settled(part, band, bent, spacing, reach_mm) & np.isfinite(raised)
    return _with(field, band[keep], raised[keep] * step), float(np.sqrt(variance))


def _band(part: Floats) -> Ints:
    """Flat indices (C order) of voxels at the surface and their neighbours."""
    first = surface_voxels(part > 0)
    near = np.union1d(first, neighbours_of(first, part.shape))
    place = np.stack(np.unravel_index(near, part.shape))
    inner = ((place > 0) & (place < np.array(part.shape)[:, None] - 1)).all(axis=0)
    found: Ints = near[inner]
    return found


def _bent(smooth: Floats, band: Ints, spacing: Doubles) -> _Bent:
    """By differences of neighbours."""
    flat = smooth.reshape(-1)
    step = np.array([smooth.shape[1] * smooth.shape[2], smooth.shape[2], 1])

    def at(offset: int) -> Doubles:
        return flat[band + offset].astype(np.float64)

    here = at(0)
    slope, second = np.empty((3, len(band))), np.empty((3, 3, len(band)))
    for a in range(3):
        ahead, behind = at(step[a]), at(-step[a])
        slope[a] = (ahead - behind) / (2 * spacing[a])
        second[a, a] = (ahead - 2 * here + behind) / spacing[a] ** 2
        for b in range(a):
            corners = at(step[a] + step[b]) - at(step[a] - step[b])
            corners += at(-step[a] - step[b]) - at(step[b] - step[a])
            second[a, b] = second[b, a] = corners / (4 * spacing[a] * spacing[b])
    steep = np.maximum(np.linalg.norm(slope, axis=0), 1e-9)
    normal = slope / steep
    turn = np.einsum("abn,bn->an", second, normal)
    straight = np.einsum("an,an->n", turn, normal)
    # The second derivative along each axis, of what lies in the surface: P H P.
    own = np.stack([second[a, a] for a in range(3)])
    along = -(own - 2 * normal * turn + normal**2 * straight)
    return _Bent(here, steep, normal, along)


def _scanner_variance(bent: _Bent, own: Doubles) -> float | None:
    """mm² of the scanner's blur: what the edge's slope leaves beside our own smoothing."""
    at_edge = np.abs(bent.value) < 0.1
    if np.count_nonzero(at_edge) < 8:
        return None
    normal = bent.normal[:, at_edge]
    # A step of 1 through a blur σ rises by 1/(σ√2π) at its middle.
    seen = 1 / (2 * np.pi * bent.steepness[at_edge] ** 2)
    # A difference over two steps is a slope seen through a box of that width: 4/12.
    known = (normal**2 * own[:, None]).sum(axis=0)
    box = (normal**4 * (own / (_SMOOTHING**2 + 1 / 12))[:, None]).sum(axis=0) / 3
    return max(float(np.median(seen - known - box)), 0.0)


def _raised(bent: _Bent, variance: Doubles) -> Doubles:
    """The smoothed field, its level sets moved out by half variance times curvature."""
    shift = (bent.along * variance[:, None]).sum(axis=0) / (2 * bent.steepness)
    most = np.sqrt(variance.max()) / _LEAST_RADIUS
    raised: Doubles = bent.value + np.clip(shift, -most, most) * bent.steepness
    return raised


def _settled(
    part: Floats, band: Ints, bent: _Bent, spacing: Doubles, reach_mm: float
) -> npt.NDArray[np.bool_]:
    """Whether the field is well inside and well outside a little to both sides of the surface."""
    place = np.stack(np.unravel_index(band, part.shape)).astype(np.float64)
    # From the surface, not from the voxel: the way to it along the slope.
    depth = np.clip(bent.value / bent.steepness, -reach_mm / 2, reach_mm / 2)
    step = bent.normal / spacing[:, None]
    inside = map_coordinates(part, place + step * (reach_mm - depth), order=1, mode="nearest")
    outside = map_coordinates(part, place - step * (reach_mm + depth), order=1, mode="nearest")
    alike = np.abs(inside + outside) < _UNLIKE
    settled: npt.NDArray[np.bool_] = (inside > _SETTLED) & (outside < -_SETTLED) & alike
    return settled


def _with(field: SoftField, where: Ints, value: Doubles) -> SoftField:
    """The field with new values at some voxels (flat indices, C order)."""
    place = np.unravel_index(where, field.values.shape)
    if field.values.dtype == np.int16:
        numbers = field.values.astype(np.int16, order="F")
        whole = np.rint(np.clip(value, -32001, 32001)).astype(np.int16)
        numbers[place] = np.where(whole == 0, 1, whole)
        return replace(field, values=numbers)
    changed = field.values.astype(np.float32, order="F")
    changed[place] = value.astype(np.float32)
    return replace(field, values=away_from_zero(changed))
