"""How well a network does on samples it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from monai.inferers.utils import sliding_window_inference

from medrecon.models.intensity import normalise
from medrecon.quality.overlap import dice
from medrecon.train.options import TrainOptions
from medrecon.train.samples import RELATIVE, Sample


def validation_dice(
    network: torch.nn.Module, samples: Iterable[Sample], options: TrainOptions
) -> dict[str, float]:
    """Mean Dice of each label over the samples, on the network's grid.

    A sample in which a label is neither present nor found does not count for it; a
    label that never counts has no entry.
    """
    device = next(network.parameters()).device
    scores: dict[str, list[float]] = {label.name: [] for label in options.labels}
    network.eval()
    for sample in samples:
        found = logits_of(network, sample, options, device).argmax(axis=0)
        for channel, label in enumerate(options.labels, start=1):
            score = dice(found == channel, sample.target == channel)
            if score is not None:
                scores[label.name].append(score)
    network.train()
    return {name: float(np.mean(values)) for name, values in scores.items() if values}


def logits_of(
    network: torch.nn.Module, sample: Sample, options: TrainOptions, device: torch.device
) -> npt.NDArray[np.float32]:
    """Logits of a whole sample, (class, i, j, k), tile by tile."""
    relative = options.intensity.kind in RELATIVE
    values = sample.image if relative else normalise(sample.image, options.intensity)
    image = torch.from_numpy(np.ascontiguousarray(values))
    with torch.inference_mode():
        result = sliding_window_inference(
            image[None, None].to(device), options.sampling.patch, 1, network, 0.25, "gaussian"
        )
    if not isinstance(result, torch.Tensor):
        raise TypeError("a network that returns one tensor expected")
    logits: npt.NDArray[np.float32] = result[0].float().cpu().numpy()
    return logits
