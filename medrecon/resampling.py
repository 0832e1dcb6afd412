"""Any value onto another grid, voxel centre on voxel centre.

The type decides the interpolation: images linearly or by cubic convolution, fields
linearly, labels never. Grids are compared by their voxel *centres*; resizing by
edges, as `zoom` functions do, would move a surface by half the difference of the
voxel sizes.

References
----------
Cubic convolution: Keys 1981, doi:10.1109/TASSP.1981.1163711.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkImagingCore import vtkImageReslice

from medrecon.core import Geometry, Modality, SliceStack, SoftField, Volume
from medrecon.core.geometry import FloatArray
from medrecon.errors import GeometryError

AIR_HU = -1000.0

SLAB_VOXELS = 1 << 22
"""Voxels resampled at a time where not all are needed at once."""


class Order(Enum):
    """How an image is interpolated between voxel centres."""

    LINEAR = "linear"
    CUBIC = "cubic"


def to_isotropic(volume: Volume, spacing_mm: float, order: Order = Order.LINEAR) -> Volume:
    """The volume on cubic voxels, over the same voxel centres.

    A volume that already lies so is returned unchanged.
    """
    target = volume.geometry.isotropic(spacing_mm)
    if target.is_close(volume.geometry):
        return volume
    return resample_volume(volume, target, order)


def resample_volume(volume: Volume, geometry: Geometry, order: Order = Order.LINEAR) -> Volume:
    """The image on another grid; dtype kept, integers rounded to the nearest.

    Voxels of the new grid beyond one old voxel of the old grid's outermost centres
    get air (CT) or zero and are marked unmeasured; nearer ones repeat the edge.
    """
    matrix = _index_to_index(volume.geometry, geometry)
    array = _reslice(volume.array, matrix, geometry, order, _fill_of(volume))
    unmeasured = _unmeasured_on(volume, matrix, geometry)
    return Volume(array, geometry, volume.acquisition, unmeasured)


def resampled_slabs(
    volume: Volume, geometry: Geometry, order: Order = Order.LINEAR
) -> Iterator[npt.NDArray[Any]]:
    """The array of `resample_volume`, some planes (i, j, n) after the other."""
    matrix = _index_to_index(volume.geometry, geometry)
    for planes in slabs_of(geometry):
        if geometry is volume.geometry:
            yield volume.array[:, :, planes]
        else:
            yield _reslice(volume.array, matrix, geometry, order, _fill_of(volume), planes)


def slabs_of(geometry: Geometry) -> Iterator[slice]:
    """The planes of a grid in slabs of some 8 MB of int16."""
    i, j, k = geometry.shape
    each = max(1, SLAB_VOXELS // (i * j))
    for first in range(0, k, each):
        yield slice(first, min(first + each, k))


def resample_field(field: SoftField, geometry: Geometry) -> tuple[FloatField, tuple[int, int, int]]:
    """A field on the part of another grid that its block covers.

    Returns
    -------
    values : ndarray of float32, shape (i, j, k)
        Linear interpolation; negative where the block does not reach.
    start : tuple of int
        Index in `geometry` of the first voxel of `values`.
    """
    block, start = _part_covered(field, geometry)
    matrix = _index_to_index(field.geometry, block)
    values = _reslice(field.values, matrix, block, Order.LINEAR, _outside_of(field))
    return values.astype(np.float32, copy=False), start


def inside_slabs(
    field: SoftField, geometry: Geometry
) -> Iterator[tuple[tuple[slice, slice, slice], npt.NDArray[np.bool_]]]:
    """Where a field is positive on another grid, slab by slab: which voxels, and their mask."""
    block, (i, j, k) = _part_covered(field, geometry)
    matrix = _index_to_index(field.geometry, block)
    outside = _outside_of(field)
    for planes in slabs_of(block):
        values = _reslice(field.values, matrix, block, Order.LINEAR, outside, planes)
        along_k = slice(k + planes.start, k + planes.stop)
        place = slice(i, i + block.shape[0]), slice(j, j + block.shape[1]), along_k
        yield place, values > 0


def _part_covered(field: SoftField, geometry: Geometry) -> tuple[Geometry, tuple[int, int, int]]:
    """The part of a grid that a field's block covers, and its first voxel; at least one."""
    corners = geometry.index_from_mm(field.geometry.corners_mm)
    shape = np.asarray(geometry.shape)
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, shape - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, low + 1, shape)
    i, j, k = (int(n) for n in low)
    return geometry.crop(low, high - low), (i, j, k)


def _outside_of(field: SoftField) -> float:
    return float(min(-1.0, field.values.min()))


def _fill_of(volume: Volume) -> float:
    return AIR_HU if volume.acquisition.modality is Modality.CT else 0.0


FloatField = npt.NDArray[np.float32]


def sample_field(field: SoftField, geometry: Geometry) -> FloatField:
    """A field at every voxel centre of a grid that may lie any way to its own.

    Linear interpolation. Up to one voxel beyond the block's outermost centres the
    border's values go on unchanged; farther out the samples are negative.

    Returns
    -------
    ndarray of float32, shape of `geometry`, Fortran order
    """
    values = field.values.astype(np.float32, order="F", copy=False)
    outside = float(min(-1.0, values.min()))
    matrix = _index_to_index(field.geometry, geometry)
    found: FloatField = _reslice(values, matrix, geometry, Order.LINEAR, outside)
    return found


def stack_geometry(stack: SliceStack, spacing_mm: float) -> Geometry:
    """Isotropic grid in the slices' own frame that holds every pixel of the stack."""
    frame = np.stack([stack.row_direction, stack.column_direction, stack.normal], axis=1)
    offset = (stack.positions_mm - stack.positions_mm[0]) @ frame
    extent = np.array([*_plane_extent_mm(stack), 0.0])
    low, high = offset.min(axis=0), offset.max(axis=0) + extent
    i, j, k = (int(np.ceil(x / spacing_mm - 1e-6)) + 1 for x in high - low)
    affine = np.eye(4)
    affine[:3, :3] = frame * spacing_mm
    affine[:3, 3] = stack.positions_mm[0] + frame @ low
    return Geometry.from_affine(affine, (i, j, k))


def stack_onto(stack: SliceStack, geometry: Geometry) -> Volume:
    """Slices at their true positions, interpolated once onto a grid in their own frame.

    Between two neighbouring slices values run linearly along the normal; inside a
    slice, bilinearly. Tilt (slices shifted against one another in their plane) and
    irregular steps are thereby undone in the same interpolation. What no slice
    covers, and filled gaps, are marked unmeasured.

    Raises
    ------
    GeometryError
        If the grid's axes are not the stack's row, column and normal.
    """
    frame = np.stack([stack.row_direction, stack.column_direction, stack.normal], axis=1)
    if np.abs(frame - np.asarray(geometry.direction)).max() > 1e-6:
        raise GeometryError("a stack of slices can only be put on a grid in its own frame")
    # Everything below is in mm along row, column and normal, from the grid's origin.
    first = (stack.positions_mm - np.asarray(geometry.origin_mm)) @ frame
    height = np.arange(geometry.shape[2]) * geometry.spacing_mm[2]
    upper = np.clip(np.searchsorted(first[:, 2], height), 1, len(first) - 1)
    weight = np.clip((height - first[upper - 1, 2]) / np.diff(first[:, 2])[upper - 1], 0, 1)
    fill = AIR_HU if stack.acquisition.modality is Modality.CT else 0.0
    array = np.empty(geometry.shape, stack.array.dtype, order="F")
    unmeasured = np.empty(geometry.shape, np.bool_, order="F")
    planes = _PlaneCache(stack, geometry, first, fill)
    for k, (n, w) in enumerate(zip(upper, weight, strict=True)):
        (below, no_below), (above, no_above) = planes[n - 1], planes[n]
        plane = below + np.float32(w) * (above - below)
        array[:, :, k] = np.rint(plane) if array.dtype == np.int16 else plane
        unmeasured[:, :, k] = (no_below & (w < 1)) | (no_above & (w > 0))
    for low, high in stack.filled_gaps_mm:
        inside = (height - first[0, 2] > low + 1e-6) & (height - first[0, 2] < high - 1e-6)
        unmeasured[:, :, inside] = True
    return Volume(array, geometry, stack.acquisition, unmeasured if unmeasured.any() else None)


class _PlaneCache:
    """Slices of a stack on the grid's in-plane pixels; the last two are kept."""

    def __init__(
        self, stack: SliceStack, geometry: Geometry, first_mm: FloatArray, fill: float
    ) -> None:
        self._stack, self._geometry = stack, geometry
        self._first_mm, self._fill = first_mm, np.float32(fill)
        self._kept: dict[int, tuple[FloatField, npt.NDArray[np.bool_]]] = {}

    def __getitem__(self, n: int) -> tuple[FloatField, npt.NDArray[np.bool_]]:
        if n not in self._kept:
            self._kept = {m: plane for m, plane in self._kept.items() if abs(m - n) == 1}
            self._kept[n] = self._interpolate(n)
        return self._kept[n]

    def _interpolate(self, n: int) -> tuple[FloatField, npt.NDArray[np.bool_]]:
        plane = self._stack.array[:, :, n].astype(np.float32)
        outside = np.zeros(self._geometry.shape[:2], np.bool_)
        mask = _slice_of(self._stack.unmeasured, self._stack.array.shape, n)
        missing = None if mask is None else mask.astype(np.float32)
        for axis in (0, 1):
            spacing = self._geometry.spacing_mm[axis]
            mm = np.arange(self._geometry.shape[axis]) * spacing - self._first_mm[n, axis]
            x = mm / self._stack.pixel_spacing_mm[axis]
            last = plane.shape[axis] - 1
            beyond = (x < -0.5 - 1e-6) | (x > last + 0.5 + 1e-6)
            outside |= beyond[:, None] if axis == 0 else beyond[None, :]
            plane = _linear(plane, x, axis)
            missing = None if missing is None else _linear(missing, x, axis)
        if missing is not None:
            outside |= missing > 0
        plane[outside] = self._fill
        return plane, outside


def _linear(plane: FloatField, x: FloatArray, axis: int) -> FloatField:
    """Linear interpolation of a plane at indices x along one axis, edges repeated."""
    x = np.clip(x, 0, plane.shape[axis] - 1)
    low = np.minimum(x.astype(int), max(plane.shape[axis] - 2, 0))
    high = np.minimum(low + 1, plane.shape[axis] - 1)
    w = (x - low).astype(np.float32)
    w = w[:, None] if axis == 0 else w[None, :]
    a, b = plane.take(low, axis=axis), plane.take(high, axis=axis)
    result: FloatField = a + w * (b - a)
    return result


def _slice_of(
    mask: npt.NDArray[np.bool_] | None, shape: tuple[int, ...], n: int
) -> npt.NDArray[np.bool_] | None:
    return None if mask is None else np.broadcast_to(mask, shape)[:, :, n]


def _plane_extent_mm(stack: SliceStack) -> FloatArray:
    """Distance from the first to the last pixel centre along i and j."""
    i, j, _ = stack.array.shape
    x_mm, y_mm = stack.pixel_spacing_mm
    return np.array([(i - 1) * x_mm, (j - 1) * y_mm])


def _index_to_index(source: Geometry, target: Geometry) -> FloatArray:
    """4×4 from target voxel index to source voxel index."""
    matrix = np.array(np.linalg.solve(source.affine_lps, target.affine_lps))
    # Rounding noise would make the resampler miss its fast path for axis-aligned grids.
    matrix[np.abs(matrix) < 1e-9] = 0.0
    return matrix


def _unmeasured_on(
    volume: Volume, matrix: FloatArray, geometry: Geometry
) -> npt.NDArray[np.bool_] | None:
    """Where the new grid has no measured value: any unmeasured old neighbour counts."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(geometry.shape) - 1)
    reached = corners @ matrix[:3, :3].T + matrix[:3, 3]
    outside = (reached.min() < -1 - 1e-6) or (reached > np.asarray(volume.geometry.shape)).any()
    if volume.unmeasured is None and not outside:
        return None
    mask = np.zeros(volume.geometry.shape, np.uint8, order="F")
    if volume.unmeasured is not None:
        mask[np.broadcast_to(volume.unmeasured, mask.shape)] = 254
    found: npt.NDArray[np.bool_] = _reslice(mask, matrix, geometry, Order.LINEAR, 254.0) > 0
    return found if found.any() else None


def _reslice(
    array: npt.NDArray[Any],
    matrix: FloatArray,
    geometry: Geometry,
    order: Order,
    fill: float,
    planes: slice = slice(None),
) -> npt.NDArray[Any]:
    """VTK's resampler in index space: spacing 1, origin 0 on both sides; some planes or all."""
    i, j, _ = geometry.shape
    first, stop, _ = planes.indices(geometry.shape[2])
    source = vtkImageData()
    source.SetDimensions(*array.shape)
    source.GetPointData().SetScalars(numpy_to_vtk(array.ravel(order="F")))
    axes = vtkMatrix4x4()
    axes.DeepCopy(matrix.ravel().tolist())
    reslice = vtkImageReslice()
    reslice.SetInputData(source)
    reslice.SetResliceAxes(axes)
    reslice.SetOutputSpacing(1, 1, 1)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputExtent(0, i - 1, 0, j - 1, first, stop - 1)
    reslice.SetBackgroundLevel(fill)
    reslice.BorderOn()
    reslice.SetBorderThickness(1.0)
    if order is Order.CUBIC:
        reslice.SetInterpolationModeToCubic()
    else:
        reslice.SetInterpolationModeToLinear()
    reslice.Update()
    scalars = reslice.GetOutput().GetPointData().GetScalars()
    result: npt.NDArray[Any] = vtk_to_numpy(scalars).reshape((i, j, stop - first), order="F")
    return result
