"""A network over a whole image, tile by tile."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from monai.inferers.utils import sliding_window_inference

from medrecon.errors import ModelError
from medrecon.models.manifest import Sampling
from medrecon.segment.contract import Progress
from medrecon.segment.device import repeatable_inference

FloatField = npt.NDArray[np.float32]


def predict_logits(
    network: torch.nn.Module,
    image: FloatField,
    sampling: Sampling,
    device: torch.device,
    *,
    progress: Progress | None = None,
) -> FloatField:
    """Logits of every channel on the image's grid.

    Tiles overlap and are averaged with Gaussian weights, so that a tile counts least
    where it sees least around a voxel.

    Parameters
    ----------
    network : Module
        On any device; moved to `device`.
    image : ndarray of float32, shape (channel, i, j, k)
        Normalised, on the model's grid.
    sampling : Sampling
        Its patch and overlap. An image smaller than a patch is padded with zeros, and
        the padding is cut off again.
    device : torch.device
    progress : callable, optional

    Returns
    -------
    ndarray of float32, shape (class, i, j, k)

    Raises
    ------
    ModelError
        If the network's result is not one volume of finite logits.
    """
    tiles = tile_count(image.shape[1:], sampling)
    network = network.to(device, memory_format=torch.channels_last_3d)
    run = _counted(network, tiles, progress)
    batch = torch.from_numpy(np.ascontiguousarray(image))[None]
    with repeatable_inference(device):
        result = sliding_window_inference(
            batch,
            roi_size=sampling.patch,
            sw_batch_size=1,
            predictor=run,
            overlap=sampling.overlap,
            mode="gaussian",
            sw_device=device,
            device="cpu",
        )
    if not isinstance(result, torch.Tensor) or result.shape[2:] != batch.shape[2:]:
        raise ModelError("the network does not return one volume of the size of its input")
    logits: FloatField = result[0].float().numpy()
    if not np.isfinite(logits).all():
        raise ModelError("the network returned logits that are not finite; its weights are damaged")
    return logits


def tile_count(shape: Sequence[int], sampling: Sampling) -> int:
    """How many tiles cover a grid of that shape."""
    count = 1
    for size, patch in zip(shape, sampling.patch, strict=True):
        step = max(1, int(patch * (1 - sampling.overlap)))
        count *= max(0, math.ceil((size - patch) / step)) + 1
    return count


def _counted(
    network: torch.nn.Module, tiles: int, progress: Progress | None
) -> Callable[[torch.Tensor], torch.Tensor]:
    done = 0

    def run(tile: torch.Tensor) -> torch.Tensor:
        nonlocal done
        result = network(tile.contiguous(memory_format=torch.channels_last_3d))
        done += len(tile)
        if progress is not None:
            progress(min(1.0, done / tiles))
        # Deep supervision returns a list, finest first.
        first = result[0] if isinstance(result, list | tuple) else result
        return first.float()

    return run
