"""What the voxels themselves say against a series: metal, and a patient who was cut off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from medrecon.core import Modality, SliceStack, Volume

# Denser than enamel (2,850 HU at most): metal, or the streaks beside it.
METAL_HU = 3000
# A crown or a screw is more than this; a few noisy voxels are less.
LEAST_METAL_ML = 0.05
# Halfway from air to fat: tissue.
TISSUE_HU = -500
# Truncation is looked for in pixels of this size, and in what is at least twice three of
# them thick and a middle pixel: tables and head rests are thinner.
COARSE_MM = 3.0
THINNEST = 3
# Of the border of the measured field, in one slice.
TOUCHING_PART = 0.02


@dataclass(frozen=True, slots=True)
class Contents:
    """Findings in the voxels of a CT; zeros for anything else.

    Parameters
    ----------
    metal_ml : float
        Volume of voxels over 3,000 HU.
    truncated_slices : int
        Slices in which tissue reaches the edge of the measured field on more than
        2 % of its length.
    notes : tuple of str
    """

    metal_ml: float = 0.0
    truncated_slices: int = 0
    notes: tuple[str, ...] = ()


def contents(image: Volume | SliceStack) -> Contents:
    """Metal and truncation of a CT."""
    if image.acquisition.modality is not Modality.CT:
        return Contents()
    metal = float(sum(np.count_nonzero(s >= METAL_HU) for s in image.array.T)) * _voxel_ml(image)
    metal = metal if metal >= LEAST_METAL_ML else 0.0
    cut = sum(_is_cut(image, k) for k in range(image.array.shape[2]))
    notes = []
    if metal:
        notes.append(f"{metal:.1f} mL over {METAL_HU} HU: metal, whose streaks displace surfaces")
    if cut:
        notes.append(f"the body is cut off by the field of view in {cut} slice(s)")
    return Contents(metal, cut, tuple(notes))


def _voxel_ml(image: Volume | SliceStack) -> float:
    if isinstance(image, Volume):
        return image.geometry.voxel_volume_mm3 / 1000
    i, j = image.pixel_spacing_mm
    height = abs((image.positions_mm[-1] - image.positions_mm[0]) @ image.normal)
    return float(i * j * height / (len(image.positions_mm) - 1) / 1000)


def _is_cut(image: Volume | SliceStack, k: int) -> bool:
    """Whether something thicker than a table reaches the edge of what was measured."""
    stride = max(1, round(COARSE_MM / max(_pixel_mm(image))))
    plane = image.array[::stride, ::stride, k]
    hidden = np.zeros(plane.shape, np.bool_)
    if image.unmeasured is not None:
        hidden = np.broadcast_to(image.unmeasured, image.array.shape)[::stride, ::stride, k]
    tissue = (plane > TISSUE_HU) | hidden
    # What lies beyond the edge counts as tissue here, else the edge would be eaten away.
    thick = binary_erosion(tissue, iterations=THINNEST, border_value=1)
    thick = binary_dilation(thick, iterations=THINNEST) & tissue
    edge = binary_dilation(hidden)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    edge &= ~hidden
    return int(np.count_nonzero(thick & edge)) > TOUCHING_PART * int(np.count_nonzero(edge))


def _pixel_mm(image: Volume | SliceStack) -> tuple[float, float]:
    if isinstance(image, Volume):
        return image.geometry.spacing_mm[:2]
    return image.pixel_spacing_mm
