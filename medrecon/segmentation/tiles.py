"""Tiles over a grid: where they lie, how they are weighed, and when a voxel is finished.

Tiles are run in layers along the longest axis. A voxel is finished once no later layer
reaches it, so only one tile's depth of logits is held for all classes at a time; what
is finished goes to a store that keeps less (`stores`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product

import numpy as np
import torch
from scipy import ndimage

from medrecon.models.sampling import Blend
from medrecon.segmentation.stores import LogitStore

Shape = tuple[int, int, int]
Predictor = Callable[[torch.Tensor], torch.Tensor]

# A Gaussian's deviation as a share of the tile, as nnU-Net and MONAI use it.
SIGMA_SHARE = 0.125
SMALLEST_WEIGHT = 1e-3
# Above this, a layer's sums are kept in float16: a hundred classes of a whole body at
# full resolution fit in no other way. Where labels exclude one another what is summed is
# how far a logit is below its voxel's largest: that compares the same, and rounding is
# finest where classes compete. Of overlapping labels a logit itself is rounded, by 2⁻¹¹.
HALF_SUMS_BYTES = 4 << 30
# Further below the largest a class is out of the question, and float16 ends at 65504.
FARTHEST_BELOW = -4096.0
# Classes weighed at a time on a GPU, where every call costs more than the cache saves.
GPU_GROUP = 32


@dataclass(frozen=True, slots=True)
class Tiling:
    """Tiles of one size that cover a grid, each inside it.

    Parameters
    ----------
    shape, tile : tuple of int
        Of the grid, which is at least as large as a tile.
    overlap : float
        Share of a tile that its neighbour sees again.
    blend : Blend
        How tiles are spread and weighed.
    """

    shape: Shape
    tile: Shape
    overlap: float
    blend: Blend = Blend.GAUSSIAN

    def weights(self) -> torch.Tensor:
        """float32 weights of a tile's voxels."""
        if self.blend is Blend.EVEN:
            return truncated_weights(self.tile)
        gaussian = self.blend is Blend.GAUSSIAN
        return gaussian_weights(self.tile) if gaussian else torch.ones(self.tile)

    @property
    def axis(self) -> int:
        """The axis along which layers are run: the longest, so that a layer is small."""
        return int(np.argmax(self.shape))

    def starts(self, axis: int) -> list[int]:
        """First voxels of the tiles along one axis; the last tile ends with the grid."""
        size, tile = self.shape[axis], self.tile[axis]
        if self.blend is Blend.EVEN:
            count = math.ceil((size - tile) / (tile * (1 - self.overlap))) + 1
            # Halves go to the even number, as nnU-Net rounds.
            return [round((size - tile) / max(1, count - 1) * n) for n in range(count)]
        step = max(1, int(tile * (1 - self.overlap)))
        starts = list(range(0, size - tile, step))
        return [*starts, size - tile]

    def layers(self) -> Iterator[tuple[int, list[Shape]]]:
        """Start along the layers' axis, and the tiles that begin there."""
        a = self.axis
        i, j, k = (self.starts(n) for n in range(3))
        corners = sorted(product(i, j, k), key=lambda c: (c[a], c))
        for start, group in groupby(corners, key=lambda c: c[a]):
            yield start, list(group)

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return int(np.prod([len(self.starts(n)) for n in range(3)]))


def gaussian_weights(tile: Shape) -> torch.Tensor:
    """float32 weights of a tile's voxels: largest in the middle, never zero."""
    lines = []
    for size in tile:
        x = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
        lines.append(torch.exp(-0.5 * (x / (size * SIGMA_SHARE)) ** 2))
    weights = lines[0][:, None, None] * lines[1][:, None] * lines[2]
    return weights.clamp_min(max(float(weights.min()), SMALLEST_WEIGHT))


def truncated_weights(tile: Shape) -> torch.Tensor:
    """float32 weights about voxel n // 2 of a tile, as nnU-Net takes them.

    Gaussian up to four deviations; beyond that the smallest of them.
    """
    lines = []
    for size in tile:
        line = np.zeros(size)
        line[size // 2] = 1
        lines.append(ndimage.gaussian_filter1d(line, size * SIGMA_SHARE, mode="constant"))
    weights = lines[0][:, None, None] * lines[1][:, None] * lines[2]
    # Beyond float16's smallest number it is zero there, and is filled.
    scaled = (weights / weights.max() * 10).astype(np.float16)
    scaled[scaled == 0] = scaled[scaled > 0].min()
    return torch.from_numpy(scaled.astype(np.float32))


def run_tiles(
    predict: Predictor,
    image: torch.Tensor,
    tiling: Tiling,
    store: LogitStore,
    *,
    batch: int,
    device: torch.device,
    exclusive: bool = False,
) -> None:
    """Run every tile and hand finished logits to the store, slab by slab.

    Parameters
    ----------
    predict : callable
        (n, channel, *tile) to (n, class, *tile), on the network's device.
    image : Tensor, shape (channel, i, j, k)
    tiling : Tiling
        Its shape is the image's.
    store : LogitStore
        Told slabs along `tiling.axis`, in order, each once.
    batch : int
        Tiles run at a time.
    device : torch.device
        Where the layer's sums are kept.
    exclusive : bool
        Whether only comparisons of a voxel's logits count, so that they may be given
        relative to its largest.
    """
    layer = _Layer(tiling, tiling.weights().to(device), exclusive=exclusive)
    for start, corners in tiling.layers():
        layer.advance(start, store)
        for n in range(0, len(corners), batch):
            group = corners[n : n + batch]
            tiles = torch.stack([image[(slice(None), *_window(c, tiling.tile))] for c in group])
            for corner, logits in zip(group, predict(tiles), strict=True):
                layer.add(corner, logits.to(device))
    layer.advance(tiling.shape[tiling.axis], store)


class _Layer:
    """Weighted sums of logits over one tile's depth, moving along the layers' axis."""

    def __init__(self, tiling: Tiling, weights: torch.Tensor, *, exclusive: bool) -> None:
        self._tiling, self._weights, self._exclusive = tiling, weights, exclusive
        self._start = 0
        self._sums: torch.Tensor | None = None
        cross = list(tiling.shape)
        cross[tiling.axis] = tiling.tile[tiling.axis]
        self._total = torch.zeros(cross, device=weights.device)

    def add(self, corner: Sequence[int], logits: torch.Tensor) -> None:
        """Add one tile's logits, (class, *tile)."""
        if self._sums is None:
            shape = (len(logits), *self._total.shape)
            large = math.prod(shape) * 4 > HALF_SUMS_BYTES
            dtype = torch.float16 if large else torch.float32
            self._sums = torch.zeros(shape, dtype=dtype, device=self._total.device)
        place = list(corner)
        place[self._tiling.axis] -= self._start
        window = _window(place, self._tiling.tile)
        # By groups of classes: a weighted copy of all would need a tile's logits again, and
        # on a CPU one class at a time stays in the cache.
        group = 1 if logits.device.type == "cpu" else GPU_GROUP
        relative = self._exclusive and self._sums.dtype == torch.float16
        top = logits.amax(dim=0).float() if relative else None
        for sums, part in zip(self._sums.split(group), logits.split(group), strict=True):
            value = part.float()
            if top is not None:
                value = (value - top).clamp_(min=FARTHEST_BELOW)
            # The product is rounded once, into the sum.
            sums[(slice(None), *window)] += value * self._weights
        self._total[window] += self._weights

    def advance(self, start: int, store: LogitStore) -> None:
        """Give away what lies before `start`, and move there."""
        done, axis = start - self._start, self._tiling.axis
        if done == 0 or self._sums is None:
            return
        for n in range(min(done, self._total.shape[axis])):
            # Plane by plane: a quotient of the whole layer would need as much memory again.
            plane = self._sums.narrow(axis + 1, n, 1).float()
            store.write(self._start + n, axis, plane.div_(self._total.narrow(axis, n, 1)))
        _shift(self._sums, axis + 1, done)
        _shift(self._total, axis, done)
        self._start = start


def _shift(tensor: torch.Tensor, axis: int, by: int) -> None:
    """Move the content towards the start of an axis and clear what is left behind."""
    keep = max(0, tensor.shape[axis] - by)
    # Slice by slice: a copy of the whole layer would double the memory.
    for n in range(keep):
        tensor.select(axis, n).copy_(tensor.select(axis, n + by))
    tensor.narrow(axis, keep, tensor.shape[axis] - keep).zero_()


def _window(corner: Sequence[int], tile: Shape) -> tuple[slice, slice, slice]:
    i, j, k = (slice(c, c + n) for c, n in zip(corner, tile, strict=True))
    return i, j, k
