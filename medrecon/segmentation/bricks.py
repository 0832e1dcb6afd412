"""Filters where their result is needed: on the bricks of a grid that hold some voxels.

What is asked about a surface is asked of the voxels beside it, a few hundredths of a scan. A
filter over the whole of it waits for the memory; a brick and its surroundings stay in the
processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import frozen
from medrecon.core.threads import cores, in_parts
from medrecon.segmentation import brick_loops

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Weights = tuple[Floats, Floats, Floats]

EDGE = (16, 16, 32)
"""Voxels of a brick along k, j and i: longest where neighbours lie side by side."""


class Bricks:
    """The bricks of a grid that hold some voxels.

    All arrays are (i, j, k) in a volume's order, the first index the quickest (Fortran's);
    one in another order is copied first.

    Parameters
    ----------
    shape : tuple of int
        Of the grid.
    points : ndarray of int, shape (3, n)
        Indices of voxels.
    below, above : sequence of int
        Voxels before and behind each point, along each axis, that count as well.
    """

    def __init__(
        self,
        shape: Sequence[int],
        points: npt.NDArray[np.integer],
        below: Sequence[int] = (0, 0, 0),
        above: Sequence[int] = (0, 0, 0),
    ) -> None:
        held = np.zeros([-(-n // e) for n, e in zip(shape[::-1], EDGE, strict=True)], np.bool_)
        edge = frozen(EDGE, np.int64)
        near = frozen(below[::-1], np.int64), frozen(above[::-1], np.int64)
        brick_loops.mark(frozen(points[::-1], np.int64), *near, edge, held)
        self._edge, self._held = edge, held
        self._corners = frozen(np.argwhere(held) * edge, np.int64)

    def gaussian(self, field: Floats, sigma: Sequence[float], truncate: float = 2.5) -> Floats:
        """The field filtered with a Gaussian, in these bricks; 0 elsewhere.

        Parameters
        ----------
        field : ndarray of float32, shape (i, j, k)
        sigma : sequence of float
            Standard deviations in voxels, along each axis.
        truncate : float
            Where the filter ends, in standard deviations.

        Returns
        -------
        ndarray of float32, shape (i, j, k)
            Beyond the border the field is its own mirror image, as scipy's ``reflect``.
        """
        source = frozen(field.T, np.float32)
        found = np.zeros(source.shape, np.float32)
        weights = _gaussians(sigma, truncate)

        def work(first: int, stop: int) -> None:
            brick_loops.filtered(source, weights, self._corners, self._edge, first, stop, found)

        in_parts(work, len(self._corners), threads=cores())
        return found.T

    def tensors(
        self, smooth: Floats, points: Ints, sigma: Sequence[float], spacing_mm: Sequence[float]
    ) -> Floats:
        """Structure tensors of a smooth field at some voxels of these bricks.

        Parameters
        ----------
        smooth : ndarray of float32, shape (i, j, k)
        points : ndarray of int, shape (n, 3)
        sigma : sequence of float
            Standard deviations in voxels of the Gaussian that products of slopes are averaged with,
            cut at 2.5 of them.
        spacing_mm : sequence of float

        Returns
        -------
        ndarray of float32, shape (n, 3, 3)
            Per mm².
        """
        number = np.cumsum(self._held.ravel()).reshape(self._held.shape) - 1
        kji = points[:, ::-1]
        brick = number[tuple((kji // self._edge).T)]
        order = np.argsort(brick, kind="stable")
        begins = np.searchsorted(brick[order], np.arange(len(self._corners) + 1))
        found = np.empty((len(points), 3, 3), np.float32)
        field, spacing = frozen(smooth.T, np.float32), frozen(spacing_mm[::-1], np.float32)
        weights, corners, edge = _gaussians(sigma, 2.5), self._corners, self._edge
        begin, places = frozen(begins, np.int64), frozen(kji[order], np.int64)

        def work(first: int, stop: int) -> None:
            brick_loops.tensors(
                field, spacing, weights, corners, edge, begin, places, first, stop, found
            )

        in_parts(work, len(self._corners), threads=cores())
        result = np.empty_like(found)
        result[order] = found[:, ::-1, ::-1]
        return result


def _gaussians(sigma: Sequence[float], truncate: float) -> Weights:
    """Half of the weights along k, j and i, from the middle on."""
    k, j, i = (_gaussian(s, truncate) for s in reversed(sigma))
    return k, j, i


def _gaussian(sigma: float, truncate: float) -> Floats:
    reach = int(truncate * sigma + 0.5)
    weight = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    half: Floats = frozen(weight / (2 * weight.sum() - weight[0]), np.float32)
    return half
