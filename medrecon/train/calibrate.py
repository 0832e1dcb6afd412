"""Biases of the last layer that make each label's volume right on average.

A Dice loss leaves small structures a little too small or too large. Shifting a label's
logit moves its surface along the network's own gradient, everywhere a little: the
shift is chosen so that as many voxels win as truly belong to the label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from medrecon.errors import ModelError

SWEEPS = 4
Logits = npt.NDArray[np.float32]


def volume_shifts(
    logits: Sequence[Logits], targets: Sequence[npt.NDArray[np.uint8]]
) -> npt.NDArray[np.float64]:
    """What to add to each class's logit so that it wins as many voxels as it should.

    Class by class, given the others, the shift is exact: the negative of the n-th
    largest margin, n being the voxels that truly belong to it. A few sweeps settle all.

    Parameters
    ----------
    logits : sequence of ndarray, shape (class, i, j, k)
    targets : sequence of ndarray of uint8, shape (i, j, k)
        The true class of each voxel.

    Returns
    -------
    ndarray of float64, shape (class,)
        0 for the background and for a class that no target holds.
    """
    classes = len(logits[0])
    wanted = np.bincount(np.concatenate([t.ravel() for t in targets]), minlength=classes)
    shifts = np.zeros(classes)
    for _ in range(SWEEPS):
        for number in range(1, classes):
            if wanted[number] > 0:
                margins = [_margin(x, shifts, number).ravel() for x in logits]
                n = int(wanted[number])
                both = -np.partition(-np.concatenate(margins), (n - 1, n))[n - 1 : n + 1]
                shifts[number] = -float(both.mean())
    return shifts


def _margin(logits: Logits, shifts: npt.NDArray[np.float64], number: int) -> Logits:
    """A class's own logit, less the largest shifted logit of the others."""
    others: Logits | None = None
    for other in range(len(logits)):
        if other != number:
            value = logits[other] + np.float32(shifts[other])
            others = value if others is None else np.maximum(others, value)
    own: Logits = logits[number]
    return own if others is None else np.subtract(own, others)


def last_bias(network: torch.nn.Module, patch: Sequence[int], classes: int) -> str:
    """The name of the bias that is added to a network's logits last: found by running it.

    Where a deeply supervised network keeps its heads says nothing of their order.

    Parameters
    ----------
    network : Module
        Of one channel.
    patch : sequence of int
        Voxels that it can be run on.
    classes : int

    Raises
    ------
    ModelError
        If no layer has a bias of one value a class.
    """
    called: list[str] = []

    def remember(name: str) -> Callable[..., None]:
        return lambda *_: called.append(name)

    hooks = [
        module.register_forward_hook(remember(f"{name}.bias"))
        for name, module in network.named_modules()
        if isinstance(bias := getattr(module, "bias", None), torch.Tensor) and len(bias) == classes
    ]
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        network(torch.zeros(1, 1, *patch, device=device))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    if not called:
        raise ModelError("the network's last layer has no bias of one value a class")
    return called[-1]


def with_shifts(
    weights: Mapping[str, torch.Tensor], name: str, shifts: npt.NDArray[np.float64]
) -> dict[str, torch.Tensor]:
    """The weights with the shifts added to one bias.

    Parameters
    ----------
    weights : mapping of str to Tensor
    name : str
        Of the last layer's bias (`last_bias`).
    shifts : ndarray of float64, shape (class,)
    """
    shifted = dict(weights)
    shifted[name] = weights[name] + torch.from_numpy(shifts).to(weights[name])
    return shifted
