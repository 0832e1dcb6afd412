"""A small network, trained in half a minute on shapes that nobody tests it on.

What a real network's logits are like: not a distance, but steep near the surface and
wavy by what the training did not settle.
"""

from __future__ import annotations

import numpy as np
import torch
from analytic import Placed, ball, place, screw, torus
from torch import nn

STEPS = 300
TRAINING_SEED = 77


def trained(steps: int = STEPS) -> nn.Module:
    """The network: four convolutions, trained on voxels, not on distances."""
    torch.manual_seed(TRAINING_SEED)
    torch.set_num_threads(1)
    layers: list[nn.Module] = []
    for before in (1, 8, 8):
        layers += [nn.Conv3d(before, 8, 3, padding=1), nn.LeakyReLU(0.1)]
    net = nn.Sequential(*layers, nn.Conv3d(8, 2, 3, padding=1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    samples = list(_samples(24))
    for step in range(steps):
        image, mask = samples[step % len(samples)]
        loss = nn.functional.cross_entropy(net(image), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    return net.eval()


def _samples(count: int):
    """Shapes of other sizes than those tested, blurred and noisy."""
    rng = np.random.default_rng(TRAINING_SEED)
    for n in range(count):
        shape = (
            ball(rng.uniform(6, 13)),
            torus(rng.uniform(8, 11), rng.uniform(3, 5)),
            screw(rng.uniform(4, 8), rng.uniform(0.6, 1.5), rng.uniform(7, 12), 20),
        )[n % 3]
        placed = place(shape, rng)
        image = placed.seen(rng.uniform(0.5, 0.9), 0.03, rng)
        yield _tensor(image), torch.from_numpy(placed.mask()[None].astype(np.int64))


def logit(net: nn.Module, placed: Placed, psf: float, rng: np.random.Generator) -> np.ndarray:
    """Inside's logit less outside's, for a shape as a scanner sees it."""
    with torch.inference_mode():
        both = net(_tensor(placed.seen(psf, 0.03, rng)))[0].numpy()
    return both[1] - both[0]


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy((image - 0.5).astype(np.float32))[None, None]
