"""An image on a grid, and a stack of slices that is not a grid yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from medrecon.core.geometry import Geometry, Triple
from medrecon.errors import GeometryError

ImageArray = npt.NDArray[np.int16] | npt.NDArray[np.float32]
ArrayT = TypeVar("ArrayT", bound="np.ndarray[Any, Any]")


class Modality(Enum):
    """What made the image."""

    CT = "CT"
    MR = "MR"
    OTHER = "OT"


class HuStatus(Enum):
    """Whether the values can be read as Hounsfield units."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    NOT_CT = "not CT"


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What later stages need to know of how an image was made. No patient data.

    Parameters
    ----------
    modality : Modality
        From Modality (0008,0060).
    hu : HuStatus
        VERIFIED only if the file declares HU and the histogram agrees.
    hu_reason : str
        Why the status is what it is, in words that hold no identifying value.
    slice_thickness_mm : float or None
        Slice Thickness (0018,0050): blur along the normal, never the slice step.
    is_phantom : bool
        Quality Control Image (0028,0300) = YES.
    body_part : str
        Body Part Examined (0018,0015) where it is a defined term of PS3.16 Annex L,
        else empty.
    laterality : str
        "L", "R" or empty.
    kernel : str
        "sharp", "soft" or empty (unknown).
    frame : str
        Digest of Frame of Reference UID (0020,0052), to compare images of one run by;
        empty where none is stated. Never written anywhere.
    burned_in : bool
        Burned In Annotation (0028,0301) = YES: the pixels may hold the patient's name.
    defaced : bool
        Whether the face was taken out of the image.
    """

    modality: Modality = Modality.OTHER
    hu: HuStatus = HuStatus.NOT_CT
    hu_reason: str = ""
    slice_thickness_mm: float | None = None
    is_phantom: bool = False
    body_part: str = ""
    laterality: str = ""
    kernel: str = ""
    frame: str = ""
    burned_in: bool = False
    defaced: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A scalar image on a `Geometry`.

    Parameters
    ----------
    array : ndarray of int16 or float32, shape (i, j, k)
        Hounsfield units if CT and verified, else the scanner's own units. Held in
        Fortran order (i runs fastest, as in a DICOM frame), made read-only.
    geometry : Geometry
        Its shape is the array's.
    acquisition : Acquisition
        How the image was made.
    unmeasured : ndarray of bool or None
        True where the scanner measured nothing (outside the reconstruction circle,
        padding, a filled gap); broadcastable to the array's shape.

    Raises
    ------
    GeometryError
        If the shapes disagree.
    TypeError
        If the dtype is neither int16 nor float32.
    """

    array: ImageArray
    geometry: Geometry
    acquisition: Acquisition = field(default_factory=Acquisition)
    unmeasured: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.array.dtype not in (np.int16, np.float32):
            raise TypeError(f"a volume of {self.array.dtype}; int16 or float32 expected")
        if self.array.shape != self.geometry.shape:
            raise GeometryError(f"array {self.array.shape} on a grid of {self.geometry.shape}")
        object.__setattr__(self, "array", read_only(np.asfortranarray(self.array)))
        if self.unmeasured is not None:
            np.broadcast_shapes(self.unmeasured.shape, self.array.shape)
            object.__setattr__(self, "unmeasured", read_only(self.unmeasured))

    def __repr__(self) -> str:
        i, j, k = self.geometry.shape
        x, y, z = self.geometry.spacing_mm
        kind = self.acquisition.modality.value
        return f"<Volume {kind} {i}×{j}×{k}, {x:.3g}×{y:.3g}×{z:.3g} mm, {self.array.dtype}>"


@dataclass(frozen=True, slots=True, eq=False)
class SliceStack:
    """Slices with their true positions, before they are a grid.

    A tilted, irregular or gapped series is one of these; it is interpolated once,
    straight onto an orthogonal `Geometry` (`resample.stack_onto`).

    Parameters
    ----------
    array : ndarray of int16 or float32, shape (i, j, n)
        The slices in order along the normal, Fortran order, read-only.
    positions_mm : ndarray of float64, shape (n, 3)
        LPS position of the centre of each slice's first pixel
        (Image Position (Patient), PS3.3 C.7.6.2.1.1).
    row_direction, column_direction : tuple of float
        Unit vectors of the i axis (along a row) and the j axis (down a column).
    pixel_spacing_mm : tuple of float
        Distance along i and along j (Pixel Spacing (0028,0030) is written the other
        way round).
    acquisition : Acquisition
    unmeasured : ndarray of bool or None
        As in `Volume`.
    filled_gaps_mm : tuple of (low, high)
        Stretches along the normal, in mm from the first slice, where nothing was
        scanned but the user asked for interpolation.
    """

    array: ImageArray
    positions_mm: npt.NDArray[np.float64]
    row_direction: Triple
    column_direction: Triple
    pixel_spacing_mm: tuple[float, float]
    acquisition: Acquisition = field(default_factory=Acquisition)
    unmeasured: npt.NDArray[np.bool_] | None = None
    filled_gaps_mm: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.array.dtype not in (np.int16, np.float32):
            raise TypeError(f"a stack of {self.array.dtype}; int16 or float32 expected")
        if self.positions_mm.shape != (self.array.shape[2], 3):
            raise GeometryError(
                f"{self.array.shape[2]} slices with {len(self.positions_mm)} positions"
            )
        object.__setattr__(self, "array", read_only(np.asfortranarray(self.array)))
        object.__setattr__(self, "positions_mm", read_only(self.positions_mm))

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """Unit normal of the slices, row × column, so that positions increase along it."""
        return np.cross(self.row_direction, self.column_direction)

    def __repr__(self) -> str:
        i, j, n = self.array.shape
        return f"<SliceStack {self.acquisition.modality.value} {n} slices of {i}×{j}>"


def read_only(array: ArrayT) -> ArrayT:
    """A view of the array that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view
