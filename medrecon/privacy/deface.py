"""Take the face out of an image, so that nothing made of the image later has it.

A plane begins at the forehead above the brow and falls towards the neck. What lies in front
of and below it, down to under the chin, becomes air. The brain lies behind and above:
frontal lobes over the orbits, temporal lobes and cerebellum further back. Proportions
are those of adults' heads, scaled by the length of this one; how far the chin is lifted is
told from the height of the nose. Scalp, ears, back of the head, and the skull's vault stay.

References
----------
The idea of a plane that shears the face off and leaves the brain: Schimke, N. and Hale, J.:
Quickshear defacing for neuroimages. USENIX HealthSec 2011.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Modality, Volume
from medrecon.errors import DamagedInputError
from medrecon.privacy.head import STEP_MM, Body, body_of, skull_slices

AIR_HU = -1000
# Lengths below are of a head of this length from forehead to occiput.
USUAL_LENGTH_MM = 190.0
# The plane begins so far under the vertex, above the brow (which is at 90 to 95 mm).
BROW_MM = 82.0
# ... and falls by this angle towards the back, in a head that looks straight ahead.
FALL_DEGREES = 37.0
# The nose's tip is so far under the vertex then, and so far under the brow's upper edge.
NOSE_MM, NOSE_TO_BROW_MM = 140.0, 60.0
# The nose turns about the middle of the head, which is so far behind it.
NOSE_ARM_MM = 105.0
MOST_PITCH_DEGREES = (-15.0, 32.0)
# Where a nose is looked for, under the vertex; and how far it stands out at least.
NOSE_RANGE_MM = (60.0, 190.0)
NOSE_STANDS_OUT_MM = 8.0
MIDDLE_MM = 20.0
NOSE_HALF_MM = 36.0
# The face reaches no further back than the front of the ears, and no lower than this.
DEPTH_MM = 88.0
CHIN_MM = 262.0
# Where a head is measured: sections through brain and vault.
VAULT_MM = (35.0, 75.0)
# A vault that misses no more at the top has lost some 5 mm of height.
LARGEST_CUT_MM2 = 2500.0
NO_HEAD = "--deface finds no head that it could take the face from"


@dataclass(frozen=True, slots=True)
class FacePlane:
    """Where the face is, in LPS mm.

    Parameters
    ----------
    front_mm : float
        y of the forehead at the brow.
    brow_mm : float
        z where the plane begins.
    depth_mm : float
        How far towards the back the face reaches.
    bottom_mm : float
        z under the chin.
    fall : float
        mm that the plane falls for each mm towards the back.
    """

    front_mm: float
    brow_mm: float
    depth_mm: float
    bottom_mm: float
    fall: float


def find_face(volume: Volume) -> FacePlane:
    """The plane of a head whose vertex is in the image.

    Raises
    ------
    DamagedInputError
        If no head is found, or it is cut off above the brow, where nothing tells how
        high the brow is.
    """
    body = body_of(volume)
    (filled,) = np.nonzero(body.mask.any(axis=(0, 1)))
    if not len(filled):
        raise DamagedInputError(f"{NO_HEAD}: nothing but air")
    top = int(filled.max())
    if body.cut_above_mm2(top - int(BROW_MM / STEP_MM)) > LARGEST_CUT_MM2:
        raise DamagedInputError(
            f"{NO_HEAD}: the image ends below the vertex, and the brow's height is measured from it"
        )
    if body.bone is not None and not skull_slices(body).any():
        raise DamagedInputError(f"{NO_HEAD}: no skull")
    nose = _nose_under_vertex(body, top)
    front, back = _vault(body, top, nose)
    scale = float(np.clip((back - front) / USUAL_LENGTH_MM, 0.6, 1.25))
    vertex = float(body.origin_mm[2] + (top + 0.5) * STEP_MM)
    nose_mm = NOSE_MM * scale if nose is None else nose
    lifted = np.degrees(np.arctan2(NOSE_MM * scale - nose_mm, NOSE_ARM_MM * scale))
    pitch = float(np.clip(lifted, *MOST_PITCH_DEGREES))
    brow = min(BROW_MM * scale, max(nose_mm - NOSE_TO_BROW_MM * scale, 0.25 * NOSE_MM * scale))
    return FacePlane(
        front_mm=front,
        brow_mm=vertex - brow,
        depth_mm=DEPTH_MM * scale,
        bottom_mm=vertex - CHIN_MM * scale,
        fall=float(np.tan(np.radians(FALL_DEGREES + max(pitch, 0.0)))),
    )


def remove_face(volume: Volume, plane: FacePlane) -> Volume:
    """The image with air where the face was; there, nothing counts as measured."""
    gone = np.zeros(volume.geometry.shape, bool, order="F")
    affine = volume.geometry.affine_lps
    columns, rows, _ = volume.geometry.shape
    i, j = np.arange(columns)[:, None], np.arange(rows)[None, :]
    for k in range(gone.shape[2]):
        y = affine[1, 0] * i + affine[1, 1] * j + affine[1, 2] * k + affine[1, 3]
        z = affine[2, 0] * i + affine[2, 1] * j + affine[2, 2] * k + affine[2, 3]
        gone[:, :, k] = _is_face(y, z, plane)
    ct = volume.acquisition.modality is Modality.CT
    array = volume.array.copy(order="F")
    array[gone] = AIR_HU if ct else min(0, int(volume.array.min()))
    before = np.zeros(1, bool) if volume.unmeasured is None else volume.unmeasured
    acquisition = dataclasses.replace(volume.acquisition, defaced=True)
    return dataclasses.replace(
        volume, array=array, acquisition=acquisition, unmeasured=gone | before
    )


def _is_face(
    y: npt.NDArray[np.float64], z: npt.NDArray[np.float64], plane: FacePlane
) -> npt.NDArray[np.bool_]:
    behind = y - plane.front_mm
    line = plane.brow_mm - plane.fall * np.maximum(behind, 0)
    face: npt.NDArray[np.bool_] = (z < line) & (behind < plane.depth_mm) & (z > plane.bottom_mm)
    return face


def _nose_under_vertex(body: Body, top: int) -> float | None:
    """How far under the vertex the nose's tip is, in mm; None if nothing stands out.

    From the vertex down, the profile of the middle of the head goes forward to the brow,
    back a little to the root of the nose and forward to its tip: the tip is the first
    place that stands out from what is just above and a good deal from the forehead.
    """
    (columns,) = np.nonzero(body.mask[:, :, max(top - 20, 0) : top].any(axis=(1, 2)))
    middle, half = int(np.median(columns)), int(MIDDLE_MM / STEP_MM)
    strip = body.mask[max(middle - half, 0) : middle + half + 1].any(axis=0)
    profile = np.where(strip.any(axis=0), strip.argmax(axis=0), strip.shape[0]) * STEP_MM
    first, last = (top - int(mm / STEP_MM) for mm in NOSE_RANGE_MM)
    forehead = float(profile[first : top - 8].min()) if first < top - 8 else float(profile[first])
    for k in range(first, max(last, 1), -1):
        below = profile[max(k - 6, 0) : k]
        if forehead - profile[k] >= NOSE_STANDS_OUT_MM and (below >= profile[k]).all():
            return (top - k) * STEP_MM
    return None


def _vault(body: Body, top: int, nose_mm: float | None) -> tuple[float, float]:
    """Y of the forehead and of the occiput: the furthest of the sections through the vault.

    In a head whose chin is lifted the nose comes up; the sections stay above it.
    """
    upper, lower = VAULT_MM
    if nose_mm is not None:
        lower = max(min(lower, nose_mm - NOSE_HALF_MM), upper + STEP_MM)
    high, low = (top - int(mm / STEP_MM) for mm in (upper, lower))
    block = body.mask[:, :, max(low, 0) : max(high, 1)].any(axis=(0, 2))
    (rows,) = np.nonzero(block)
    if not len(rows):
        raise DamagedInputError(f"{NO_HEAD}: the head is not high enough")
    y = body.origin_mm[1] + rows * STEP_MM
    return float(y.min() - STEP_MM / 2), float(y.max() + STEP_MM / 2)
