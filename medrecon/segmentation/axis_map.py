"""Two grids with parallel axes, and interpolation from one to the other.

References
----------
Cubic convolution: Keys 1981, doi:10.1109/TASSP.1981.1163711.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from medrecon.core import Geometry
from medrecon.errors import GeometryError

FloatField = npt.NDArray[np.float32]
FloatMatrix = npt.NDArray[np.float32]
Block = tuple[slice, slice, slice]
Weights = tuple[sparse.csr_array, sparse.csr_array, sparse.csr_array]

KEYS_A = -0.5


@dataclass(frozen=True, slots=True)
class AxisMap:
    """How the network's indices follow from the image's, axis by axis.

    Parameters
    ----------
    axis : tuple of int
        ``axis[a]`` is the network's axis along the image's axis *a*.
    scale, shift : tuple of float
        Network index = ``scale[a]`` · image index + ``shift[a]``; a negative scale
        turns the axis round.
    network_shape, shape : tuple of int
        Of the network's grid and of the image's.
    """

    axis: tuple[int, ...]
    scale: tuple[float, ...]
    shift: tuple[float, ...]
    network_shape: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def between(cls, network: Geometry, image: Geometry) -> AxisMap:
        """The map between two grids with parallel axes.

        Raises
        ------
        GeometryError
            If an axis of one is not parallel to one of the other.
        """
        matrix = np.linalg.solve(network.affine_lps, image.affine_lps)
        axis = tuple(int(n) for n in np.abs(matrix[:3, :3]).argmax(axis=0))
        scale = matrix[list(axis), [0, 1, 2]]
        rest = matrix[:3, :3].copy()
        rest[list(axis), [0, 1, 2]] = 0
        # Across the longest axis a tilt of 1e-6 moves a surface by less than 1e-3 voxel.
        if sorted(axis) != [0, 1, 2] or np.abs(rest).max() > 1e-6:
            raise GeometryError("the network's grid is not parallel to the image's")
        shift = matrix[list(axis), 3]
        return cls(axis, tuple(scale), tuple(shift), network.shape, image.shape)

    def block(self, box: Block, margin_voxels: int) -> Block:
        """The image's voxels over a box of the network's, with a margin."""
        ranges = []
        for a in range(3):
            part = box[self.axis[a]]
            ends = np.array([part.start - margin_voxels, part.stop - 1 + margin_voxels])
            low, high = np.sort((ends - self.shift[a]) / self.scale[a])
            start = int(np.clip(np.floor(low), 0, self.shape[a] - 1))
            ranges.append(slice(start, int(np.clip(np.ceil(high) + 1, start + 1, self.shape[a]))))
        return ranges[0], ranges[1], ranges[2]

    def covered(self) -> Block:
        """The image's voxels whose centres lie between the network grid's edges."""
        ranges = []
        for a in range(3):
            edges = np.array([-0.5, self.network_shape[self.axis[a]] - 0.5])
            low, high = np.sort((edges - self.shift[a]) / self.scale[a])
            # 1e-4 of a voxel: a centre on an edge belongs to the crop.
            start = int(np.clip(np.ceil(low - 1e-4), 0, self.shape[a] - 1))
            ranges.append(slice(start, int(np.clip(high + 1e-4, start, self.shape[a] - 1)) + 1))
        return ranges[0], ranges[1], ranges[2]

    def position(self, a: int, part: slice) -> npt.NDArray[np.float64]:
        """Continuous network index of the image's voxels along axis *a*."""
        image_index = np.arange(part.start, part.stop, dtype=np.float64)
        return image_index * self.scale[a] + self.shift[a]

    def source(self, block: Block) -> tuple[Block, Weights]:
        """The box of the network's grid that a block needs, and how to interpolate from it.

        Returns
        -------
        box : three slices
            Along the network's axes.
        weights : three sparse matrices
            For each image axis, from the box's samples to the block's.
        """
        box: list[slice] = [slice(None)] * 3
        weights = []
        for a in range(3):
            matrix = cubic_weights(self.position(a, block[a]), self.network_shape[self.axis[a]])
            used = _used(matrix)
            box[self.axis[a]] = used
            weights.append(sparse.csr_array(matrix[:, used]))
        return (box[0], box[1], box[2]), (weights[0], weights[1], weights[2])

    def interpolate(self, values: FloatField, weights: Weights) -> FloatField:
        """Values of the network's box on the block, Fortran order.

        One sparse product an axis, four terms a sample, on one thread. Dense products are
        as fast on an idle machine and a hundred times slower on a busy one, where BLAS's
        threads wait for one another.
        """
        block = values.transpose(self.axis).T
        # Each product takes the last axis to the front: after three the order is kji again.
        for matrix in weights:
            lines = np.ascontiguousarray(block.reshape(-1, block.shape[-1]).T)
            block = (matrix @ lines).reshape(matrix.shape[0], *block.shape[:-1])
        result: FloatField = block.T
        return result

    def nearest(
        self, mask: npt.NDArray[np.bool_], box: Block, block: Block
    ) -> npt.NDArray[np.bool_]:
        """A mask of a box of the network's grid at the block's voxels, by the nearest centre.

        Beyond the grid the nearest voxel of the grid counts; beyond the box, False.
        """
        ringed = np.pad(mask.transpose(self.axis), 1)
        index = []
        for a in range(3):
            last = self.network_shape[self.axis[a]] - 1
            centre = np.clip(np.rint(self.position(a, block[a])), 0, last).astype(np.intp)
            inside = centre - box[self.axis[a]].start + 1
            index.append(np.clip(inside, 0, ringed.shape[a] - 1))
        return ringed[np.ix_(*index)]


def cubic_weights(position: npt.NDArray[np.float64], count: int) -> FloatMatrix:
    """Matrix (len(position), count) of Keys' cubic convolution, the ends repeated.

    Exact at sample positions and for quadratics away from the ends; each row sums to 1.
    """
    x = np.clip(position, 0, count - 1)
    low = np.floor(x).astype(np.intp)
    matrix = np.zeros((len(x), count))
    rows = np.arange(len(x))
    for tap in range(-1, 3):
        column = np.clip(low + tap, 0, count - 1)
        np.add.at(matrix, (rows, column), _keys(x - (low + tap)))
    return matrix.astype(np.float32)


def _keys(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    d = np.abs(distance)
    near = (KEYS_A + 2) * d**3 - (KEYS_A + 3) * d**2 + 1
    far = KEYS_A * (d**3 - 5 * d**2 + 8 * d - 4)
    result: npt.NDArray[np.float64] = np.where(d <= 1, near, np.where(d < 2, far, 0.0))
    return result


def _used(weights: FloatMatrix) -> slice:
    """The stretch of columns that any row reads."""
    columns = np.flatnonzero(weights.any(axis=0))
    return slice(int(columns[0]), int(columns[-1]) + 1)
