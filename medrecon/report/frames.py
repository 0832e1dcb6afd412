"""A volume as JPEG frames of 8 bits that still hold bone, soft tissue and lung.

256 grey levels over 4096 HU would be 16 HU each, too coarse for soft tissue. So the
levels are dealt out unevenly, as a companding curve does: about 4 HU each from −200 to
300 HU, coarser elsewhere. The page undoes the curve, then applies a window.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, HuStatus, Modality, Volume
from medrecon.core.canonical import display_grid
from medrecon.core.volume import ImageArray
from medrecon.core.windows import percentiles, windows_of
from medrecon.resampling import resampled_slabs

# HU and grey level, joined by straight lines.
_CT_CURVE = ((-1024.0, 0.0), (-200.0, 80.0), (300.0, 212.0), (1500.0, 248.0), (3071.0, 255.0))
JPEG_QUALITY = 78
LONGEST_AXIS = 320
"""Pixels along an axis at most: a chest CT's slices are then some 4 MB in the page."""


@dataclass(frozen=True, slots=True)
class PackedSlices:
    """A stack of axial frames as text.

    Parameters
    ----------
    header : dict
        `shape`, `affine` (4×4, index to LPS mm, row after row), `lengths` (bytes of
        each frame), `curve` (value, level) and `windows` (name, low, high).
    data : str
        Base64 of the frames, one after the other.
    """

    header: dict[str, Any]
    data: str


def pack_slices(volume: Volume, grid: Geometry | None = None) -> PackedSlices:
    """The volume as frames on the display grid of its own grid, or of another."""
    shown = display_grid(grid or volume.geometry, LONGEST_AXIS)
    curve = curve_of(volume)
    frames = [
        imagecodecs.jpeg8_encode(frame, level=JPEG_QUALITY, optimize=True)
        for slab in resampled_slabs(volume, shown)
        for frame in levels(slab, curve)
    ]
    header = {
        "shape": list(shown.shape),
        "affine": [round(float(v), 6) for v in shown.affine_lps.ravel()],
        "lengths": [len(f) for f in frames],
        "curve": [list(node) for node in curve],
        "windows": [[w.name, round(w.low, 3), round(w.high, 3)] for w in windows_of(volume)],
        "hounsfield": _is_hounsfield(volume),
    }
    return PackedSlices(header, base64.b64encode(b"".join(frames)).decode())


def curve_of(volume: Volume) -> tuple[tuple[float, float], ...]:
    """Nodes (value, grey level) of the companding curve."""
    if _is_hounsfield(volume):
        return _CT_CURVE
    low, high = percentiles(volume.array, (0.5, 99.95))
    return ((low, 0.0), (high, 255.0))


def levels(array: ImageArray, curve: tuple[tuple[float, float], ...]) -> npt.NDArray[np.uint8]:
    """Grey levels of shape (k, j, i): frames with the patient's right on their left."""
    values, grey = np.array(curve).T
    if array.dtype != np.int16:
        flat: npt.NDArray[np.uint8] = np.rint(np.interp(array.T, values, grey)).astype(np.uint8)
        return flat
    # Few values, many voxels: the curve once for each value that int16 can hold.
    every = np.arange(2**16, dtype=np.uint16).view(np.int16)
    table: npt.NDArray[np.uint8] = np.rint(np.interp(every, values, grey)).astype(np.uint8)
    return np.take(table, np.ascontiguousarray(array.T).view(np.uint16))


def _is_hounsfield(volume: Volume) -> bool:
    acquisition = volume.acquisition
    return acquisition.modality is Modality.CT and acquisition.hu is HuStatus.VERIFIED
