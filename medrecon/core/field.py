"""Soft fields: what surfaces are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from medrecon.core.geometry import Geometry, Shape
from medrecon.core.labels import Label
from medrecon.core.volume import read_only
from medrecon.errors import GeometryError


@dataclass(frozen=True, slots=True, eq=False)
class SoftField:
    """A signed field of one label: positive inside, zero on the surface, negative outside.

    Parameters
    ----------
    label : Label
    values : ndarray of float32 or int16, shape (i, j, k)
        A block of the grid, Fortran order, read-only. **No value is exactly zero**:
        a surface through a voxel centre makes degenerate faces (`away_from_zero`).
        Near the surface the values are proportional to the signed distance along
        the image's own gradient (HU above the local level, logit difference).
    grid : Geometry
        The whole grid that the segmentation is defined on.
    start : tuple of int
        Index in `grid` of the block's first voxel. Outside the block the label is
        absent: nothing of it may touch a block face that is not a face of `grid`.
    unmeasured : ndarray of bool or None
        Broadcastable to `values`: where nothing was scanned.

    Raises
    ------
    GeometryError
        If the block does not lie in the grid.
    TypeError
        If the dtype is neither float32 nor int16.
    """

    label: Label
    values: npt.NDArray[np.float32] | npt.NDArray[np.int16]
    grid: Geometry
    start: Shape = (0, 0, 0)
    unmeasured: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.values.dtype not in (np.float32, np.int16):
            raise TypeError(f"a field of {self.values.dtype}; float32 or int16 expected")
        stop = tuple(s + n for s, n in zip(self.start, self.values.shape, strict=True))
        if min(self.start) < 0 or any(e > n for e, n in zip(stop, self.grid.shape, strict=True)):
            raise GeometryError(f"a block {self.start}–{stop} outside a grid of {self.grid.shape}")
        object.__setattr__(self, "values", read_only(np.asfortranarray(self.values)))

    @property
    def geometry(self) -> Geometry:
        """Geometry of the block itself."""
        return self.grid.crop(self.start, self.values.shape)

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Where the block lies in an array over the whole grid."""
        i, j, k = (slice(s, s + n) for s, n in zip(self.start, self.values.shape, strict=True))
        return i, j, k

    def __repr__(self) -> str:
        return f"<SoftField {self.label.name} {self.values.shape} at {self.start}>"


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """How far a surface may lie elsewhere, at the voxels beside it.

    Parameters
    ----------
    index : ndarray of int, shape (n,)
        Flat indices (Fortran order) of voxels in the field's block.
    mm : ndarray of float32, shape (n,)
        One standard deviation from noise where the edge is certain; how far it was
        looked for where it is not; the blur where something is unresolved.
    """

    index: npt.NDArray[np.intp]
    mm: npt.NDArray[np.float32]

    @classmethod
    def none(cls) -> Doubt:
        """Nothing known."""
        return cls(np.zeros(0, np.intp), np.zeros(0, np.float32))

    def on(self, shape: Shape) -> npt.NDArray[np.float32]:
        """The map over a block of that shape; NaN away from the surface."""
        flat = np.full(int(np.prod(shape)), np.nan, np.float32)
        flat[self.index] = self.mm
        return flat.reshape(shape, order="F")


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """Fields of one image, all on its grid.

    Parameters
    ----------
    grid : Geometry
        Exactly the geometry of the volume that was segmented.
    fields : tuple of SoftField
        One for each label that was found.
    source : str
        Who made it: "tissue" or the model's name and version.
    exclusive : bool
        Whether no point may belong to two labels (a softmax head) or labels may
        overlap (tissues, a sigmoid head).
    findings : mapping of str to list of str
        What a reader should know of a label: what was dropped in mm³, why a label is
        absent, where the boundary is uncertain.
    doubts : mapping of str to Doubt
        By label, in mm, where the boundary was placed by the image.
    concerns : mapping of str to tuple of str
        By label, why no surface of it may ever pass for print.
    """

    grid: Geometry
    fields: tuple[SoftField, ...]
    source: str
    exclusive: bool = False
    findings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    concerns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(not f.grid.is_close(self.grid) for f in self.fields):
            raise GeometryError("a field on another grid than its segmentation's")
        object.__setattr__(self, "findings", MappingProxyType(dict(self.findings)))
        object.__setattr__(self, "doubts", MappingProxyType(dict(self.doubts)))
        object.__setattr__(self, "concerns", MappingProxyType(dict(self.concerns)))

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels found, in the fields' order."""
        return tuple(f.label for f in self.fields)

    def __repr__(self) -> str:
        return f"<Segmentation by {self.source}: {', '.join(x.name for x in self.labels)}>"


def away_from_zero(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same field with exact zeros moved just inside (a new array).

    There is a vertex on every grid edge with a sign change; a corner that
    equals the isovalue makes several edges share one point, hence faces of no area
    that weld into non-manifold edges once a file has rounded them.
    """
    tiny = np.float32(1e-4) * max(np.float32(1e-6), np.abs(values).max())
    return np.where(np.abs(values) < tiny, np.copysign(tiny, values), values)
