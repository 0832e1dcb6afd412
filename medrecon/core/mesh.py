"""A triangle surface in the patient's frame."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from medrecon.core.labels import Label
from medrecon.core.volume import read_only


class Space(Enum):
    """Which frame a mesh's millimetres are in; files carry the value in their header."""

    LPS = "LPS"
    """The patient's: x to the left, y to the back, z to the head."""
    PRINT = "PRINT"
    """A copy for a printer: moved, turned, scaled or cut; never patient coordinates."""
    UNSTATED = ""
    """Somebody else's file that does not say."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles in millimetres, wound counter-clockwise seen from outside.

    Parameters
    ----------
    vertices_mm : ndarray of float32, shape (n, 3)
        float32 because that is what an STL holds: what is judged is what is written.
    faces : ndarray of int32, shape (m, 3)
        Indices into the vertices.
    label : Label
    scalars : ndarray of float32, shape (n,), or None
        A value per vertex, for example the deviation in mm.
    colors : ndarray of uint8, shape (n, 3), or None
        Red, green, blue (sRGB) per vertex; None means the label's colour throughout.
    space : Space
        Frame of the vertices.

    Raises
    ------
    ValueError
        If a shape is wrong or a face names a vertex that is not there.
    """

    vertices_mm: npt.NDArray[np.float32]
    faces: npt.NDArray[np.int32]
    label: Label
    scalars: npt.NDArray[np.float32] | None = None
    colors: npt.NDArray[np.uint8] | None = None
    space: Space = Space.LPS

    def __post_init__(self) -> None:
        v = np.ascontiguousarray(self.vertices_mm, dtype=np.float32)
        f = np.ascontiguousarray(self.faces, dtype=np.int32)
        if v.ndim != 2 or v.shape[1] != 3 or f.ndim != 2 or f.shape[1] != 3:
            raise ValueError(f"vertices {v.shape} and faces {f.shape}; (n, 3) and (m, 3) expected")
        if len(f) and (f.min() < 0 or f.max() >= len(v)):
            raise ValueError("a face names a vertex that is not there")
        object.__setattr__(self, "vertices_mm", read_only(v))
        object.__setattr__(self, "faces", read_only(f))
        if self.scalars is not None:
            object.__setattr__(self, "scalars", read_only(self.scalars))
        if self.colors is not None:
            c = np.ascontiguousarray(self.colors, dtype=np.uint8)
            if c.shape != v.shape:
                raise ValueError(f"colours {c.shape} for vertices {v.shape}; one each expected")
            object.__setattr__(self, "colors", read_only(c))

    @property
    def volume_mm3(self) -> float:
        """Signed volume by the divergence theorem; positive if wound outward.

        Sums tetrahedra against the bounding box's centre, in float64: against the
        scanner's origin the terms would be thousands of times the result.
        """
        if not len(self.faces):
            return 0.0
        centre = (self.vertices_mm.min(axis=0) + self.vertices_mm.max(axis=0)) / 2
        a, b, c = self._corners(centre)
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)

    @property
    def area_mm2(self) -> float:
        """Sum of the triangles' areas."""
        a, b, c = self._corners(np.zeros(3, np.float32))
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)

    @property
    def centroid_mm(self) -> npt.NDArray[np.float64]:
        """(3,) LPS centre of mass of the enclosed volume; of the vertices if it is empty.

        Each face and the bounding box's centre span a tetrahedron, whose centroid is a
        quarter of its corners' sum and whose weight is its signed volume.
        """
        centre = (self.vertices_mm.min(axis=0) + self.vertices_mm.max(axis=0)) / 2
        a, b, c = self._corners(centre)
        weight = np.einsum("ij,ij->i", a, np.cross(b, c))
        total = weight.sum()
        if total == 0:
            return np.asarray(self.vertices_mm.mean(axis=0), dtype=np.float64)
        moment = ((a + b + c) * weight[:, None]).sum(axis=0)
        result: npt.NDArray[np.float64] = centre + moment / (4 * total)
        return result

    @property
    def bounds_mm(self) -> npt.NDArray[np.float64]:
        """(2, 3) lowest and highest LPS coordinates."""
        v = self.vertices_mm
        return np.stack([v.min(axis=0), v.max(axis=0)]).astype(np.float64)

    def _corners(self, centre: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], ...]:
        v = self.vertices_mm.astype(np.float64) - centre
        return v[self.faces[:, 0]], v[self.faces[:, 1]], v[self.faces[:, 2]]

    def __repr__(self) -> str:
        return f"<Mesh {self.label.name}: {len(self.faces)} triangles>"
