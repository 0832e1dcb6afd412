"""What the voxels themselves say against a series: metal, and a patient who was cut off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Modality, SliceStack, Volume

# Denser than enamel (2,850 HU at most): metal, or the streaks beside it.
METAL_HU = 3000
# A crown or a screw is more than this; a few noisy voxels are less.
LEAST_METAL_ML = 0.05
# Halfway from air to fat: tissue.
TISSUE_HU = -500
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
    plane = image.array[:, :, k]
    edge = np.zeros(plane.shape, np.bool_)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    if image.unmeasured is not None:
        hidden = np.broadcast_to(image.unmeasured, image.array.shape)[:, :, k]
        edge = (edge | _beside(hidden)) & ~hidden
    along = np.count_nonzero(edge)
    return int(np.count_nonzero(plane[edge] > TISSUE_HU)) > TOUCHING_PART * int(along)


def _beside(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels with a neighbour in the mask."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
