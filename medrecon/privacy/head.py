"""Whether an image shows a head, and where its face is.

Everything is measured on a copy of 4 mm voxels along the patient's own axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medrecon.core import Geometry, HuStatus, Modality, Volume

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

STEP_MM = 4.0
# Terms of PS3.16 Annex L under which part of a face is in the image.
_HEAD_PARTS_TEXT = """
BRAIN CEREBELLUM CHEEK CORNEA EAR EYE EYELID FACE HEAD HEADNECK IAC JAW MAXILLA MOUTH NECK NECKCHEST
NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT PAROTID PHARYNX SCALP SINUS SKULL SUBMANDIBULAR TMJ
TONGUE WHOLEBODY ZYGOMA
"""
HEAD_PARTS = frozenset(_HEAD_PARTS_TEXT.split())
# Parts whose images show mouth and nose in one patient, and in the next they do not.
NEAR_THE_HEAD = frozenset({"CAROTID", "CSPINE", "CTSPINE", "LARYNX"})
SKIN_HU, SKULL_HU = -500.0, 250.0
# Adults' heads have sections of 150 to 300 cm², infants' from 70.
HEAD_SECTION_MM2 = (6000.0, 42000.0)
# The skull encloses most of a section through the brain; ribs and pelvis are open.
ENCLOSED = 0.55
LEAST_HEIGHT_MM = 24.0


class Shown(Enum):
    """Whether a person can be recognised by the surface in the image."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    REMOVED = "face removed"


@dataclass(frozen=True, slots=True)
class Identifiable:
    """The answer and why.

    Parameters
    ----------
    state : Shown
    reason : str
    """

    state: Shown
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """What is not air, on voxels of 4 mm along LPS.

    Parameters
    ----------
    mask : ndarray of bool, shape (x, y, z)
    bone : ndarray of bool or None
        Only where HU are verified.
    measured : ndarray of bool, shape (x, y, z)
        Where the image says something: false outside it, and in what was padded.
    origin_mm : ndarray of float64, shape (3,)
        LPS position of the first voxel's centre.
    """

    mask: Mask
    bone: Mask | None
    measured: Mask
    origin_mm: Floats

    def cut_above_mm2(self, lowest: int) -> float:
        """Area, seen from above, where the image ends over the patient, from a slice upwards."""
        goes_on = np.zeros(self.mask.shape, bool)
        goes_on[:, :, :-1] = (self.mask | self.measured)[:, :, 1:]
        ends = (self.mask & ~goes_on)[:, :, max(lowest, 0) :]
        return float(np.count_nonzero(ends.any(axis=2)) * STEP_MM**2)


def is_identifiable(volume: Volume) -> Identifiable:
    """Whether the image shows a head; unknown where neither header nor voxels tell."""
    part = volume.acquisition.body_part
    if volume.acquisition.defaced:
        return Identifiable(Shown.REMOVED, "brow to chin; scalp, ears and the back remain")
    if volume.acquisition.is_phantom:
        return Identifiable(Shown.NO, "a phantom, by its header")
    if part in HEAD_PARTS:
        return Identifiable(Shown.YES, f"the body part is {part.lower()}")
    if volume.acquisition.hu is HuStatus.VERIFIED:
        if skull_slices(body_of(volume)).any():
            return Identifiable(Shown.YES, "a skull is in the image")
        return Identifiable(Shown.NO, "no skull is in the image")
    if part in NEAR_THE_HEAD:
        return Identifiable(
            Shown.UNKNOWN, f"the body part is {part.lower()}; a face may be beside it"
        )
    if part:
        return Identifiable(Shown.NO, f"the body part is {part.lower()}")
    return Identifiable(Shown.UNKNOWN, "the body part is not stated")


def body_of(volume: Volume) -> Body:
    """The patient on coarse voxels along the patient's axes."""
    geometry = volume.geometry
    corners = geometry.mm_from_index(
        np.array(list(np.ndindex(2, 2, 2))) * (np.array(geometry.shape) - 1)
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    shape = tuple(int(n) for n in np.ceil((high - low) / STEP_MM) + 1)
    verified = volume.acquisition.hu is HuStatus.VERIFIED
    air = -1024 if volume.acquisition.modality is Modality.CT else 0
    coarse = _on_steps(volume.array, geometry, low, shape, outside=air)
    level = SKIN_HU if verified else _level_of_tissue(coarse)
    mask = _largest(coarse > level)
    for k in range(shape[2]):
        mask[:, :, k] = ndimage.binary_fill_holes(mask[:, :, k])
    bone = coarse > SKULL_HU if verified else None
    return Body(mask, bone, _measured(volume, low, shape), low)


def skull_slices(body: Body) -> Mask:
    """Which coarse axial slices run through a skull; of shape (z,)."""
    if body.bone is None:
        return np.zeros(body.mask.shape[2], bool)
    found = np.zeros(body.mask.shape[2], bool)
    low, high = HEAD_SECTION_MM2
    for k in range(len(found)):
        section = np.count_nonzero(body.mask[:, :, k]) * STEP_MM**2
        if low <= section <= high:
            closed = ndimage.binary_closing(np.pad(body.bone[:, :, k], 2), iterations=1)
            enclosed = np.count_nonzero(ndimage.binary_fill_holes(closed)) * STEP_MM**2
            found[k] = enclosed > ENCLOSED * section
    labels, count = ndimage.label(found)
    for n in range(1, count + 1):
        if np.count_nonzero(labels == n) * STEP_MM < LEAST_HEIGHT_MM:
            found[labels == n] = False
    return found


def _on_steps(
    array: npt.NDArray[Any], grid: Geometry, low: Floats, shape: tuple[int, ...], *, outside: int
) -> npt.NDArray[Any]:
    """The nearest voxel of each step of 4 mm from `low`; a value for those outside."""
    to_index = np.linalg.inv(grid.affine_lps)
    start = to_index[:3, :3] @ low + to_index[:3, 3]
    found: npt.NDArray[Any] = ndimage.affine_transform(
        array, to_index[:3, :3] * STEP_MM, start, output_shape=shape,
        order=0, mode="constant", cval=outside,
    )  # fmt: skip
    return found


def _measured(volume: Volume, low: Floats, shape: tuple[int, ...]) -> Mask:
    """Which steps lie in the image, and not in what was padded."""
    grid = volume.geometry
    steps = np.indices(shape).reshape(3, -1).T
    index = grid.index_from_mm(low + steps * STEP_MM).reshape(*shape, 3)
    # A hair within: rounding must not take a step beyond the last slice for one of it.
    within = (index > 1e-6) & (index < np.array(grid.shape) - 1 - 1e-6)
    inside: Mask = np.asarray(np.all(within, axis=3))
    if volume.unmeasured is None:
        return inside
    padded = _on_steps(volume.unmeasured.view(np.uint8), grid, low, shape, outside=1)
    measured: Mask = inside & np.asarray(padded == 0)
    return measured


def _level_of_tissue(coarse: npt.NDArray[np.generic]) -> float:
    """Grey level between air and tissue of an MR image: a fifth of its bright voxels'."""
    return 0.2 * float(np.percentile(np.asarray(coarse, float), 98))


def _largest(mask: Mask) -> Mask:
    opened = ndimage.binary_opening(mask)
    labels, count = ndimage.label(opened if opened.any() else mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest: Mask = labels == sizes.argmax()
    return largest
