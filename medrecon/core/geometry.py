"""Where a grid of voxels lies in the patient: index to LPS millimetres and back.

One frame rules inside medrecon: **LPS millimetres** (x to the patient's Left, y to
the Posterior, z to the Superior), DICOM's own (PS3.3 C.7.6.2.1.1). RAS, NIfTI's
frame, exists only in `lps_from_ras` and `ras_from_lps`, used at the file door.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from medrecon.errors import GeometryError

FloatArray = npt.NDArray[np.float64]
Triple = tuple[float, float, float]
Shape = tuple[int, int, int]

# Cosine between two axes above which a grid counts as sheared. 1e-4 rad moves the far
# corner of a 500 mm field of view by 0.05 mm: below any scanner's positioning.
SHEAR_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Geometry:
    """Placement of a grid of voxels in LPS millimetres.

    Parameters
    ----------
    shape : tuple of int
        Number of voxels along the array axes (i, j, k).
    spacing_mm : tuple of float
        Distance between neighbouring voxel centres along each axis, > 0.
    origin_mm : tuple of float
        LPS position of the *centre* of voxel (0, 0, 0).
    direction : 3 tuples of float
        3×3 matrix; column *a* is the unit vector of array axis *a* in LPS. The
        columns need not be orthogonal (gantry tilt) nor right-handed.

    Raises
    ------
    GeometryError
        If a size is not positive, a number is not finite, a column is not of unit
        length or the columns are linearly dependent.

    Examples
    --------
    >>> g = Geometry((4, 4, 2), (0.5, 0.5, 2.0), (10.0, 20.0, 30.0))
    >>> g.mm_from_index([[1, 0, 1]]).tolist()
    [[10.5, 20.0, 32.0]]
    """

    shape: Shape
    spacing_mm: Triple
    origin_mm: Triple
    direction: tuple[Triple, Triple, Triple] = (
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (0.0, 0.0, 1.0),
    )

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GeometryError(
                f"a grid of {self.shape} voxels; three sizes of at least 1 expected"
            )
        d = np.asarray(self.direction, dtype=float)
        numbers = (*self.spacing_mm, *self.origin_mm, *d.ravel())
        if d.shape != (3, 3) or not all(math.isfinite(x) for x in numbers):
            raise GeometryError("spacing, origin or direction holds a number that is not finite")
        if min(self.spacing_mm) <= 0:
            raise GeometryError(f"a spacing of {self.spacing_mm} mm; positive numbers expected")
        if np.abs(np.linalg.norm(d, axis=0) - 1).max() > 1e-4 or abs(np.linalg.det(d)) < 1e-3:
            raise GeometryError("the axis directions are not three independent unit vectors")

    @classmethod
    def from_affine(cls, affine_lps: npt.ArrayLike, shape: Sequence[int]) -> Self:
        """Geometry of a 4×4 matrix that takes voxel-centre indices to LPS millimetres.

        Raises
        ------
        GeometryError
            If a column of the matrix has no length.
        """
        a = np.asarray(affine_lps, dtype=float)
        spacing = np.linalg.norm(a[:3, :3], axis=0)
        if not np.isfinite(spacing).all() or spacing.min() <= 0:
            raise GeometryError("an affine with a column of zero or undefined length")
        i, j, k = (int(n) for n in shape)
        return cls((i, j, k), _triple(spacing), _triple(a[:3, 3]), _rows(a[:3, :3] / spacing))

    @property
    def affine_lps(self) -> FloatArray:
        """4×4 float64: voxel-centre index (i, j, k, 1) to LPS millimetres."""
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(self.direction) * self.spacing_mm
        affine[:3, 3] = self.origin_mm
        return affine

    @property
    def affine_ras(self) -> FloatArray:
        """The same in RAS millimetres, for the NIfTI door."""
        return ras_from_lps(self.affine_lps)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel; of the parallelepiped where the grid is sheared."""
        return float(abs(np.linalg.det(self.affine_lps[:3, :3])))

    @property
    def is_sheared(self) -> bool:
        """Whether two axes are not perpendicular, as under gantry tilt."""
        d = np.asarray(self.direction)
        gram = np.abs(d.T @ d - np.eye(3))
        return bool(gram.max() > SHEAR_TOLERANCE)

    @property
    def is_left_handed(self) -> bool:
        """Whether the index axes form a left-handed system in LPS."""
        return bool(np.linalg.det(np.asarray(self.direction)) < 0)

    @property
    def corners_mm(self) -> FloatArray:
        """(8, 3) LPS positions of the corner voxels' centres."""
        last = np.asarray(self.shape) - 1
        corners = np.array(list(np.ndindex(2, 2, 2))) * last
        return self.mm_from_index(corners)

    def mm_from_index(self, index: npt.ArrayLike) -> FloatArray:
        """(n, 3) LPS millimetres of (n, 3) continuous voxel indices."""
        a = self.affine_lps
        return np.asarray(index, dtype=float) @ a[:3, :3].T + a[:3, 3]

    def index_from_mm(self, points_lps: npt.ArrayLike) -> FloatArray:
        """(n, 3) continuous voxel indices of (n, 3) LPS millimetres."""
        a = self.affine_lps
        return (np.asarray(points_lps, dtype=float) - a[:3, 3]) @ np.linalg.inv(a[:3, :3]).T

    def crop(self, start: Sequence[int], shape: Sequence[int]) -> Geometry:
        """Geometry of the block of `shape` voxels that begins at index `start`.

        `start` may be negative and the block may reach past the grid: this is also
        how a padded grid is made.
        """
        origin = self.mm_from_index([start])[0]
        i, j, k = (int(n) for n in shape)
        return Geometry((i, j, k), self.spacing_mm, _triple(origin), self.direction)

    def refine(self, factor: int) -> Geometry:
        """Geometry with `factor` samples per voxel step, first and last centres kept."""
        shape = tuple((n - 1) * factor + 1 for n in self.shape)
        spacing = tuple(s / factor for s in self.spacing_mm)
        return Geometry(shape, spacing, self.origin_mm, self.direction)  # type: ignore[arg-type]

    def isotropic(self, spacing_mm: float) -> Geometry:
        """Orthogonal grid of cubic voxels over the same voxel centres.

        An orthogonal grid keeps its origin and directions, so voxel (0, 0, 0) stays
        where it was. A sheared one gets its in-plane i axis, the j axis made
        perpendicular to it and their normal, and the box that holds all its centres.
        """
        frame = np.asarray(self.direction)
        if self.is_sheared:
            frame = _orthogonal_frame(frame)
        local = (self.corners_mm - np.asarray(self.origin_mm)) @ frame
        low, high = local.min(axis=0), local.max(axis=0)
        # 1e-6 of a voxel: a last centre that lies on the grid does not open another one.
        i, j, k = (int(math.ceil(x / spacing_mm - 1e-6)) + 1 for x in high - low)
        origin = np.asarray(self.origin_mm) + frame @ low
        cube = (spacing_mm, spacing_mm, spacing_mm)
        return Geometry((i, j, k), cube, _triple(origin), _rows(frame))

    def is_close(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have one shape and no voxel centre differs by more."""
        if self.shape != other.shape:
            return False
        return bool(np.abs(self.corners_mm - other.corners_mm).max() <= tolerance_mm)


def ras_from_lps(affine_lps: npt.ArrayLike) -> FloatArray:
    """4×4 affine into RAS millimetres from one into LPS: first two rows change sign."""
    flip: FloatArray = np.diag([-1.0, -1.0, 1.0, 1.0])
    return flip @ np.asarray(affine_lps, dtype=np.float64)


def lps_from_ras(affine_ras: npt.ArrayLike) -> FloatArray:
    """4×4 affine into LPS millimetres from one into RAS: its own inverse."""
    return ras_from_lps(affine_ras)


def _orthogonal_frame(direction: FloatArray) -> FloatArray:
    """Orthonormal frame with the same i axis, plane and handedness (Gram-Schmidt)."""
    i = direction[:, 0]
    j = direction[:, 1] - (direction[:, 1] @ i) * i
    j = j / np.linalg.norm(j)
    k = np.cross(i, j)
    if k @ direction[:, 2] < 0:
        k = -k
    return np.stack([i, j, k], axis=1)


def _triple(values: npt.ArrayLike) -> Triple:
    x, y, z = (float(v) for v in np.asarray(values).ravel())
    return x, y, z


def _rows(matrix: FloatArray) -> tuple[Triple, Triple, Triple]:
    return _triple(matrix[0]), _triple(matrix[1]), _triple(matrix[2])
