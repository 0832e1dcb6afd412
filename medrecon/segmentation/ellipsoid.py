"""The ellipsoid that is as long and as wide as something: what its shape is measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from medrecon.core import SoftField

# Of the voxels inside, one in so many tells the moments as well.
EVERY = 5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Ellipsoid:
    """The solid ellipsoid that has the moments of inertia of some fields together.

    Parameters
    ----------
    middle_mm : ndarray, shape (3,)
    covariance_mm2 : ndarray, shape (3, 3)
        Of the places inside.
    volume_mm3 : float
        Of the fields.
    """

    middle_mm: Floats
    covariance_mm2: Floats
    volume_mm3: float

    @classmethod
    def of(cls, fields: Sequence[SoftField]) -> Self:
        """Of what is inside any of the fields, which do not overlap."""
        mm = np.concatenate([places_mm(f) for f in fields])
        covariance = np.cov(mm.T) if len(mm) > 3 else np.zeros((3, 3))
        return cls(mm.mean(axis=0), covariance, sum(_volume_mm3(f) for f in fields))

    @property
    def length_mm(self) -> float:
        """Its longest axis."""
        # A solid ellipsoid's variance along an axis is a fifth of the half axis squared.
        return float(2 * np.sqrt(5 * max(np.linalg.eigvalsh(self.covariance_mm2)[-1], 0.0)))

    @property
    def share_filled(self) -> float:
        """Volume over the ellipsoid's: 1 for an ellipsoid however long, less for all else.

        No solid of a volume has smaller moments; what is hollow, bent or scattered has
        larger ones.
        """
        determinant = max(float(np.linalg.det(5 * self.covariance_mm2)), 0.0)
        return self.volume_mm3 / (4 / 3 * np.pi * np.sqrt(determinant)) if determinant else 0.0

    def radius(self, points_mm: Floats) -> Floats:
        """How far out places (n, 3) are: 0 in the middle, 1 on the ellipsoid's surface."""
        away = points_mm - self.middle_mm
        inverse = np.linalg.pinv(5 * self.covariance_mm2)
        found: Floats = np.sqrt(np.einsum("na,ab,nb->n", away, inverse, away))
        return found


def places_mm(field: SoftField) -> Floats:
    """Places (n, 3) in mm inside a field, LPS; one voxel in `EVERY`."""
    index = np.argwhere(field.values > 0)[::EVERY] + np.asarray(field.start)
    return field.grid.mm_from_index(index)


def _volume_mm3(field: SoftField) -> float:
    return float(np.count_nonzero(field.values > 0) * field.grid.voxel_volume_mm3)
